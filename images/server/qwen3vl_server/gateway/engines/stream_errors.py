"""What a stream's events say of how it ends: an error of the engine's own, or that it is done. Pure."""

import re
from typing import Any

import orjson

from qwen3vl_common.errors import ApiError, EngineFailed
from qwen3vl_server.gateway.engines.refusal import is_refusal, refusal

MARK = b"error"
"""No event without it is an error."""
DONE_ENGINES = frozenset({"lmdeploy", "vllm", "sglang", "simulator"})
"""Engines whose streams end in `data: [DONE]`: without it the stream was cut. Of others nothing is known, and
`transformers serve` sends none."""
_END = re.compile(rb"\n\r?\n")
_DONE = re.compile(rb"(?:^|\n)data: ?\[DONE\]\r?(?:\n|$)")


def is_done(events: bytes) -> bool:
    """Whether `data: [DONE]` is among events."""
    return b"[DONE]" in events and _DONE.search(events) is not None


def first_error(events: bytes) -> tuple[int, ApiError] | None:
    """The first error among whole events: where its event begins, and what the client is told.

    Engines send `data: {"error": {…}}`, some with `event: error` before it. The words are kept only where the engine
    calls it the request's fault (4xx).
    """
    if MARK not in events:
        return None
    begin = 0
    while begin < len(events):
        found = _END.search(events, begin)
        end = found.end() if found else len(events)
        if MARK in (event := events[begin:end]) and (error := _error(event)) is not None:
            return begin, error
        begin = end
    return None


def _error(event: bytes) -> ApiError | None:
    name, data = b"", []
    for line in event.splitlines():
        key, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if key == b"event":
            name = value
        elif key == b"data":
            data.append(value)
    content = b"\n".join(data)
    fields = _object(content)
    if name != b"error" and (fields.get("error") is None or "choices" in fields):
        return None
    inner = fields.get("error")
    code = (inner if isinstance(inner, dict) else fields).get("code")
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    if isinstance(code, int) and is_refusal(code):
        return refusal(code, content)
    return EngineFailed("the engine failed in the middle of its answer")


def _object(content: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
