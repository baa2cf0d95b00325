"""A request to an application, as the server hands it over."""

import asyncio
from typing import Any

from starlette.types import ASGIApp


async def ask(
    app: ASGIApp, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a client that stays until it has it."""
    said: list[Any] = []
    arriving = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not arriving:
            await asyncio.Event().wait()
        return arriving.pop()

    async def send(message: Any) -> None:
        said.append(message)

    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "scheme": "http", "client": None}
    scope |= {"method": method.upper(), "path": path, "raw_path": path.encode(), "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    await app(scope, receive, send)
    named = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], named, b"".join(each.get("body", b"") for each in said[1:])
