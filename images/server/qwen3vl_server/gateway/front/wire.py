"""Bytes of answers. Functions of values."""

import re
from collections.abc import Sequence

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from qwen3vl_common.errors import ApiError

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CLOSE = b"connection: close\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
Headers = Sequence[tuple[bytes, bytes]]
_NOT_IN_A_LINE = re.compile(rb"[\r\n\0]")
_NOT_IN_A_NAME = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]")


def head_of(status: int, headers: Headers, framing: bytes, *, close: bool) -> bytes:
    """Status line and headers of an answer.

    Args:
        framing: complete lines that say how long it is.

    Raises:
        ValueError: a header would begin another line, or has no name.
    """
    lines = [STATUS_LINE[status]]
    for name, value in headers:
        if not name or _NOT_IN_A_NAME.search(name) or _NOT_IN_A_LINE.search(value):
            raise ValueError(f"the header {name[:50]!r} cannot be sent")
        lines += (name, b": ", value, b"\r\n")
    lines.append(framing)
    if close:
        lines.append(CLOSE)
    lines.append(b"\r\n")
    return b"".join(lines)


def length_line(length: int) -> bytes:
    """The line that tells how many bytes follow."""
    return b"content-length: %d\r\n" % length


def chunk(data: bytes | memoryview) -> bytes:
    """One chunk of an answer whose length nobody knows yet."""
    return b"".join((b"%x\r\n" % len(data), data, b"\r\n"))


def error_body(error: ApiError) -> bytes:
    """An error in the documented shape."""
    return orjson.dumps(error.body())


def error_headers(error: ApiError) -> list[tuple[bytes, bytes]]:
    """What is said beside an error's body."""
    found = [(b"content-type", b"application/json")]
    found += [(name.encode(), value.encode("latin-1")) for name, value in error.headers().items()]
    return found


def error_answer(error: ApiError, headers: Headers, *, close: bool, without_body: bool = False) -> bytes:
    """A whole answer in the documented shape.

    Args:
        headers: beside those of the error.
        without_body: the request's method was HEAD.
    """
    body = error_body(error)
    head = head_of(error.status, [*headers, *error_headers(error)], length_line(len(body)), close=close)
    return head if without_body else head + body


def error_event(error: ApiError) -> bytes:
    """The last event of a stream that failed."""
    return b"data: " + error_body(error) + b"\n\n"
