"""One request on its way through: key, body, route, engine, answer. The hot path, hence plain ASGI."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import Message, Receive, Scope, Send

from qwen3vl_common.body import ClientGone, read_body
from qwen3vl_common.drain import Drain
from qwen3vl_common.errors import ApiError, InternalError, InvalidKey, ModelNotFound, ModelUnavailable
from qwen3vl_server.gateway.clients import Client, Clients
from qwen3vl_server.gateway.discovery import Directory
from qwen3vl_server.gateway.events import WholeEvents
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.request import Limits, Summary
from qwen3vl_server.gateway.routes import Route
from qwen3vl_server.gateway.upstream import Upstream

log = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499
"""What the metrics say of a client that left before its answer was complete."""
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Gateway:
    """What every request needs."""

    directory: Directory
    clients: Clients
    upstream: Upstream
    metrics: Metrics
    limits: Limits
    max_body_bytes: int
    drain: Drain


def check_key(gateway: Gateway, headers: dict[bytes, bytes]) -> Client:
    """The client.

    Raises:
        InvalidKey: no key, or an unknown one.
    """
    return gateway.clients.identify(headers, gateway.directory.routes.values())


def find_route(directory: Directory, model: str, client: Client) -> Route:
    """The model's route.

    Raises:
        ModelNotFound: names the models there are.
        InvalidKey: the client's key is for another model.
    """
    route = directory.routes.get(model)
    if route is None:
        known = ", ".join(sorted(name for name, one in directory.routes.items() if client.may_ask(one))) or "none yet"
        raise ModelNotFound(f"the model {model[:100]!r} does not exist; known models: {known}", param="model")
    if not client.may_ask(route):
        raise InvalidKey(f"the API key is for another model than {model[:100]!r}")
    return route


class _Sender:
    """Sends an answer, and remembers how far it came."""

    def __init__(self, send: Send, request_id: str, drain: Drain) -> None:
        self._send = send
        self._request_id = request_id
        self._drain = drain
        self.status: int | None = None

    async def start(self, status: int, content_type: str, headers: dict[str, str], length: int | None = None) -> None:
        raw = [(b"content-type", content_type.encode("latin-1")), (b"x-request-id", self._request_id.encode("latin-1"))]
        raw += [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        if length is not None:
            raw.append((b"content-length", str(length).encode()))
        if self._drain.told:
            # The client's next request must find another gateway.
            raw.append((b"connection", b"close"))
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def chunk(self, content: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": content, "more_body": more})

    async def error(self, error: ApiError) -> None:
        """An HTTP error before the first byte; an event in the stream after it."""
        if self.status is None:
            body = orjson.dumps(error.body())
            await self.start(error.status, "application/json", error.headers(), len(body))
            await self.chunk(body, more=False)
        else:
            await self.chunk(b"data: " + orjson.dumps(error.body()) + b"\n\n", more=False)


class Proxy:
    """ASGI application of one path: checks the request by `parse` and hands it to an engine."""

    def __init__(self, gateway: Gateway, path: str, parse: Callable[[bytes, Limits], Summary]) -> None:
        self._gateway = gateway
        self._path = path
        self._parse = parse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        gateway = self._gateway
        sender = _Sender(send, request_id, gateway.drain)
        try:
            client = check_key(gateway, headers)
            body = await read_body(receive, announced=headers.get(b"content-length", b""), limit=gateway.max_body_bytes)
            summary = self._parse(body, gateway.limits)
            route = find_route(gateway.directory, summary.model, client)
        except ClientGone:
            gateway.metrics.requests.labels(_UNKNOWN, CLIENT_CLOSED_REQUEST).inc()
            return
        except ApiError as error:
            gateway.metrics.requests.labels(_UNKNOWN, error.status).inc()
            await sender.error(error)
            return
        await self._answer(sender, receive, route, summary, body, request_id)

    async def _answer(
        self, sender: _Sender, receive: Receive, route: Route, summary: Summary, body: bytes, request_id: str
    ) -> None:
        metrics, model, started = self._gateway.metrics, route.served_name, time.monotonic()
        overdue = self._gateway.drain.overdue
        if summary.image_tokens:
            metrics.image_tokens.labels(model).inc(summary.image_tokens)
        metrics.in_flight.labels(model).inc()
        relay = asyncio.ensure_future(self._relay(sender, route, body, request_id, started))
        watcher = asyncio.ensure_future(_disconnected(receive))
        code = CLIENT_CLOSED_REQUEST
        try:
            ends: set[asyncio.Future[Any]] = {relay, watcher, overdue}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (relay, watcher):
                task.cancel()
            await asyncio.gather(relay, watcher, return_exceptions=True)
            if not relay.cancelled():
                code = relay.result()
            elif overdue.done():
                code = ModelUnavailable.status
                await sender.error(ModelUnavailable("the gateway is being replaced; try again"))
            metrics.in_flight.labels(model).dec()
            metrics.seconds.labels(model).observe(time.monotonic() - started)
            metrics.requests.labels(model, code).inc()

    async def _relay(self, sender: _Sender, route: Route, body: bytes, request_id: str, started: float) -> int:
        """Ask the engine and pass its answer on; the code for the metrics."""
        first_byte = self._gateway.metrics.first_byte_seconds.labels(route.served_name)
        try:
            async with self._gateway.upstream.ask(route, self._path, body, request_id) as answer:
                first_byte.observe(time.monotonic() - started)
                if answer.rest is None:
                    await sender.start(200, answer.content_type, {}, len(answer.first))
                    await sender.chunk(answer.first, more=False)
                    return 200
                await sender.start(200, answer.content_type, {"cache-control": "no-cache"})
                events = WholeEvents()
                if ready := events.feed(answer.first):
                    await sender.chunk(ready, more=True)
                async for chunk in answer.rest:
                    if ready := events.feed(chunk):
                        await sender.chunk(ready, more=True)
                await sender.chunk(events.rest(), more=False)
                return 200
        except ApiError as error:
            # A refusal may quote the client's words: its code is enough here.
            log.log(
                logging.WARNING if error.status >= 500 else logging.INFO,
                "request %s for %s: %s",
                request_id,
                route.served_name,
                error if error.status >= 500 else f"{error.status} {error.code}",
            )
            await sender.error(error)
            return error.status
        except Exception:  # any mistake of ours still gets an answer in the documented shape
            log.exception("request %s for %s failed in the gateway", request_id, route.served_name)
            failure = InternalError("the gateway failed; its log has the reason")
            await sender.error(failure)
            return failure.status


async def _disconnected(receive: Receive) -> Message:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return message


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if 0 < len(given) <= 100 and given.isascii() and given.isprintable() else uuid.uuid4().hex
