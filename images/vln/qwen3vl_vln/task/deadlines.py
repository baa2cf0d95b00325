"""Which tasks are over by the clock. Pure."""

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_common.navigation.states import Verdict
from qwen3vl_vln.task.calls import Calls


def overdue(
    limits: Limits, calls: Calls, now: float, *, started: float, last_frame_at: float | None
) -> tuple[Verdict, str] | None:
    """The verdict on a task that is over by the clock, and a sentence for people; None for one that is not.

    Args:
        now, started, last_frame_at: seconds on a monotonic clock; of the first frame, and of the newest one.
    """
    if now - started >= limits.timeout_seconds:
        return Verdict.DEADLINE_EXCEEDED, f"not done in {limits.timeout_seconds:g} s"
    if last_frame_at is not None and now - last_frame_at >= limits.robot_silent_seconds:
        return Verdict.ROBOT_SILENT, f"no frame for {limits.robot_silent_seconds:g} s"
    if calls.failing_since is not None and now - calls.failing_since >= limits.model_lost_seconds:
        return Verdict.MODEL_LOST, f"the model failed for {limits.model_lost_seconds:g} s: {calls.last_error}"
    return None
