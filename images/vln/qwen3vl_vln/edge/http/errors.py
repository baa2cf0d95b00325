"""What a client is told when its request fails: OpenAI's shape, and beside it the `detail` that older clients read."""

from typing import Any

from starlette.exceptions import HTTPException

from qwen3vl_common.errors import ApiError, InvalidRequest, MethodNotAllowed, PathNotFound


def error_body(error: ApiError) -> dict[str, Any]:
    """The body of such an answer."""
    return error.body() | {"detail": str(error)}


def not_routed(error: Exception) -> ApiError:
    """What the framework found wrong before any route of ours had the request."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == PathNotFound.status:
        return PathNotFound("no such path; see /docs")
    if status == MethodNotAllowed.status:
        return MethodNotAllowed("the path takes another method")
    return InvalidRequest("the request is not understood")
