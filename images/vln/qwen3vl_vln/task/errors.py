"""Why a request about a task is refused: one tree, each with a word for programs."""

from typing import Any


class TaskError(Exception):
    """A request about a task cannot be granted.

    Attributes:
        code: a word for programs.
    """

    code = "task_error"


class UnknownTaskError(TaskError):
    """There is no such task, or it is forgotten."""

    code = "unknown_task"


class RobotBusyError(TaskError):
    """The robot has another unfinished task."""

    code = "robot_busy"


class TooManyTasksError(TaskError):
    """This process takes no more unfinished tasks."""

    code = "too_many_tasks"


class NotRecordingError(TaskError):
    """This process has no folder for recordings."""

    code = "recording_off"


class OwnedError(TaskError):
    """The task belongs to a Kubernetes object, which is where it is changed."""

    code = "owned_by_navtask"


class RobotChangedError(TaskError):
    """The task is of another robot by now, or never was of the one that is named."""

    code = "robot_changed"


class StaleGenerationError(TaskError):
    """A newer generation of the task's object was asserted before."""

    code = "stale_generation"


class FinishedError(TaskError):
    """The task has ended; `record` says how."""

    code = "finished"

    def __init__(self, message: str, record: dict[str, Any]) -> None:
        super().__init__(message)
        self.record = record


class TooManyWaitersError(TaskError):
    """As many requests as may wait for this task do already."""

    code = "too_many_waiters"


class SyncTimeoutError(TaskError):
    """The model has not answered while a request waited for it."""

    code = "model_timeout"


class ModelLostError(TaskError):
    """The task ended while a request waited, because its model was lost."""

    code = "model_lost"


class EndedError(TaskError):
    """The task ended while a request waited."""

    code = "ended"
