"""NavTasks and records as their APIs have them, for tests."""

from typing import Any

from tests.support.stand_in_vln import new_record
from tests.unit.operator import samples

from qwen3vl_common.navigation.record import Record
from qwen3vl_operator.nav_task.record import assertion
from qwen3vl_operator.nav_task.spec import NavTask, parse_task
from qwen3vl_operator.nav_task.status import Link

Object = dict[str, Any]
UID = "0123abcd-0000-4000-8000-000000000001"
TASK_ID = "walk-0123abcd"
READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": "1 of 1 replicas are ready"}
REACHABLE = Link("Reachable")
WALKING: Object = {
    "phase": "Running",
    "state": "moving",
    "reason": "following_plan",
    "steps": {"done": 12, "limit": 500},
    "elapsed_seconds": 30.04,
    "action": "forward",
    "progress": 0.41,
    "environment": "a corridor",
    "last_step": {"index": 12, "action": "forward", "frame_age_ms": 310, "latency_ms": 280.6, "at": 1_772_366_400.2},
    "latency": {"p50_ms": 270, "p95_ms": 400, "max_ms": 900},
    "link": {"rtt_p50_ms": 24, "rtt_max_ms": 81},
    "frames": {"received": 900, "analysed": 40, "dropped": 3},
    "model_errors": {"count": 1, "last": "no answer within 30 s"},
}


def nav_body(name: str = "walk", *, uid: str = UID, generation: int = 1, **spec: Any) -> Object:
    """A NavTask object."""
    metadata = {
        "name": name,
        "namespace": "robots",
        "uid": uid,
        "generation": generation,
        "creationTimestamp": "2026-03-01T11:00:00Z",
    }
    known = {"modelRef": {"name": "m"}, "robot": "go2-01", "instruction": "Walk to the red door."}
    return {"apiVersion": "qwen3vl.io/v1alpha1", "kind": "NavTask", "metadata": metadata, "spec": known | spec}


def nav_task(**arguments: Any) -> NavTask:
    return parse_task(nav_body(**arguments))


def model_body(**spec: Any) -> Object:
    """A VisionModel with navigation on, ready."""
    body = samples.body("m", samples.SIMULATOR | {"navigation": {}} | spec)
    return body | {"status": {"conditions": [READY]}}


def record(task: NavTask | None = None, **fields: Any) -> Record:
    """A record of the task, changed."""
    task = task or nav_task()
    return Record.model_validate(new_record(task.task_id, assertion(task, None)) | fields)
