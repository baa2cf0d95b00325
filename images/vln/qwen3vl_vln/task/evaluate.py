"""In which state a task is, and why: the first of these that is true. Pure."""

from dataclasses import dataclass

from qwen3vl_common.navigation.states import ENDINGS, Reason, State, Verdict
from qwen3vl_vln.task.calls import SLOW_SECONDS, Calls
from qwen3vl_vln.task.camera_monitor import ASIDE_SECONDS, CameraMonitor
from qwen3vl_vln.task.delays import OLDEST_SECONDS
from qwen3vl_vln.task.plan_execution import Ended
from qwen3vl_vln.task.stuck import TRIES, StuckDetector

FAILURES_FOR_ERROR = 3
FORBIDDING = (Reason.BLOCKED, Reason.EMERGENCY_STOP, Reason.BAD_ODOMETRY, Reason.FRAME_OLD)
"""What a frame itself says and what holds the robot; other flags only make the frame a stale one."""
IDLE = (Reason.PLAN_CONSUMED, Reason.PLAN_EXPIRED, Reason.BLIND_LIMIT, Reason.RESTARTED)
"""The plan before is over for no fault of the model's: where the model is the cause that none follows, that is said."""
TOLD_BY_NOTE = (Reason.FRAME_OLD, Reason.FRAME_DELAYED, Reason.PICTURE_CLOCK)
BY_ODOMETRY = (Reason.ODOMETRY_JUMP, Reason.ODOMETRY_MIRRORED, Reason.ODOMETRY_AXES, Reason.NOT_MOVING)
TOLD_BY_MESSAGE = (Reason.INVALID_RESULT, Reason.HOLD_RESULT, Reason.STOP_RESULT, Reason.GOAL_CANDIDATE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a task's state follows from. Times in seconds on a monotonic clock.

    Attributes:
        flag: what is wrong with the newest frame.
        plan_from: when the image of the plan that is being driven was taken; None without one.
        hopeless: the model is so slow that no plan of it can be driven.
        left: what the plan before left behind, or why there is none.
    """

    verdict: Verdict | None
    worker_silent: bool
    camera_monitor: CameraMonitor
    calls: Calls
    paused: bool
    flag: Reason | None
    plan_from: float | None
    left: Ended | None
    hopeless: bool = False


def evaluate(facts: Facts, now: float, *, waited: bool = False) -> tuple[State, Reason]:
    """State and reason at this moment.

    Args:
        waited: the client has waited for this very plan, so that its image may be the newest for long.
    """
    if facts.verdict is not None:
        return ENDINGS[facts.verdict]
    if facts.worker_silent:
        return State.ERROR, Reason.WORKER_SILENT
    if facts.camera_monitor.fault is not None:
        return State.ERROR, facts.camera_monitor.fault
    if facts.calls.context_too_small:
        return State.ERROR, Reason.CONTEXT_TOO_SMALL
    if facts.calls.failures >= FAILURES_FOR_ERROR:
        return State.ERROR, Reason.MODEL_FAILED
    if facts.paused:
        return State.HOLD, Reason.PAUSED
    if facts.flag is not None:
        return State.HOLD if facts.flag in FORBIDDING else State.STALE, facts.flag
    slow = facts.calls.slow(now)
    if facts.plan_from is not None:
        newest = waited and facts.camera_monitor.newest_taken_at == facts.plan_from
        if facts.camera_monitor.no_image(now) and not newest:
            return State.STALE, Reason.PICTURE_TOO_OLD if facts.camera_monitor.too_old else Reason.NO_IMAGE
        return State.MOVING, Reason.MODEL_SLOW if slow else Reason.FOLLOWING_PLAN
    troubled = slow or facts.calls.failures > 0
    trouble = Reason.MODEL_SLOW if slow else Reason.MODEL_FAILED
    if facts.hopeless and not facts.calls.failures:
        troubled, trouble = True, Reason.PLAN_TOO_OLD
    if facts.left is not None:
        reason = facts.left.reason
        return facts.left.state, trouble if reason in IDLE and troubled else reason
    if trouble is Reason.PLAN_TOO_OLD:
        return State.WAITING, trouble
    if facts.camera_monitor.newest_at is None:
        return State.WAITING, Reason.WAITING_FOR_FRAME
    return State.WAITING, trouble if troubled else Reason.WAITING_FOR_MODEL


def explained(
    state: State,
    reason: Reason,
    *,
    message: str,
    model_error: str | None,
    stuck: StuckDetector,
    odometry: str,
    pace: str,
    note: str = "",
    age: float = 0.0,
) -> str:
    """One sentence for people, where there is more to say than the reason.

    Args:
        message: of the task.
        model_error: what its newest failed call said.
        stuck: what it found.
        odometry: what speaks against it.
        pace: how slow its model is.
        note: what was last found about a frame's time.
        age: seconds of the newest image that was too old.
    """
    if reason is Reason.PICTURE_TOO_OLD:
        return f"the newest picture was {age:.2f} s old when it was sent; at most {OLDEST_SECONDS:g} s is looked at"
    if reason in TOLD_BY_NOTE:
        return note
    if state in (State.STOPPED, State.GOAL) or reason in TOLD_BY_MESSAGE:
        return message
    if reason is Reason.MODEL_FAILED:
        return f"the model fails: {model_error}"
    if reason is Reason.CONTEXT_TOO_SMALL:
        return model_error or ""
    if reason is Reason.MODEL_SLOW:
        return f"the model has not answered for more than {SLOW_SECONDS:g} s"
    if reason is Reason.COSTLY_PICTURE:
        return (
            f"a picture took too long to decode; none is taken for {ASIDE_SECONDS:g} s: send smaller or baseline JPEGs"
        )
    if reason is Reason.STUCK:
        return stuck.why if stuck.tries < TRIES else f"{stuck.why}; it waits for another instruction"
    if reason is Reason.PLAN_TOO_OLD:
        return pace
    if reason in BY_ODOMETRY:
        return odometry
    return ""
