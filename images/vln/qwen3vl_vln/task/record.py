"""The record of a task, as the operator and other readers get it."""

from typing import Any

from qwen3vl_common.navigation.states import old_status
from qwen3vl_vln.task.ceilings import clamped
from qwen3vl_vln.task.task import Task


def record(task: Task, now: float) -> dict[str, Any]:
    """Everything that is known about a task at `now` (seconds on the monotonic clock)."""
    state, reason = task.state(now)
    settings, counts = task.settings, task.counts
    owner = task.owner
    waypoints = task.execution.rest()
    return {
        "task_id": task.task_id,
        "instruction": settings.instruction,
        "status": old_status(task.phase, task.verdict),
        "frame_count": counts.frames,
        "created_at": task.created_at,
        "current_environment": task.environment,
        "current_action": task.action,
        "current_waypoints": [{"dx": p.dx, "dy": p.dy, "dtheta": p.dtheta} for p in waypoints],
        "progress": task.progress,
        "error_message": task.calls.last_error if task.calls.failures else None,
        "robot": settings.robot,
        "owner": None if owner is None else {name: getattr(owner, name) for name in owner.__slots__},
        "phase": task.phase.value,
        "verdict": None if task.verdict is None else task.verdict.value,
        "state": state.value,
        "reason": reason.value,
        "message": task.explain(state, reason),
        "untimed": task.untimed,
        "link": None if task.link is None else task.link.as_json(),
        "warnings": list(task.warnings.values()),
        "steps": {"done": task.steps, "limit": settings.limits.max_steps},
        "limits": settings.limits.as_json(),
        "clamped_limits": clamped(settings),
        "elapsed_seconds": round(elapsed_seconds(task, now), 1),
        "action": task.action,
        "environment": task.environment,
        "last_step": task.last_step,
        "latency": _latency(sorted(task.calls.seconds)),
        "deadline_misses": counts.deadline_misses,
        "frames": {"received": counts.frames, "analysed": counts.analysed, "dropped": counts.dropped},
        "model_errors": {"count": counts.model_errors, "last": task.calls.last_error},
        "recording": {"enabled": settings.recording.enabled, "error": task.recording_error},
        "finished_at": task.finished_at,
    }


def elapsed_seconds(task: Task, now: float) -> float:
    """Seconds from the first frame to now or to the end, pauses included."""
    if task.started is None:
        return 0.0
    return max(0.0, (task.ended if task.ended is not None else now) - task.started)


def _latency(seconds: list[float]) -> dict[str, int] | None:
    if not seconds:
        return None
    shares = {"p50_ms": 0.5, "p95_ms": 0.95, "max_ms": 1.0}
    last = len(seconds) - 1
    return {name: round(1000 * seconds[min(last, int(share * len(seconds)))]) for name, share in shares.items()}
