"""Why this API refuses: one tree, below `qwen3vl_common.errors`. Each class has its HTTP status, its code for programs
and, where a WebSocket that is open already may meet it, the code by which that one is closed. Pure.

ApiError
├── InvalidRequest                 400  the request itself is wrong
│   └── NoRobotNamedError               its key is for several robots, and none is named
├── InvalidKey                     401
│   └── NoKeyError                      no key, an unknown one, or a ticket that is not good
├── PathNotFound, MethodNotAllowed, RequestTimedOut, RequestTooLarge, as in `qwen3vl_common.errors`
└── VlnError
    ├── ForbiddenError             403
    │   ├── NoRightError          4403  the key may not do that, or the page may not
    │   └── RobotNotOfKeyError    4403  the key is for other robots
    ├── NotFoundError              404
    │   ├── UnknownTaskError      4004  no such task, or it is forgotten
    │   ├── NoTaskError           4004  the robot has no unfinished task
    │   ├── UnknownRecordingError       no such file
    │   └── EndedUnseenError            the task has ended, and nobody watched it to the end
    ├── ConflictError              409
    │   ├── RobotBusyError              the robot has another unfinished task
    │   ├── NotRecordingError           this process has no folder for recordings
    │   ├── OwnedError                  the task is changed by its Kubernetes object
    │   ├── RobotChangedError     4004  the task is of another robot by now, or never was of the one named
    │   ├── StaleGenerationError        a newer generation of the task's object was asserted before
    │   ├── FinishedError               the task has ended; `record` says how
    │   ├── EndedError                  it ended while a request waited
    │   └── LeaseBusyError        4409  another writer has the task, or another run of the same one
    ├── TooManyError               429
    │   ├── TooManyTasksError, TooManyWaitersError, TooManyViewersError, TooManyTicketsError
    │   └── TooManyFramesError    4429  they come faster than they are taken
    ├── UnavailableError           503
    │   ├── ModelLostError              the task ended while a request waited, because its model was lost
    │   ├── NoImageError                there is nothing to show yet
    │   └── NoUnusedIdError       4429  the source of random numbers does not work
    ├── SyncTimeoutError           504  the model has not answered while a request waited for it
    └── SocketError                     met by open WebSockets alone, so never answered with its status
        ├── UnknownVersionError   4400  the message speaks another version of the protocol, or none
        ├── LeaseLostError        4410  another writer, or another connection of the same one, has the task now
        └── TooManyConnectionsError 4429
"""

from typing import Any

from qwen3vl_common.errors import ApiError, InvalidKey, InvalidRequest
from qwen3vl_common.navigation.refusals import RefusalCode


class NoRobotNamedError(InvalidRequest):
    """A robot must be named: the key is for several."""


class NoKeyError(InvalidKey):
    """No key, or one that nobody has."""


class VlnError(ApiError):
    """A refusal that only this API knows.

    Attributes:
        close_code: by which an open WebSocket ends for it; an internal error where none should meet it.
    """

    close_code = 1011


class ForbiddenError(VlnError):
    """Whoever asks may not."""

    status, type, close_code = 403, "invalid_request_error", 4403


class NoRightError(ForbiddenError):
    """The key may not do that."""

    code = "no_right"


class RobotNotOfKeyError(ForbiddenError):
    """The key is for other robots."""

    code = "robot_not_of_key"


class NotFoundError(VlnError):
    """What was asked for is not there."""

    status, type = 404, "invalid_request_error"


class UnknownTaskError(NotFoundError):
    """There is no such task, or it is forgotten."""

    code, close_code = RefusalCode.UNKNOWN_TASK, 4004


class NoTaskError(NotFoundError):
    """The robot has no unfinished task."""

    code, close_code = "no_task", 4004


class UnknownRecordingError(NotFoundError):
    """The task has no recording of that name."""

    code = "unknown_recording"


class EndedUnseenError(NotFoundError):
    """The task has ended, and nobody watched it to the end."""

    code = "ended"


class ConflictError(VlnError):
    """What is asked does not go with what is."""

    status, type = 409, "invalid_request_error"


class RobotBusyError(ConflictError):
    """The robot has another unfinished task."""

    code = RefusalCode.ROBOT_BUSY


class NotRecordingError(ConflictError):
    """This process has no folder for recordings."""

    code = "recording_off"


class OwnedError(ConflictError):
    """The task belongs to a Kubernetes object, which is where it is changed."""

    code = "owned_by_navtask"


class RobotChangedError(ConflictError):
    """The task is of another robot by now, or never was of the one that is named."""

    code, close_code = "robot_changed", 4004


class StaleGenerationError(ConflictError):
    """A newer generation of the task's object was asserted before."""

    code = RefusalCode.STALE_GENERATION


class FinishedError(ConflictError):
    """The task has ended; `record` says how."""

    code = RefusalCode.FINISHED

    def __init__(self, message: str, record: dict[str, Any]) -> None:
        super().__init__(message)
        self.record = record

    def body(self) -> dict[str, Any]:
        return super().body() | {"task": self.record}


class EndedError(ConflictError):
    """The task ended while a request waited."""

    code = "ended"


class LeaseBusyError(ConflictError):
    """Another writer has the task, or another run or connection of the same one."""

    code, close_code = "lease_busy", 4409


class TooManyError(VlnError):
    """There is room for no more of them."""

    status, type, retry_after_seconds = 429, "server_error", 10


class TooManyTasksError(TooManyError):
    """This process takes no more unfinished tasks."""

    code = "too_many_tasks"


class TooManyWaitersError(TooManyError):
    """As many requests as may wait for this task do already."""

    code = "too_many_waiters"


class TooManyViewersError(TooManyError):
    """More would watch than are served."""

    code = "too_many_viewers"


class TooManyTicketsError(TooManyError):
    """More tickets wait to be used than are kept."""

    code = "too_many_tickets"


class TooManyFramesError(TooManyError):
    """A task's frames come faster than they are taken."""

    type, code, retry_after_seconds = "invalid_request_error", "too_many_frames", 1
    close_code = 4429


class UnavailableError(VlnError):
    """It cannot be done now."""

    status, type, retry_after_seconds = 503, "server_error", 10


class ModelLostError(UnavailableError):
    """The task ended while a request waited, because its model was lost."""

    code = "model_lost"


class NoImageError(UnavailableError):
    """There is nothing to show yet."""

    code = "no_picture"


class NoUnusedIdError(UnavailableError):
    """Everything that was drawn is taken: the source of random numbers does not work."""

    code, close_code = "no_unused_id", 4429


class SyncTimeoutError(VlnError):
    """The model has not answered while a request waited for it."""

    status, type, code = 504, "server_error", "model_timeout"


class SocketError(VlnError):
    """What only a WebSocket that is open already can meet."""

    status, type = 400, "invalid_request_error"


class UnknownVersionError(SocketError):
    """The message speaks another version of the protocol, or none."""

    code, close_code = "unknown_version", 4400


class LeaseLostError(SocketError):
    """Another writer, or another connection of the same one, has the task now."""

    code, close_code = "lease_lost", 4410


class TooManyConnectionsError(SocketError):
    """As many connections as are served are open."""

    code, close_code = "too_many_connections", 4429
