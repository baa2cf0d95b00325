"""Speaking to engines: pick a replica, send, and give the answer's first bytes before anything went to the client."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from qwen3vl_common.errors import ApiError, EngineFailed, EngineTimeout, ModelUnavailable
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.routes import Route

CHUNK_BYTES = 65_536
CONNECT_ERRORS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ServerDisconnectedError)
"""The engine has not begun to answer and most likely never saw the request: another replica may take it."""


@dataclass(frozen=True)
class Timeouts:
    """Patience with engines, in seconds: for a connection, for the answer's first byte, between two later ones."""

    connect: float
    first_byte: float
    idle: float


class EngineRefused(ApiError):
    """The engine found the request wrong: its own status and words, in OpenAI's shape."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(str(error.get("message") or "the engine refused the request"), param=error.get("param"))
        self.status = status
        self.type = str(error.get("type") or "invalid_request_error")
        code = error.get("code")
        self.code = code if isinstance(code, str) else "engine_refused"


@dataclass
class Answer:
    """An engine's answer that has begun: content type, first bytes, and an iterator over the rest."""

    content_type: str
    first: bytes
    rest: AsyncIterator[bytes]


class Upstream:
    """Connections to every engine. The least busy replica gets the request."""

    def __init__(self, timeouts: Timeouts, key_of: Callable[[Route], str | None], metrics: Metrics) -> None:
        self._timeouts = timeouts
        self._key_of = key_of
        self._metrics = metrics
        self._busy: Counter[str] = Counter()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    def candidates(self, route: Route) -> list[str]:
        """Endpoints in the order in which to try them: least requests in flight first, ties at random."""
        shuffled = random.sample(route.endpoints, len(route.endpoints))
        return sorted(shuffled, key=lambda endpoint: self._busy[endpoint])

    @asynccontextmanager
    async def ask(self, route: Route, path: str, body: bytes, request_id: str) -> AsyncIterator[Answer]:
        """Send the request to the first replica that takes it.

        Raises:
            ModelUnavailable: no replica is ready, or none accepts connections.
            EngineTimeout: no first byte in time, or a pause too long later (then from the answer's iterator).
            EngineFailed: an error of the engine's own, or a broken connection (likewise).
            EngineRefused: the engine found the request wrong.
        """
        headers = {"content-type": "application/json", "x-request-id": request_id}
        if key := self._key_of(route):
            headers["authorization"] = f"Bearer {key}"
        for endpoint in self.candidates(route):
            self._busy[endpoint] += 1
            self._metrics.upstream_connections.inc()
            response: aiohttp.ClientResponse | None = None
            try:
                try:
                    async with asyncio.timeout(self._timeouts.first_byte):
                        response = await self._session.post(f"http://{endpoint}{path}", data=body, headers=headers)
                        answer = await self._begin(route, response)
                except CONNECT_ERRORS:
                    self._count(route, "connect")
                    continue
                except TimeoutError:
                    self._count(route, "first_byte_timeout")
                    raise EngineTimeout(
                        f"the engine did not begin to answer within {self._timeouts.first_byte:g} s"
                    ) from None
                except aiohttp.ClientError:
                    self._count(route, "broken")
                    raise EngineFailed("the engine closed the connection before it answered") from None
                yield answer
                return
            finally:
                if response is not None:
                    response.close()
                self._metrics.upstream_connections.dec()
                self._busy[endpoint] -= 1
                if not self._busy[endpoint]:
                    del self._busy[endpoint]
        raise ModelUnavailable(f"no replica of {route.served_name!r} is ready; try again in a few seconds")

    async def _begin(self, route: Route, response: aiohttp.ClientResponse) -> Answer:
        if response.status >= 400:
            await self._refuse(route, response)
        content_type = response.headers.get("content-type", "application/json")
        if not content_type.startswith("text/event-stream"):
            # Whole before anything is sent: a broken answer can still become an error.
            return Answer(content_type, await response.read(), _nothing())
        first = await response.content.readany()
        return Answer(content_type, first, self._rest(route, response))

    async def _refuse(self, route: Route, response: aiohttp.ClientResponse) -> None:
        if response.status == 503:
            self._count(route, "unavailable")
            raise ModelUnavailable(f"the engine of {route.served_name!r} is not ready; try again in a few seconds")
        if response.status >= 500 or response.status in (401, 403):
            self._count(route, f"status_{response.status}")
            raise EngineFailed(f"the engine failed with status {response.status}")
        content = await response.content.read(CHUNK_BYTES)
        raise EngineRefused(response.status, _error_of(content))

    async def _rest(self, route: Route, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._timeouts.idle):
                    chunk = await response.content.readany()
            except TimeoutError:
                self._count(route, "idle_timeout")
                raise EngineTimeout(f"the engine paused for more than {self._timeouts.idle:g} s") from None
            except aiohttp.ClientError:
                self._count(route, "cut")
                raise EngineFailed("the engine closed the connection in the middle of its answer") from None
            if not chunk:
                return
            yield chunk

    def _count(self, route: Route, reason: str) -> None:
        self._metrics.upstream_errors.labels(route.served_name, reason).inc()


async def _nothing() -> AsyncIterator[bytes]:
    empty: tuple[bytes, ...] = ()
    for chunk in empty:
        yield chunk


def _error_of(content: bytes) -> dict[str, Any]:
    """The error object in an engine's refusal, whichever shape it has: {"error": {…}}, {"message"}, {"detail"}."""
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(parsed, dict):
        return {}
    error = parsed.get("error", parsed)
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    if "message" not in error and isinstance(error.get("detail"), str):
        return {"message": error["detail"]}
    return error
