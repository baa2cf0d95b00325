"""The words of answers and records: states, reasons, verdicts and phases. Pure."""

from enum import StrEnum


class State(StrEnum):
    """What a task is doing; `moving` is the only one with a velocity that is not zero."""

    WAITING = "waiting"
    MOVING = "moving"
    HOLD = "hold"
    STALE = "stale"
    ERROR = "error"
    GOAL = "goal"
    STOPPED = "stopped"


class Reason(StrEnum):
    """Why a task is in its state."""

    FOLLOWING_PLAN = "following_plan"
    WAITING_FOR_FRAME = "waiting_for_frame"
    WAITING_FOR_MODEL = "waiting_for_model"
    MODEL_SLOW = "model_slow"
    MODEL_FAILED = "model_failed"
    CONTEXT_TOO_SMALL = "context_too_small"
    WORKER_SILENT = "worker_silent"
    UNUSABLE_FRAME = "unusable_frame"
    CORRUPT_FRAME = "corrupt_frame"
    COVERED_CAMERA = "covered_camera"
    COSTLY_PICTURE = "costly_picture"
    FROZEN_CAMERA = "frozen_camera"
    BAD_ODOMETRY = "bad_odometry"
    ODOMETRY_JUMP = "odometry_jump"
    ODOMETRY_MIRRORED = "odometry_mirrored"
    ODOMETRY_AXES = "odometry_axes"
    NOT_MOVING = "not_moving"
    PAUSED = "paused"
    BLOCKED = "blocked"
    EMERGENCY_STOP = "emergency_stop"
    GOAL_CANDIDATE = "goal_candidate"
    STOP_RESULT = "stop_result"
    HOLD_RESULT = "hold_result"
    INVALID_RESULT = "invalid_result"
    PLAN_CONSUMED = "plan_consumed"
    BLIND_LIMIT = "blind_limit"
    STUCK = "stuck"
    CAMERA_CHANGED = "camera_changed"
    RESTARTED = "restarted"
    LEASE_CHANGED = "lease_changed"
    PLAN_EXPIRED = "plan_expired"
    PLAN_TOO_OLD = "plan_too_old"
    FRAME_DELAYED = "frame_delayed"
    FRAME_OLD = "frame_old"
    PICTURE_TOO_OLD = "picture_too_old"
    PICTURE_CLOCK = "picture_clock"
    OLD_SEQUENCE = "old_sequence"
    NO_IMAGE = "no_image"
    STOP_REQUESTED = "stop_requested"
    GOAL_REACHED = "goal_reached"
    STOPPED_BY_MODEL = "stopped_by_model"
    STEP_LIMIT = "step_limit"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    ROBOT_SILENT = "robot_silent"
    MODEL_LOST = "model_lost"


class Verdict(StrEnum):
    """How a task ended."""

    GOAL_REACHED = "GoalReached"
    STOPPED_BY_MODEL = "StoppedByModel"
    CANCELLED = "Cancelled"
    STEP_LIMIT = "StepLimit"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    ROBOT_SILENT = "RobotSilent"
    MODEL_LOST = "ModelLost"


class Phase(StrEnum):
    """How far a task has come."""

    WAITING_FOR_ROBOT = "WaitingForRobot"
    RUNNING = "Running"
    PAUSED = "Paused"
    FINISHED = "Finished"


ENDINGS: dict[Verdict, tuple[State, Reason]] = {
    Verdict.GOAL_REACHED: (State.GOAL, Reason.GOAL_REACHED),
    Verdict.STOPPED_BY_MODEL: (State.STOPPED, Reason.STOPPED_BY_MODEL),
    Verdict.CANCELLED: (State.STOPPED, Reason.STOP_REQUESTED),
    Verdict.STEP_LIMIT: (State.STOPPED, Reason.STEP_LIMIT),
    Verdict.DEADLINE_EXCEEDED: (State.STOPPED, Reason.DEADLINE_EXCEEDED),
    Verdict.ROBOT_SILENT: (State.STOPPED, Reason.ROBOT_SILENT),
    Verdict.MODEL_LOST: (State.STOPPED, Reason.MODEL_LOST),
}
"""State and reason of a task that ended so."""
COMPLETE = (Verdict.GOAL_REACHED, Verdict.STOPPED_BY_MODEL)
"""Verdicts of a walk that came to where it should; with any other one it did not."""
OLD_STATUSES = ("running", "paused", "completed", "failed")
"""Words of the older protocol for a task."""


def old_status(phase: Phase, verdict: Verdict | None) -> str:
    """The word of the older protocol: there a task runs from its creation, and a stopped one is completed."""
    if verdict in (*COMPLETE, Verdict.CANCELLED):
        return "completed"
    if verdict is not None:
        return "failed"
    return "paused" if phase is Phase.PAUSED else "running"
