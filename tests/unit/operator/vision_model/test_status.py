"""What users see for what was observed: one row per cause that no pod tells, and the rules of conditions."""

from typing import Any

import pytest
from tests.unit.operator import samples
from tests.unit.operator.vision_model.pod_cases import GPU
from tests.unit.operator.vision_model.pod_samples import (
    LOADING,
    RUNNING,
    Object,
    crashed,
    deleted,
    endpoints,
    notes,
    pod,
    ready,
    stateful_set,
    unscheduled,
)

from qwen3vl_operator import names
from qwen3vl_operator.kube.conditions import NOT_IN_READY, ORDER, REASONS
from qwen3vl_operator.vision_model.observed import Observed, Outcome, Result
from qwen3vl_operator.vision_model.status import failed_pass, invalid, status

QUOTA = (
    'create Pod m-engine-0 in StatefulSet m-engine failed error: pods "m-engine-0" is forbidden: exceeded quota: gpus, '
    "requested: requests.nvidia.com/gpu=4, used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8"
)
POD_SECURITY = (
    'create Pod m-engine-0 in StatefulSet m-engine failed error: pods "m-engine-0" is forbidden: violates PodSecurity '
    '"restricted:latest": hostPath volumes (volume "x")'
)
WEBHOOK = (
    'Internal error occurred: failed calling webhook "sets.example.com": failed to call webhook: Post '
    '"https://sets.example.svc:443/validate?timeout=10s": dial tcp 10.96.0.7:443: connect: connection refused'
)
IMMUTABLE = "spec: Forbidden: spec is immutable after creation except resources.requests"
TAKEN = Result("Service m-engine", Outcome.TAKEN)


def failed(code: int, message: str, outcome: Outcome = Outcome.FAILED, title: str = "StatefulSet m-engine") -> Object:
    return {"results": (Result("Service m-engine", Outcome.APPLIED), Result(title, outcome, code, message))}


def results(*outcomes: Outcome) -> Object:
    return {"results": tuple(Result(f"Kind m-{number}", outcome) for number, outcome in enumerate(outcomes))}


PAUSED: Object = samples.SIMULATOR | {"paused": True}
NONE_WANTED: Object = samples.SIMULATOR | {"replicas": 0}
SET_EVENTS = "StatefulSet m-engine"

