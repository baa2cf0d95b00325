"""An engine's 4xx in OpenAI's shape, whichever of the four shapes in use it came in. Pure."""

from typing import Any

import orjson

from qwen3vl_common.errors import ApiError

MESSAGE_CHARACTERS = 2_000
RETRY_AFTER_SECONDS = 5
"""Where an engine's 429 does not say when."""
LONGEST_RETRY_AFTER_SECONDS = 3_600


class EngineRefused(ApiError):
    """The engine found the request wrong: its own status and words."""

    type, code = "invalid_request_error", "engine_refused"


def is_refusal(status: int) -> bool:
    """Whether a status says that the request is wrong. 401 and 403 say that our key is."""
    return 400 <= status < 500 and status not in (401, 403)


def retry_after_seconds(value: bytes) -> int | None:
    """What a Retry-After header says; None where it says no number of seconds."""
    return min(int(value), LONGEST_RETRY_AFTER_SECONDS) if value.isdigit() and len(value) < 10 else None


def refusal(status: int, content: bytes, retry_after: bytes = b"") -> EngineRefused:
    """The error for a client.

    Args:
        status: the engine's, one that `is_refusal`.
        content: its body: {"error": {…}}, {"error": "…"}, {"message": …}, FastAPI's {"detail": …}, or anything else.
        retry_after: its header of that name, which counts for 429.
    """
    error = _fields(content)
    message, kind, param, code = (error.get(name) for name in ("message", "type", "param", "code"))
    text = message if isinstance(message, str) and message else f"the engine refused the request with status {status}"
    result = EngineRefused(
        text[:MESSAGE_CHARACTERS],
        param=param if isinstance(param, str) else None,
        code=code if isinstance(code, str) and code else None,
    )
    result.status = status
    if status == 429:
        result.retry_after_seconds = retry_after_seconds(retry_after) or RETRY_AFTER_SECONDS
    if isinstance(kind, str) and kind:
        result.type = kind
    return result


def _fields(content: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else None
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    detail = error.get("detail")
    if "message" in error or detail is None:
        return error
    if isinstance(detail, list):
        found = [item for item in detail if isinstance(item, dict) and isinstance(item.get("msg"), str)]
        return {"message": "; ".join(f"{_place(item.get('loc'))}{item['msg']}" for item in found)}
    return {"message": detail}


def _place(location: object) -> str:
    pieces = [str(piece) for piece in location if piece != "body"] if isinstance(location, list) else []
    return f"{'.'.join(pieces)}: " if pieces else ""
