"""Reading a request's body within bounds of size and time, for ASGI applications that see it before any framework."""

import asyncio

from starlette.types import Receive

from qwen3vl_common.errors import RequestTimedOut, RequestTooLarge

DRAIN_FACTOR = 4
"""How many times the limit is read and thrown away before a client that is still sending is answered."""
DRAIN_SECONDS = 10.0
BODY_SECONDS = 120.0


class ClientGone(Exception):
    """The client closed the connection; nobody waits for an answer."""


async def read_body(receive: Receive, *, announced: bytes, limit: int, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body.

    Args:
        announced: the value of Content-Length, empty where there is none.
        limit: most bytes that are accepted.
        seconds: time for all of it.

    Raises:
        RequestTooLarge: over `limit` bytes. A bounded part of the rest is read first: a client that is still sending
            would see a reset connection instead of the answer.
        RequestTimedOut: not complete in time.
        ClientGone: the client left.
    """
    chunks: list[bytes] = []
    size, more = 0, True
    too_large = announced.isdigit() and int(announced) > limit
    try:
        async with asyncio.timeout(seconds):
            while more and not too_large:
                chunk, more = await _next(receive)
                chunks.append(chunk)
                size += len(chunk)
                too_large = size > limit
    except TimeoutError:
        raise RequestTimedOut(f"the body was not complete within {seconds:g} s") from None
    if not too_large:
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    chunks.clear()
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while more and size <= limit * DRAIN_FACTOR:
                chunk, more = await _next(receive)
                size += len(chunk)
    except TimeoutError:
        pass  # it was only politeness
    raise RequestTooLarge(f"the body has more than {limit} bytes: send fewer or smaller pictures")


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)
