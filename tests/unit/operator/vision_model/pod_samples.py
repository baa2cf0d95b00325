"""Pods, their events and what belongs to them, as the kubelet, the scheduler and the controllers leave them."""

import copy
from typing import Any

from qwen3vl_operator.vision_model.observed import Note

Object = dict[str, Any]
UNTIL = "2026-03-01T11:00:00Z"
SINCE = "2026-03-01T10:50:00Z"


def pod(
    number: int = 0, *, node: str | None = "node-a", revision: str = "new", claims: Any = (), **more: Any
) -> Object:
    """A pod of the engine; `more` is its status."""
    container = {
        "name": "engine",
        "image": "registry.example/engine:1",
        "startupProbe": {"periodSeconds": 10, "failureThreshold": 180},
    }
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims]
    spec: Object = {"containers": [container], "volumes": volumes} | ({"nodeName": node} if node else {})
    labels = {"controller-revision-hash": revision}
    metadata = {"name": f"m-engine-{number}", "labels": labels, "creationTimestamp": "2026-03-01T10:45:00Z"}
    return {"metadata": metadata, "spec": spec, "status": more}


def vln_pod(**more: Any) -> Object:
    """The VLN API's pod; its containers are named as `container()` does, and are given the VLN API's name here."""
    probe = {"periodSeconds": 1, "failureThreshold": 120}
    spec = {"containers": [{"name": "vln", "startupProbe": probe}], "nodeName": "node-a"}
    return of_vln({"metadata": {"name": "m-vln-x", "labels": {}}, "spec": spec, "status": more})


def of_vln(thing: Object) -> Object:
    """The same pod as one of the VLN API's: what holds the engine holds the VLN API."""
    thing = copy.deepcopy(thing)
    for part in (*thing["spec"]["containers"], *thing["status"].get("containerStatuses", ())):
        part["name"] = "vln"
    return thing


def conditions(**status_of: str) -> list[Object]:
    return [{"type": kind, "status": value, "lastTransitionTime": SINCE} for kind, value in status_of.items()]


def container(state: Object, *, ready: bool = False, last: Object | None = None, **more: Any) -> list[Object]:
    known = {"name": "engine", "image": "registry.example/engine:1", "ready": ready, "started": ready, "state": state}
    return [known | ({"lastState": last} if last else {}) | more]


def ready(number: int = 0, **more: Any) -> Object:
    return pod(
        number, conditions=conditions(Ready="True"), containerStatuses=container({"running": {}}, ready=True), **more
    )


def unscheduled(message: str, **more: Any) -> Object:
    failed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(node=None, conditions=[failed | {"lastTransitionTime": SINCE}], **more)


def stateful_set(*, settled: bool = True, **more: Any) -> Object:
    template = {"spec": {"containers": [{"name": "engine", "image": "registry.example/engine:1"}]}}
    seen = {"observedGeneration": 2 if settled else 1, "updateRevision": "new", "replicas": 1} | more
    metadata = {"name": "m-engine", "generation": 2, "uid": "u", "creationTimestamp": "2026-03-01T10:00:00Z"}
    return {"metadata": metadata, "spec": {"replicas": 1, "template": template}, "status": seen}


def endpoints(*flags: bool | None, **labels: str) -> list[Object]:
    listed = [{"addresses": [f"10.0.0.{n}"], "conditions": {"ready": flag}} for n, flag in enumerate(flags)]
    return [{"metadata": {"labels": labels}, "endpoints": listed}]


def terminated(
    reason: str, code: int, *, started: str = "2026-03-01T10:00:00Z", finished: str = UNTIL, message: str = ""
) -> Object:
    ended = {"reason": reason, "exitCode": code, "startedAt": started, "finishedAt": finished}
    return {"terminated": ended | ({"message": message} if message else {})}


def waiting(reason: str, message: str = "", **more: Any) -> Object:
    state = {"reason": reason} | ({"message": message} if message else {})
    return pod(containerStatuses=container({"waiting": state}, **more))


def crashed(message: str = "", *, number: int = 0, reason: str = "Error", code: int = 1) -> Object:
    """A pod whose engine ended with that termination message, and waits for its next start."""
    last = terminated(reason, code, message=message)
    return pod(number, containerStatuses=container(BACK_OFF, last=last, restartCount=4))


def with_init(init: Object, **more: Any) -> Object:
    """A pod with the init container `preflight` in that state, and the engine not yet made."""
    status = [{"name": "preflight", "image": "i", "ready": False, "state": init} | more]
    return pod(containerStatuses=container({"waiting": {"reason": "PodInitializing"}}), initContainerStatuses=status)


def deleted(thing: Object) -> Object:
    thing = copy.deepcopy(thing)
    thing["metadata"]["deletionTimestamp"] = UNTIL
    return thing


def with_condition(thing: Object, kind: str, status: str, reason: str = "", message: str = "") -> Object:
    """The pod with that condition beside or instead of its own."""
    thing = copy.deepcopy(thing)
    kept = [one for one in thing["status"].get("conditions", []) if one["type"] != kind]
    said = {"type": kind, "status": status, "lastTransitionTime": SINCE}
    said |= {name: words for name, words in (("reason", reason), ("message", message)) if words}
    thing["status"]["conditions"] = [*kept, said]
    return thing


def notes(*pairs: tuple[str, str], start: str = "2026-03-01T10:5{}:00Z") -> tuple[Note, ...]:
    """Events, oldest first, a minute apart: (reason, message)."""
    return tuple(Note(reason, message, start.format(number)) for number, (reason, message) in enumerate(pairs))


BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container=engine"}}
GATE = 'the status of pod readiness gate "example.com/balanced" is not "True", but False'
MARKED = pod(conditions=conditions(Ready="False"), containerStatuses=container({"running": {}}, ready=True))
"""As the node controller leaves a pod whose node does not answer: Ready is False, and the kubelet says nothing."""
BY_TAINT = ("DisruptionTarget", "True", "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
LOST = deleted(with_condition(MARKED, *BY_TAINT))
LOADING = pod(containerStatuses=container({"running": {"startedAt": SINCE}}))
RUNNING: Object = {"stateful_set": stateful_set(), "pods": [ready()], "slices": endpoints(True)}
