"""What a client is told when its request fails: one small tree, in OpenAI's shape, so that its libraries understand.

ApiError
├── InvalidRequest      400  the request itself is wrong
├── RequestTimedOut     408  its body did not come in time
├── RequestTooLarge     413  it is too long
├── UrlTooLong          414  its URL is
├── UnsupportedMedia    415  its body is of a kind that is not taken
├── HeadTooLarge        431  its headers are too long, or too many
├── ShareFull           429  the client's other requests fill its share of bodies in flight; try again
├── InvalidKey          401  no key, or an unknown one
├── ModelNotFound       404  no such model; the message names those there are
├── PathNotFound        404  no such path
├── MethodNotAllowed    405  the path takes another method
├── InternalError       500  a mistake of ours; the log has it
├── Overloaded          503  the server's bodies in flight, or its connections, are at their limit; try again
├── ModelUnavailable    503  known, but nothing serves it now; try again later
├── EngineFailed        502  the engine answered nonsense, an error of its own, or closed the connection
└── EngineTimeout       504  the engine did not answer in time
"""

from typing import Any


class ApiError(Exception):
    """An answer in OpenAI's error shape.

    Attributes:
        status: HTTP status.
        type, code: words for programs.
        param: the field of the request that is wrong, where one is.
        retry_after_seconds: when trying again may help.
        should_retry: False where it does not, although the status looks like it: OpenAI's libraries obey.
    """

    status = 500
    type = "server_error"
    code: str | None = None
    retry_after_seconds: int | None = None
    should_retry: bool | None = None

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code or self.code

    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return {"error": {"message": str(self), "type": self.type, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """Headers beside the content type."""
        found = {} if self.retry_after_seconds is None else {"retry-after": str(self.retry_after_seconds)}
        if self.should_retry is not None:
            found["x-should-retry"] = "true" if self.should_retry else "false"
        return found


class InvalidRequest(ApiError):
    status, type, code = 400, "invalid_request_error", "invalid_request"


class RequestTimedOut(ApiError):
    status, type, code = 408, "invalid_request_error", "request_timeout"


class RequestTooLarge(ApiError):
    status, type, code = 413, "invalid_request_error", "request_too_large"


class UrlTooLong(ApiError):
    status, type, code = 414, "invalid_request_error", "url_too_long"


class UnsupportedMedia(ApiError):
    status, type, code = 415, "invalid_request_error", "unsupported_media_type"


class HeadTooLarge(ApiError):
    status, type, code = 431, "invalid_request_error", "headers_too_large"


class ShareFull(ApiError):
    status, type, code, retry_after_seconds = 429, "invalid_request_error", "overloaded", 2


class InvalidKey(ApiError):
    status, type, code = 401, "invalid_request_error", "invalid_api_key"

    def headers(self) -> dict[str, str]:
        return {"www-authenticate": "Bearer"}


class ModelNotFound(ApiError):
    status, type, code = 404, "invalid_request_error", "model_not_found"


class PathNotFound(ApiError):
    status, type, code = 404, "invalid_request_error", "unknown_path"


class MethodNotAllowed(ApiError):
    status, type, code = 405, "invalid_request_error", "method_not_allowed"


class InternalError(ApiError):
    status, type, code = 500, "server_error", "internal_error"


class Overloaded(ApiError):
    status, type, code, retry_after_seconds = 503, "server_error", "overloaded", 2


class ModelUnavailable(ApiError):
    status, type, code, retry_after_seconds = 503, "server_error", "model_unavailable", 5


class EngineFailed(ApiError):
    status, type, code, should_retry = 502, "server_error", "engine_error", False


class EngineTimeout(ApiError):
    status, type, code, should_retry = 504, "server_error", "engine_timeout", False
