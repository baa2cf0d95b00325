"""What users see for what pods say: one row per cause, and the rules of conditions."""

import copy
from typing import Any

import pytest
from tests.unit.operator import samples

from qwen3vl_operator.kube.conditions import ORDER, REASONS
from qwen3vl_operator.vision_model.status import Observed, Refusal, status

Object = dict[str, Any]
UNTIL = "2026-03-01T11:00:00Z"


def pod(number: int = 0, *, node: str | None = "node-a", revision: str = "new", **more: Any) -> Object:
    """A pod of the engine; `more` is its status."""
    container = {
        "name": "engine",
        "image": "registry.example/engine:1",
        "startupProbe": {"periodSeconds": 10, "failureThreshold": 180},
    }
    spec: Object = {"containers": [container]} | ({"nodeName": node} if node else {})
    metadata = {"name": f"m-engine-{number}", "labels": {"controller-revision-hash": revision}}
    return {"metadata": metadata, "spec": spec, "status": more}


def conditions(**status_of: str) -> list[Object]:
    return [{"type": kind, "status": value} for kind, value in status_of.items()]


def container(state: Object, *, ready: bool = False, last: Object | None = None, **more: Any) -> list[Object]:
    known = {"name": "engine", "image": "registry.example/engine:1", "ready": ready, "started": ready, "state": state}
    return [known | ({"lastState": last} if last else {}) | more]


def ready(number: int = 0, **more: Any) -> Object:
    return pod(
        number, conditions=conditions(Ready="True"), containerStatuses=container({"running": {}}, ready=True), **more
    )


def unscheduled(message: str) -> Object:
    failed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(node=None, conditions=[failed])


def stateful_set(*, settled: bool = True, **more: Any) -> Object:
    template = {"spec": {"containers": [{"name": "engine", "image": "registry.example/engine:1"}]}}
    seen = {"observedGeneration": 2 if settled else 1, "updateRevision": "new", "replicas": 1} | more
    return {"metadata": {"generation": 2, "uid": "u"}, "spec": {"template": template}, "status": seen}


def endpoints(*flags: bool | None) -> list[Object]:
    listed = [{"addresses": [f"10.0.0.{n}"], "conditions": {"ready": flag}} for n, flag in enumerate(flags)]
    return [{"endpoints": listed}]


def terminated(reason: str, code: int, *, started: str = "2026-03-01T10:00:00Z", finished: str = UNTIL) -> Object:
    return {"terminated": {"reason": reason, "exitCode": code, "startedAt": started, "finishedAt": finished}}


def waiting(state: Object) -> Object:
    return pod(containerStatuses=container(state))


def deleted(thing: Object) -> Object:
    thing = copy.deepcopy(thing)
    thing["metadata"]["deletionTimestamp"] = UNTIL
    return thing