# What is seen → condition, its status and reason, words of its message; and what is wanted where it matters.
TABLE: tuple[tuple[str, Object, str, str, str, tuple[str, ...], Object | None], ...] = (
    ("nothing yet", {"pods": []}, "Scheduled", "False", "Creating", ("0 of 1",), None),
    ("quota", {"pods": [], "events": {SET_EVENTS: notes(("FailedCreate", "old"), ("FailedCreate", QUOTA))}},
     "Scheduled", "False", "PodRejected", (QUOTA,), None),
    ("Pod Security", {"pods": [], "events": {SET_EVENTS: notes(("FailedCreate", POD_SECURITY))}},
     "Scheduled", "False", "PodRejected", (POD_SECURITY,), None),
    ("made meanwhile", {"pods": [], "events": {SET_EVENTS: notes(("FailedCreate", QUOTA), ("SuccessfulCreate", "ok"))}},
     "Scheduled", "False", "Creating", (), None),
    ("no GPU", {"pods": [unscheduled(GPU)]}, "Scheduled", "False", "InsufficientGPU", (GPU,), None),
    ("not scheduled", {"pods": [unscheduled(GPU)]}, "EngineReady", "False", "NotScheduled", ("0 of 1",), None),
    ("loading", {"pods": [LOADING]}, "EngineReady", "False", "Loading", ("until 2026-03-01T11:20:00Z",), None),
    ("scaled to zero", {}, "EngineReady", "True", "ScaledToZero", (), NONE_WANTED),
    ("scaled to zero: no node needed", {}, "Scheduled", "True", "ScaledToZero", (), NONE_WANTED),
    ("valid", {}, "Accepted", "True", "Valid", (), None),
    ("applied", results(Outcome.UNCHANGED, Outcome.APPLIED), "Accepted", "True", "Valid", (), None),
    ("waiting for keys", results(Outcome.WAITING), "Accepted", "True", "Valid", (), None),
    ("queued", results(Outcome.QUEUED), "Accepted", "True", "Valid", (), None),
    ("name taken", {"results": (TAKEN,)}, "Accepted", "False", "NameTaken", ("Service m-engine", "left alone"), None),
    ("two names taken", {"results": (TAKEN, Result("Deployment m-vln", Outcome.TAKEN))},
     "Accepted", "False", "NameTaken", ("Deployment m-vln, Service m-engine",), None),
    ("name taken, and worse", {"results": (*failed(500, "boom")["results"], TAKEN)},
     "Accepted", "False", "NameTaken", ("Service m-engine:", "also not applied: StatefulSet m-engine"), None),
    ("immutable", failed(422, IMMUTABLE, Outcome.REFUSED, "PersistentVolumeClaim m-cache"),
     "Accepted", "False", "Immutable", ("PersistentVolumeClaim m-cache", IMMUTABLE), None),
    ("forbidden", failed(403, "exceeded quota", Outcome.REFUSED), "Accepted", "False", "Forbidden", ("quota",), None),
    ("bad part", failed(422, "Required value", Outcome.REFUSED),
     "Accepted", "False", "InvalidSpec", ("StatefulSet m-engine: Required",), None),
    ("webhook is away", failed(500, WEBHOOK),
     "Accepted", "False", "ApplyFailed", ("StatefulSet m-engine", WEBHOOK), None),
    ("too many requests", failed(429, "too many requests"), "Accepted", "False", "ApplyFailed", ("too many",), None),
    ("no answer", failed(0, ""), "Accepted", "False", "ApplyFailed", ("StatefulSet m-engine: no answer",), None),
    ("paused", {}, "Accepted", "True", "Paused", ("spec.paused",), PAUSED),
    ("paused, differs", results(Outcome.PAUSED), "Accepted", "True", "Paused", (), PAUSED),
    ("rolling", {"pods": [ready(revision="old")]}, "UpToDate", "False", "RollingOut", ("0 of 1",), None),
    ("not seen by its controller", {"stateful_set": stateful_set(settled=False)},
     "UpToDate", "False", "RollingOut", (), None),
    ("up to date", {}, "UpToDate", "True", "UpToDate", ("1 of 1",), None),
    ("zero replicas are up to date", {}, "UpToDate", "True", "UpToDate", (), NONE_WANTED),
    ("upgrade queued", results(Outcome.UNCHANGED, Outcome.QUEUED),
     "UpToDate", "False", "UpgradeQueued", ("other models are rolled out first", "Kind m-1"), None),
    ("waits for keys", results(Outcome.WAITING), "UpToDate", "False", "RollingOut", ("keys", "Kind m-0"), None),
    ("paused and different", results(Outcome.UNCHANGED, Outcome.PAUSED),
     "UpToDate", "False", "Paused", ("Kind m-1",), PAUSED),
    ("paused and the same", results(Outcome.UNCHANGED), "UpToDate", "True", "UpToDate", (), PAUSED),
    ("not applied", failed(500, WEBHOOK), "UpToDate", "False", "ApplyFailed", (WEBHOOK,), None),
    ("refused", failed(422, "Required value", Outcome.REFUSED),
     "UpToDate", "False", "ApplyFailed", ("Required",), None),
    ("zero replicas, not applied", failed(500, "boom"), "UpToDate", "False", "ApplyFailed", ("boom",), NONE_WANTED),
    ("no endpoint", {"slices": endpoints(False)}, "Exposed", "False", "NoEndpoints", ("no replica",), None),
    ("no slice", {"slices": []}, "Exposed", "False", "NoEndpoints", ("no replica",), None),
    ("unknown readiness counts", {"slices": endpoints(None)}, "Exposed", "True", "Routed", ("1 endpoints",), None),
    ("zero replicas are known to the gateway", {"slices": []}, "Exposed", "True", "ScaledToZero", (), NONE_WANTED),
    ("name", {"name_owner": "other/older"}, "Exposed", "False", "NameCollision",
     ("'m'", "other/older", "spec.servedName"), None),
    ("a namespace is not read yet", {"unlisted": ("c", "b")},
     "Exposed", "Unknown", "NamespaceUnread", ("b, c", "'m'"), None),
    ("a name that it has is not taken from it",
     {"unlisted": ("b",), "slices": endpoints(True, **{names.SERVED_NAME: "m"})},
     "Exposed", "True", "Routed", (), None),
    ("its Service keeps an old name", failed(500, WEBHOOK, title="Service m-engine"),
     "Exposed", "False", "NoEndpoints", ("'m'", "Service m-engine"), None),
    ("its Service differs, but not in the name",
     failed(500, WEBHOOK, title="Service m-engine") | {"slices": endpoints(True, **{names.SERVED_NAME: "m"})},
     "Exposed", "True", "Routed", (), None),
    ("one of them serves", {"slices": endpoints(True, False)}, "Available", "True", "Routed", ("1 endpoints",), None),
    ("none serves", {"slices": endpoints(False)}, "Available", "False", "NoEndpoints", ("no replica",), None),
    ("serves nobody: name", {"name_owner": "older"}, "Available", "False", "NameCollision", ("older",), None),
    ("serves nobody yet", {"unlisted": ("b",)}, "Available", "False", "NamespaceUnread", ("not read yet: b",), None),
    ("nothing to serve", {}, "Available", "False", "ScaledToZero", (), NONE_WANTED),
)  # fmt: skip


