"""JSON in and out: a bounded body read by orjson, an answer written by it."""

from typing import Any

import orjson
from fastapi import Request, Response

from qwen3vl_common.body import read_body
from qwen3vl_common.errors import InvalidRequest

LARGEST_BODY = 64 * 1024
"""Of a request without an image."""


class Json(Response):
    """A JSON body."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


async def read_json(request: Request, most: int = LARGEST_BODY) -> Any:
    """The body of a request.

    Args:
        most: bytes.

    Raises:
        InvalidRequest: it is not JSON.
        RequestTooLarge, RequestTimedOut: see there.
    """
    announced = request.headers.get("content-length", "").encode()
    data = await read_body(request.receive, announced=announced, limit=most)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}", param="body") from None