RUNNING: Object = {"stateful_set": stateful_set(), "pods": [ready()], "slices": endpoints(True)}
LOADING = pod(containerStatuses=container({"running": {}}))
GPU = "0/3 nodes are available: 1 Insufficient cpu, 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available"
SELECTOR = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
TAINT = "0/3 nodes are available: 3 node(s) had untolerated taint {gpu: yes}."
VOLUME = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
CONFLICT = "0/3 nodes are available: 3 node(s) had volume node affinity conflict."
CLAIM = 'persistentvolumeclaim "weights" not found'
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
PULL = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "registry.example/engine:1"'}}
CONFIG = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "hub" not found'}}
START_ERROR = {"terminated": {"reason": "StartError", "exitCode": 128, "message": "executable file not found in $PATH"}}
TIMED_OUT = terminated("Error", 137, started="2026-03-01T10:30:00Z", finished="2026-03-01T11:00:30Z")
LOST = pod(conditions=conditions(Ready="False"), containerStatuses=container({"running": {}}, ready=True))
TAINTED_AWAY = deleted(LOST)
TAINTED_AWAY["status"]["conditions"].append(
    {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
)

# What is seen → condition, its reason, words of its message.
TABLE: dict[str, tuple[Object, str, str, tuple[str, ...]]] = {
    "nothing yet": ({}, "Scheduled", "Creating", ("0 of 1",)),
    "scheduler has not looked": ({"pods": [pod(node=None)]}, "Scheduled", "Creating", ("m-engine-0", "scheduler")),
    "no GPU": ({"pods": [unscheduled(GPU)]}, "Scheduled", "InsufficientGPU", ("m-engine-0", GPU)),
    "selector": ({"pods": [unscheduled(SELECTOR)]}, "Scheduled", "NodeSelectorMismatch", (SELECTOR,)),
    "taint": ({"pods": [unscheduled(TAINT)]}, "Scheduled", "Tainted", (TAINT,)),
    "volume pending": ({"pods": [unscheduled(VOLUME)]}, "Scheduled", "VolumePending", (VOLUME,)),
    "volume elsewhere": ({"pods": [unscheduled(CONFLICT)]}, "Scheduled", "VolumeNodeConflict", (CONFLICT,)),
    "no claim": ({"pods": [unscheduled(CLAIM)]}, "Scheduled", "ClaimNotFound", ('"weights" not found',)),
    "no memory": ({"pods": [unscheduled("Insufficient memory.")]}, "Scheduled", "InsufficientResources", ("memory",)),
    "other": ({"pods": [unscheduled("out of luck")]}, "Scheduled", "Unschedulable", ("out of luck",)),
    "rejected": ({"rejected": ["old", "exceeded quota"]}, "Scheduled", "PodRejected", ("exceeded quota",)),
    "no container yet": ({"pods": [pod()]}, "EngineReady", "Starting", ("node-a",)),
    "image": ({"pods": [waiting(PULL)]}, "EngineReady", "ImagePullError", ("registry.example/engine:1",)),
    "config": ({"pods": [waiting(CONFIG)]}, "EngineReady", "ConfigError", ('"hub" not found',)),
    "loading": ({"pods": [LOADING]}, "EngineReady", "Loading", ("m-engine-0", "/health")),
    "crash": (
        {"pods": [pod(containerStatuses=container(BACK_OFF, last=terminated("Error", 3), restartCount=4))]},
        "EngineReady", "CrashLoop", ("exit code 3", "4 restarts"),
    ),
    "no such program": (
        {"pods": [pod(containerStatuses=container(BACK_OFF, last=START_ERROR))]},
        "EngineReady", "ConfigError", ("executable file not found",),
    ),
    "memory": (
        {"pods": [pod(containerStatuses=container(BACK_OFF, last=terminated("OOMKilled", 137)))]},
        "EngineReady", "OutOfMemory", ("resources.memory",),
    ),
    "startup": (
        {"pods": [pod(containerStatuses=container({"running": {}}, last=TIMED_OUT))]},
        "EngineReady", "StartupTimeout", ("1800 s",),
    ),
    "killed after hours": (
        {"pods": [pod(containerStatuses=container(BACK_OFF, last=terminated("Error", 137)))]},
        "EngineReady", "CrashLoop", ("exit code 137",),
    ),
    "evicted": (
        {"pods": [pod(reason="Evicted", message="The node was low on resource: memory.")]},
        "EngineReady", "Evicted", ("low on resource",),
    ),
    "node lost": ({"pods": [LOST]}, "EngineReady", "NodeLost", ("node-a", "out-of-service")),
    "node lost, pod marked": ({"pods": [TAINTED_AWAY]}, "EngineReady", "NodeLost", ("node-a", "out-of-service")),
    "not scheduled": ({"pods": [unscheduled(GPU)]}, "EngineReady", "NotScheduled", ("0 of 1",)),
    "no endpoint": ({"pods": [ready()], "slices": endpoints(False)}, "Exposed", "NoEndpoints", ("no replica",)),
    "no slice": ({"pods": [ready()], "slices": []}, "Exposed", "NoEndpoints", ("no replica",)),
    "name": ({"name_owner": "older"}, "Exposed", "NameCollision", ("'m'", "older", "spec.servedName")),
    "name taken": ({"taken": ["Service m-engine"]}, "Accepted", "NameTaken", ("Service m-engine", "left alone")),
    "immutable": (
        {"refused": [Refusal("PersistentVolumeClaim m-cache", 422, "spec is immutable after creation")]},
        "Accepted", "Immutable", ("m-cache", "immutable"),
    ),
    "quota": ({"refused": [Refusal("Service m-engine", 403, "exceeded quota")]}, "Accepted", "Forbidden", ("quota",)),
    "bad part": ({"refused": [Refusal("StatefulSet m-engine", 422, "Required")]}, "Accepted", "InvalidSpec", ("m-",)),
    "rolling": ({"pods": [ready(revision="old")]}, "UpToDate", "RollingOut", ("0 of 1",)),
    "not seen by its controller": ({"stateful_set": stateful_set(settled=False)}, "UpToDate", "RollingOut", ()),
}  # fmt: skip


def look(seen: Object, previous: Object | None = None, spec: Object | None = None, now: str = samples.NOW) -> Object:
    return status(
        samples.model(spec), Observed(**seen), gateway_url="http://gateway/v1", previous=previous or {}, now=now
    )


def one(found: Object, kind: str) -> Object:
    return next(condition for condition in found["conditions"] if condition["type"] == kind)


@pytest.mark.parametrize("row", TABLE)
def test_every_cause_has_its_reason(row: str) -> None:
    seen, kind, reason, words = TABLE[row]
    base = {"stateful_set": stateful_set(), "slices": endpoints(True), "pods": []}
    if kind in ("Exposed", "Accepted", "UpToDate"):
        base["pods"] = [ready()]
    found = one(look(base | seen), kind)
    assert (found["status"], found["reason"]) == ("False", reason)
    for word in words:
        assert word in found["message"]


def test_the_table_has_every_false_reason() -> None:
    true_reasons = {"Valid", "Scheduled", "ScaledToZero", "Ready", "Routed", "UpToDate"}
    listed = {(kind, reason) for _, kind, reason, _ in TABLE.values()}
    documented = {
        (kind, reason)
        for kind, reasons in REASONS.items()
        for reason in reasons
        if reason not in true_reasons and kind != "NavigationReady"  # its table is in test_navigation_status.py
    }
    assert listed == documented


def test_all_is_well() -> None:
    found = look(RUNNING)
    assert [(item["type"], item["status"]) for item in found["conditions"]] == [
        (kind, "True") for kind in (*ORDER, "Ready") if kind != "NavigationReady"
    ]
    assert found["replicas"] == {"desired": 1, "current": 1, "ready": 1, "updated": 1, "summary": "1/1"}
    assert found["endpoint"] == "http://gateway/v1"
    assert "lastFailure" not in found


def test_ready_names_the_most_causal_trouble() -> None:
    found = look({"stateful_set": stateful_set(), "pods": [unscheduled(GPU)], "slices": []})
    ready_condition = one(found, "Ready")
    assert (ready_condition["reason"], ready_condition["message"]) == ("InsufficientGPU", f"pod m-engine-0: {GPU}")
    assert one(found, "EngineReady")["status"] == one(found, "Exposed")["status"] == "False"


def test_an_old_revision_that_serves_is_ready_and_not_up_to_date() -> None:
    found = look(RUNNING | {"pods": [ready(revision="old")]})
    assert one(found, "Ready")["status"] == "True"
    assert one(found, "UpToDate")["reason"] == "RollingOut"
    assert found["replicas"]["updated"] == 0


def test_a_pod_that_ends_is_not_ready_any_more() -> None:
    found = look(RUNNING | {"pods": [deleted(ready())]})
    assert found["replicas"]["ready"] == 0
    assert one(found, "Ready")["status"] == "False"


def test_zero_replicas_are_ready() -> None:
    found = look({"stateful_set": stateful_set(replicas=0)}, spec=samples.SIMULATOR | {"replicas": 0})
    ready_condition = one(found, "Ready")
    assert (ready_condition["status"], ready_condition["reason"]) == ("True", "ScaledToZero")
    assert found["replicas"]["summary"] == "0/0"


def test_one_of_two_replicas_is_not_enough_and_the_worst_pod_speaks() -> None:
    crashed = pod(1, containerStatuses=container(BACK_OFF, last=terminated("Error", 1)))
    loading = pod(2, containerStatuses=container({"running": {}}))
    seen = RUNNING | {"pods": [ready(), loading, crashed]}
    engine = one(look(seen, spec=samples.SIMULATOR | {"replicas": 3}), "EngineReady")
    assert (engine["reason"], "m-engine-1" in engine["message"]) == ("CrashLoop", True)


def test_transition_times_change_with_the_status_alone() -> None:
    first = look(RUNNING, now="2026-03-01T01:00:00Z")
    same = look(RUNNING, previous=first, now="2026-03-01T02:00:00Z")
    assert same == first
    other = look(RUNNING | {"pods": [LOADING]}, previous=first, now="2026-03-01T03:00:00Z")
    assert one(other, "EngineReady")["lastTransitionTime"] == "2026-03-01T03:00:00Z"
    assert one(other, "Accepted")["lastTransitionTime"] == "2026-03-01T01:00:00Z"
    reason_only = look(RUNNING | {"pods": [pod()]}, previous=other, now="2026-03-01T04:00:00Z")
    assert one(reason_only, "EngineReady")["reason"] == "Starting"
    assert one(reason_only, "EngineReady")["lastTransitionTime"] == "2026-03-01T03:00:00Z"


def test_the_last_failure_stays_after_recovery_and_yields_to_a_newer_one_only() -> None:
    crashed = pod(containerStatuses=container(BACK_OFF, last=terminated("OOMKilled", 137)))
    first = look(RUNNING | {"pods": [crashed]})
    failure = {"pod": "m-engine-0", "container": "engine", "reason": "OutOfMemory", "exitCode": 137, "time": UNTIL}
    assert first["lastFailure"] == failure
    assert look(RUNNING, previous=first)["lastFailure"] == failure
    older = terminated("Error", 1, finished="2026-03-01T10:00:01Z")
    seen = RUNNING | {"pods": [pod(1, containerStatuses=container(BACK_OFF, last=older))]}
    assert look(seen, previous=first)["lastFailure"] == failure
    newer = terminated("Error", 1, finished="2026-03-01T11:30:00Z")
    seen = RUNNING | {"pods": [pod(1, containerStatuses=container(BACK_OFF, last=newer))]}
    assert look(seen, previous=first)["lastFailure"]["pod"] == "m-engine-1"


def test_an_end_that_was_ordered_is_no_failure() -> None:
    ended = deleted(pod(containerStatuses=container(terminated("Completed", 0))))
    assert "lastFailure" not in look(RUNNING | {"pods": [ended, ready(1)]})


def test_long_messages_are_cut() -> None:
    found = one(look({"pods": [unscheduled(GPU + "x" * 5000)]}), "Scheduled")
    assert len(found["message"]) < 700
    assert found["reason"] == "InsufficientGPU"


def test_every_condition_and_reason_is_documented() -> None:
    text = (samples.ROOT / "docs/status.md").read_text()
    missing = [reason for kind, reasons in REASONS.items() for reason in (kind, *reasons) if f"`{reason}`" not in text]
    assert missing == []
