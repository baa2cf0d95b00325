"""The answer to a frame: what older clients read, and beside it how old and how sure the plan is."""

from typing import Any

from qwen3vl_common.navigation.states import State
from qwen3vl_vln.motion.dead_reckoning import HOLD_SECONDS
from qwen3vl_vln.task.delays import unix_seconds
from qwen3vl_vln.task.task import Task
from qwen3vl_vln.waypoint import Waypoint

Answer = dict[str, Any]


def answer(task: Task, now: float, wall: float, *, sequence: int | None = None, waited: bool = False) -> Answer:
    """The answer that goes out now, with velocities counted as commanded.

    Args:
        now, wall: seconds on the monotonic clock, and Unix time.
        sequence: the number of the frame that it belongs to.
        waited: the client has waited for the model and sent no image meanwhile.
    """
    state, reason, v, w = task.velocities(now, wall, waited=waited)
    follower = task.follower
    body: Answer = {
        "task_id": task.task_id,
        "frame_id": task.counts.frames,
        "waypoints": [],
        "environment": task.environment,
        "action": "stop",
        "linear_vel": v,
        "angular_vel": w,
        "progress": task.progress,
        "reached_goal": state is State.GOAL,
        "visualized_frame": None,
        "inference_time": 0.0,
        "seq": sequence,
        "plan_id": None,
        "captured_at": None,
        "age_ms": None,
        "valid_ms": 0,
        "valid_until": None,
        "state": state.value,
        "reason": reason.value,
        "lease_epoch": task.lease_epoch,
        "untimed": task.untimed,
        "link": None if task.link is None else task.link.as_json(),
        "message": task.explain(state, reason),
    }
    if follower is None:
        return body
    age = now - follower.started_at
    body["waypoints"] = [_waypoint(point) for point in task.execution.rest()]
    body["action"] = task.action if state is State.MOVING else "stop"
    body["inference_time"] = follower.model_seconds
    body["plan_id"] = follower.plan_id
    body["age_ms"] = round(age * 1000)
    body["valid_ms"] = max(0, int(1000 * min(HOLD_SECONDS, follower.validity_seconds - age)))
    if follower.captured is not None:
        body["captured_at"] = follower.captured
        body["valid_until"] = follower.captured + follower.validity_seconds * _per_second(follower.captured)
    return body


def _per_second(stamp: float) -> float:
    """Units of a client's time stamp in a second: those that are milliseconds since 1970 are told by their size."""
    return 1.0 if unix_seconds(stamp) in (stamp, None) else 1000.0


def _waypoint(point: Waypoint) -> dict[str, float]:
    # The older protocol has a confidence; a plan here is either sure enough to drive or not sent at all.
    return {"dx": round(point.dx, 4), "dy": round(point.dy, 4), "dtheta": round(point.dtheta, 4), "confidence": 1.0}