def look(seen: Object, previous: Object | None = None, spec: Object | None = None, now: str = samples.NOW) -> Object:
    return status(
        samples.model(spec), Observed(**seen), gateway_url="http://gateway/v1", previous=previous or {}, now=now
    )


def one(found: Object, kind: str) -> Object:
    return next(condition for condition in found["conditions"] if condition["type"] == kind)


def kinds(found: Object) -> list[tuple[str, str]]:
    return [(item["type"], item["status"]) for item in found["conditions"]]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_every_cause_has_its_reason(row: Any) -> None:
    _, seen, kind, truth, reason, words, spec = row
    found = one(look(RUNNING | seen, spec=spec), kind)
    assert (found["status"], found["reason"]) == (truth, reason)
    for word in words:
        assert word in found["message"]


def test_the_table_has_every_reason_that_no_pod_gives() -> None:
    listed = {(kind, reason) for _, _, kind, _, reason, _, _ in TABLE}
    for kind in ("Accepted", "UpToDate", "Exposed", "Available"):
        assert {reason for found, reason in listed if found == kind} == set(REASONS[kind])
    assert {("Scheduled", "PodRejected"), ("EngineReady", "NotScheduled")} <= listed


def test_all_is_well() -> None:
    found = look(RUNNING)
    assert kinds(found) == [(kind, "True") for kind in (*ORDER, "Ready") if kind != "NavigationReady"]
    assert found["replicas"] == {"desired": 1, "current": 1, "ready": 1, "updated": 1, "summary": "1/1"}
    assert found["endpoint"] == "http://gateway/v1"
    assert "lastFailure" not in found


def test_ready_names_the_most_causal_trouble() -> None:
    found = look({"stateful_set": stateful_set(), "pods": [unscheduled(GPU)], "slices": []})
    ready_condition = one(found, "Ready")
    assert (ready_condition["reason"], ready_condition["message"]) == ("InsufficientGPU", f"pod m-engine-0: {GPU}")
    assert one(found, "EngineReady")["status"] == one(found, "Exposed")["status"] == "False"


def test_what_is_false_comes_before_what_nobody_knows() -> None:
    unknown = one(look(RUNNING | {"unlisted": ("b",)}), "Ready")
    assert (unknown["status"], unknown["reason"]) == ("Unknown", "NamespaceUnread")
    navigation = samples.SIMULATOR | {"navigation": {}}
    false = one(look(RUNNING | {"unlisted": ("b",)}, spec=navigation), "Ready")
    assert (false["status"], false["reason"]) == ("False", "Creating")


def test_two_replicas_of_which_one_restarts_are_available_and_not_ready() -> None:
    seen = RUNNING | {"pods": [ready(), crashed("CUDA out of memory", number=1)], "slices": endpoints(True, False)}
    found = look(seen, spec=samples.SIMULATOR | {"replicas": 2})
    assert (one(found, "Ready")["status"], one(found, "Ready")["reason"]) == ("False", "OutOfGPUMemory")
    assert (one(found, "Available")["status"], one(found, "Available")["reason"]) == ("True", "Routed")
    assert found["replicas"]["summary"] == "1/2"


def test_neither_a_rollout_nor_availability_is_part_of_ready() -> None:
    assert {"UpToDate", "Available"} == NOT_IN_READY
    found = look(RUNNING | {"pods": [ready(revision="old")]} | results(Outcome.QUEUED))
    assert one(found, "Ready")["status"] == "True"
    assert one(found, "UpToDate")["reason"] == "UpgradeQueued"
    assert found["replicas"]["updated"] == 0


def test_an_object_in_the_way_spoils_only_its_own_result() -> None:
    found = look(RUNNING | {"results": (Result("Deployment m-vln", Outcome.TAKEN),)})
    assert [kind for kind, truth in kinds(found) if truth == "False"] == ["Accepted", "Ready"]
    assert one(found, "Ready")["reason"] == "NameTaken"


