"""Speaking to engines: pick a replica, send, and give the answer's first bytes before anything went to the client."""

import asyncio
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from qwen3vl_common.errors import EngineFailed, EngineTimeout, ModelUnavailable
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.refusal import ERROR_BYTES, refusal
from qwen3vl_server.gateway.routes import Route

CONNECT_ERRORS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""The engine never saw the request: any other replica may take it."""
KEEPALIVE_SECONDS = 4
"""Below uvicorn's 5 s, which most engines keep: an engine that closes an idle connection must not meet a request."""
LARGE_BYTES = 1 << 20
BROKEN_TRIES = 2
"""How many replicas may break down over one request: it may be the request that breaks them."""


@dataclass(frozen=True)
class Timeouts:
    """Patience with engines, in seconds: for a connection, for the answer's first byte, between two later ones."""

    connect: float
    first_byte: float
    idle: float


@dataclass
class Answer:
    """An engine's answer that has begun: content type, first bytes, and the rest of a stream."""

    content_type: str
    first: bytes
    rest: AsyncIterator[bytes] | None


class Upstream:
    """Connections to every engine. The least busy replica gets the request."""

    def __init__(self, timeouts: Timeouts, key_of: Callable[[Route], str | None], metrics: Metrics) -> None:
        self._timeouts = timeouts
        self._key_of = key_of
        self._metrics = metrics
        self._busy: Counter[str] = Counter()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect),
            # Bytes are handed on as they come, so the engine must not compress them for us.
            auto_decompress=False,
            headers={"accept-encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    def candidates(self, route: Route) -> list[str]:
        """Endpoints in the order in which to try them: least requests in flight first, ties at random."""
        if len(route.endpoints) < 2:
            return list(route.endpoints)
        shuffled = random.sample(route.endpoints, len(route.endpoints))
        return sorted(shuffled, key=lambda endpoint: self._busy[endpoint])

    @asynccontextmanager
    async def ask(self, route: Route, path: str, body: bytes, request_id: str) -> AsyncIterator[Answer]:
        """Send the request to the first replica that takes it.

        Raises:
            ModelUnavailable: no replica is ready, none accepts connections, or all say that they are not ready.
            EngineTimeout: no first byte in time, or a pause too long later (then from the answer's iterator).
            EngineFailed: an error of the engine's own, or a broken connection (likewise).
            EngineRefused: the engine found the request wrong.
        """
        headers = {"content-type": "application/json", "x-request-id": request_id}
        if key := self._key_of(route):
            headers["authorization"] = f"Bearer {key}"
        broken = 0
        for endpoint in self.candidates(route):
            self._busy[endpoint] += 1
            self._metrics.upstream_connections.inc()
            response: aiohttp.ClientResponse | None = None
            try:
                try:
                    async with asyncio.timeout(self._timeouts.first_byte):
                        # An engine that redirects would get our key sent elsewhere.
                        response = await self._session.post(
                            f"http://{endpoint}{path}", data=_payload(body), headers=headers, allow_redirects=False
                        )
                        answer = await self._begin(route, response)
                except CONNECT_ERRORS:
                    self._count(route, "connect")
                    continue
                except ModelUnavailable:
                    continue
                except TimeoutError:
                    self._count(route, "first_byte_timeout")
                    raise EngineTimeout(
                        f"the engine did not begin to answer within {self._timeouts.first_byte:g} s"
                    ) from None
                except aiohttp.ClientError:
                    self._count(route, "broken")
                    broken += 1
                    if broken >= BROKEN_TRIES:
                        break
                    continue
                yield answer
                return
            finally:
                if response is not None:
                    response.close()
                self._metrics.upstream_connections.dec()
                self._busy[endpoint] -= 1
                if not self._busy[endpoint]:
                    del self._busy[endpoint]
        if broken:
            raise EngineFailed("the engine closed the connection before it answered")
        raise ModelUnavailable(f"no replica of {route.served_name!r} is ready; try again in a few seconds")

    async def _begin(self, route: Route, response: aiohttp.ClientResponse) -> Answer:
        if response.status != 200:
            await self._refuse(route, response)
        content_type = response.headers.get("content-type", "application/json")
        if not content_type.startswith("text/event-stream"):
            # Whole before anything is sent: a broken answer can still become an error.
            return Answer(content_type, await response.read(), None)
        first = await response.content.readany()
        return Answer(content_type, first, self._rest(route, response))

    async def _refuse(self, route: Route, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status == 503:
            self._count(route, "unavailable")
            raise ModelUnavailable(f"the engine of {route.served_name!r} is not ready; try again in a few seconds")
        if not 400 <= status < 500 or status in (401, 403):
            self._count(route, f"status_{status}")
            raise EngineFailed(f"the engine failed with status {status}")
        content = b""
        while len(content) < ERROR_BYTES and (chunk := await response.content.readany()):
            content += chunk
        raise refusal(status, content)

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


def _payload(body: bytes) -> aiohttp.Payload:
    """aiohttp sends bytes in one go, and a stream piece by piece, so that other requests get their turn.

    Named here, because aiohttp's own search for the fitting kind is among its larger costs.
    """
    if len(body) < LARGE_BYTES:
        return aiohttp.BytesPayload(body, content_type="application/json")
    return aiohttp.BytesIOPayload(io.BytesIO(body), content_type="application/json")
