"""What a client did wrong, as values: not in `app`, so that pure modules raise them without knowing HTTP."""


class ApiError(Exception):
    """An answer in OpenAI's error shape instead of a completion.

    `param` names the field of the request at fault; `code` is the machine-readable reason.
    """

    status = 400
    kind = "invalid_request_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code

    def body(self) -> dict[str, object]:
        """The JSON body: `{"error": {message, type, param, code}}`."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


class BadRequestError(ApiError):
    """400: the request cannot be understood or cannot be answered as asked."""


class WrongKeyError(ApiError):
    """401: no key, or not this engine's."""

    status = 401
    kind = "authentication_error"


class NotFoundError(ApiError):
    """404: another model's name, or a path that is not served."""

    status = 404


class NotAllowedError(ApiError):
    """405: the path is served, but not by this method."""

    status = 405


class TooLargeError(ApiError):
    """413: more bytes than the engine reads."""

    status = 413


class InjectedError(ApiError):
    """500: asked for by `POST /simulator/faults`."""

    status = 500
    kind = "server_error"


class StoppingError(ApiError):
    """503: the engine is shutting down."""

    status = 503
    kind = "server_error"