def test_a_paused_model_serves_and_is_ready() -> None:
    found = look(RUNNING | results(Outcome.PAUSED), spec=PAUSED)
    assert [kind for kind, truth in kinds(found) if truth == "False"] == ["UpToDate"]


def test_a_failed_apply_leaves_no_older_generation_called_valid() -> None:
    first = look(RUNNING)
    found = status(
        samples.model().model_copy(update={"generation": 2}),
        Observed(**RUNNING, **failed(500, WEBHOOK)),
        gateway_url="u",
        previous=first,
        now="2026-03-01T13:00:00Z",
    )
    accepted = one(found, "Accepted")
    assert (accepted["reason"], accepted["observedGeneration"], found["observedGeneration"]) == ("ApplyFailed", 2, 2)
    assert accepted["lastTransitionTime"] == "2026-03-01T13:00:00Z"


def test_a_broken_pass_keeps_what_was_known_and_says_what_broke() -> None:
    body = samples.body(generation=2) | {"status": look(RUNNING)}
    found = failed_pass(body, "the pass took longer than 60 s", now="2026-03-01T13:00:00Z")
    assert [kind for kind, truth in kinds(found) if truth == "False"] == ["Accepted", "UpToDate", "Ready"]
    for kind in ("Accepted", "UpToDate", "Ready"):
        said = one(found, kind)
        assert (said["reason"], said["message"]) == ("ApplyFailed", "the pass took longer than 60 s")
        assert said["observedGeneration"] == found["observedGeneration"] == 2
    assert one(found, "EngineReady") == one(body["status"], "EngineReady")
    assert found["replicas"] == body["status"]["replicas"]
    again = failed_pass(body | {"status": found}, "the pass took longer than 60 s", now="2026-03-01T14:00:00Z")
    assert again == found


def test_a_first_pass_that_breaks_leaves_no_blank() -> None:
    found = failed_pass(samples.body(), "KeyError: 'x'", now=samples.NOW)
    assert kinds(found) == [("Accepted", "False"), ("UpToDate", "False"), ("Ready", "False")]


def test_a_spec_that_does_not_parse_keeps_the_fields_and_says_which_field() -> None:
    body = samples.body(generation=3) | {"status": look(RUNNING)}
    found = invalid(body, "spec.replicas: Input should be a valid integer", now=samples.NOW)
    assert kinds(found) == [("Accepted", "False"), ("Ready", "False")]
    assert one(found, "Ready")["reason"] == "InvalidSpec"
    assert "spec.replicas" in one(found, "Ready")["message"]
    assert (found["observedGeneration"], found["servedName"]) == (3, "m")


def test_a_pod_that_ends_is_not_ready_any_more() -> None:
    found = look(RUNNING | {"pods": [deleted(ready())]})
    assert found["replicas"]["ready"] == 0
    assert one(found, "Ready")["status"] == "False"


def test_zero_replicas_are_ready() -> None:
    found = look({"stateful_set": stateful_set(replicas=0)}, spec=NONE_WANTED)
    ready_condition = one(found, "Ready")
    assert (ready_condition["status"], ready_condition["reason"]) == ("True", "ScaledToZero")
    assert found["replicas"]["summary"] == "0/0"


def test_the_worst_pod_speaks() -> None:
    loading = LOADING | {"metadata": LOADING["metadata"] | {"name": "m-engine-1"}}
    seen = RUNNING | {"pods": [ready(), loading, crashed(number=2)]}
    engine = one(look(seen, spec=samples.SIMULATOR | {"replicas": 3}), "EngineReady")
    assert (engine["reason"], "m-engine-2" in engine["message"]) == ("CrashLoop", True)


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


def test_long_messages_are_cut() -> None:
    found = one(look({"pods": [unscheduled(GPU + "x" * 5000)]}), "Scheduled")
    assert len(found["message"]) < 700
    assert found["reason"] == "InsufficientGPU"


def test_no_secret_stands_in_a_status_even_where_a_message_is_cut() -> None:
    key = "k3y-0f-th3-eng1ne-0123456789"
    long = "x" * 580 + key
    seen = {
        "pods": [crashed(f"serving with {key}\nRuntimeError: --api-key another {key}")],
        "results": (Result("StatefulSet m-engine", Outcome.FAILED, 500, long),),
        "secrets": (key,),
    }
    found = repr(look(RUNNING | seen))
    assert not any(part in found for part in (key, key[:8], "another"))
    assert "*** ***" not in found
    assert "RuntimeError" in found
    assert key not in repr(failed_pass(samples.body(), f"Authorization: Bearer {key}", now=samples.NOW))
