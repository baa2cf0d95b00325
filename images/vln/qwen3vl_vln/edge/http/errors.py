"""What a client is told when its request fails: OpenAI's shape, and beside it the `detail` that older clients read."""

from typing import Any

from qwen3vl_common.errors import ApiError, InvalidKey, InvalidRequest
from qwen3vl_vln.edge.http.tickets import TooManyTicketsError
from qwen3vl_vln.edge.identity import NoKeyError, NoRightError
from qwen3vl_vln.edge.own_robots import NoRobotNamedError, RobotNotOfKeyError
from qwen3vl_vln.edge.views import EndedUnseenError, NoPictureError, TooManyViewersError
from qwen3vl_vln.task.errors import (
    FinishedError,
    ModelLostError,
    SyncTimeoutError,
    TaskError,
    TooManyTasksError,
    TooManyWaitersError,
    UnknownTaskError,
)
from qwen3vl_vln.task.lease import LeaseBusyError
from qwen3vl_vln.unused import NoUnusedIdError


class UnknownTask(ApiError):
    status, type, code = 404, "invalid_request_error", "unknown_task"


class Conflict(ApiError):
    status, type, code = 409, "invalid_request_error", "conflict"


class Forbidden(ApiError):
    status, type, code = 403, "invalid_request_error", "no_right"


class Unavailable(ApiError):
    status, type, code, retry_after_seconds = 503, "server_error", "model_lost", 10


class TimedOut(ApiError):
    status, type, code = 504, "server_error", "model_timeout"


class TooMany(ApiError):
    status, type, code, retry_after_seconds = 429, "server_error", "too_many_tasks", 10


def api_error(error: Exception) -> ApiError | None:
    """The answer for a refusal; None for what is no refusal."""
    text = str(error)
    if isinstance(error, ApiError):
        return error
    if isinstance(error, NoKeyError):
        return InvalidKey(text)
    if isinstance(error, NoRightError):
        return Forbidden(text)
    if isinstance(error, RobotNotOfKeyError):
        return Forbidden(text, code="robot_not_of_key")
    if isinstance(error, NoRobotNamedError):
        return InvalidRequest(text, param="config.robot")
    if isinstance(error, UnknownTaskError):
        return UnknownTask(text)
    if isinstance(error, LeaseBusyError):
        return Conflict(text, code="lease_busy")
    if isinstance(error, TooManyTasksError | TooManyWaitersError):
        return TooMany(text, code=error.code)
    if isinstance(error, TooManyViewersError):
        return TooMany(text, code="too_many_viewers")
    if isinstance(error, TooManyTicketsError):
        return TooMany(text, code="too_many_tickets")
    if isinstance(error, NoPictureError):
        return Unavailable(text, code="no_picture")
    if isinstance(error, EndedUnseenError):
        return UnknownTask(text, code="ended")
    if isinstance(error, NoUnusedIdError):
        return Unavailable(text, code="no_unused_id")
    if isinstance(error, ModelLostError):
        return Unavailable(text)
    if isinstance(error, SyncTimeoutError):
        return TimedOut(text)
    if isinstance(error, TaskError):
        return Conflict(text, code=error.code)
    return None


def error_body(error: ApiError, cause: Exception) -> dict[str, Any]:
    """The body of such an answer."""
    body = error.body() | {"detail": str(error)}
    return body | {"task": cause.record} if isinstance(cause, FinishedError) else body
