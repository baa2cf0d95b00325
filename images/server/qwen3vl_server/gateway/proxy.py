"""One request on its way through: who asks, what for, which model, the engine's answer.

The hot path, hence no framework: the front hands over a request whose body is complete."""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass

from qwen3vl_common.drain import Drain
from qwen3vl_common.errors import (
    ApiError,
    InternalError,
    InvalidKey,
    InvalidRequest,
    ModelNotFound,
    ModelUnavailable,
    UnsupportedMedia,
)
from qwen3vl_server.gateway.clients import Client, Clients
from qwen3vl_server.gateway.discovery import Directory
from qwen3vl_server.gateway.engines import Engines
from qwen3vl_server.gateway.front import MISTAKE, REPLACED, Exchange, Head
from qwen3vl_server.gateway.metrics import Metrics, ModelMetrics
from qwen3vl_server.gateway.request import SLICE_BYTES, EngineRequest, Limits, finish, read
from qwen3vl_server.gateway.routes import Route

log = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499
"""What the metrics say of a client that left before its answer was complete."""
FOREIGN_TYPES = (b"multipart/", b"application/x-www-form-urlencoded")
"""Bodies that hold no JSON. Any other type is read as JSON, for clients are careless about that header."""
LONGEST_REQUEST_ID = 100


@dataclass(frozen=True)
class Gateway:
    """What every request needs."""

    directory: Directory
    clients: Clients
    engines: Engines
    metrics: Metrics
    limits: Limits
    drain: Drain


def check_key(gateway: Gateway, headers: Mapping[bytes, bytes]) -> Client:
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


class EngineDoor:
    """What the front does with a POST that is for an engine."""

    paths = frozenset({"/v1/chat/completions", "/v1/completions"})

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._large = asyncio.Lock()  # a large body becomes many times its size on the way: one at a time

    def admit(self, head: Head) -> Client:
        """Who asks, before any of the body is read.

        Raises:
            InvalidKey: no key, or an unknown one.
            UnsupportedMedia: the body is compressed, or a form.
        """
        client = check_key(self._gateway, head.headers)
        if head.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMedia("the body is sent as it is, without content-encoding")
        if head.headers.get(b"content-type", b"").lower().startswith(FOREIGN_TYPES):
            raise UnsupportedMedia("the body is JSON: content-type application/json")
        return client

    def refused(self, error: ApiError, headers: Mapping[bytes, bytes]) -> Sequence[tuple[bytes, bytes]]:
        """Count a request that came no further than the front; the id that its answer carries."""
        self._gateway.metrics.refused(error.status)
        return _named(request_id_of(headers))

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request; cancelled when its client leaves, or when the process must end."""
        request_id = request_id_of(exchange.head.headers)
        metrics = self._gateway.metrics
        try:
            route, request = await self._understand(exchange)
        except ApiError as error:
            metrics.refused(error.status)
            await exchange.error(error, _named(request_id))
            return
        except asyncio.CancelledError:
            metrics.refused(await _cancelled(exchange, request_id))
            return
        except Exception:  # any mistake of ours still gets an answer in the documented shape
            log.exception("request %s failed in the gateway", request_id)
            metrics.refused(InternalError.status)
            await exchange.error(InternalError(MISTAKE), _named(request_id))
            return
        counts = metrics.of(route.served_name)
        if request.image_tokens:
            counts.image_tokens.inc(request.image_tokens)
        # Nothing here refers to the request while it is answered: its body is let go at the engine's first byte.
        relaying = self._gateway.engines.relay(route, exchange.head.path, request, request_id, exchange)
        del request
        await self._relay(exchange, relaying, route, request_id, counts)

    async def _understand(self, exchange: Exchange) -> tuple[Route, EngineRequest]:
        body = exchange.take_body()
        if len(body) <= SLICE_BYTES:
            return await self._read(exchange, body)
        async with self._large:
            return await self._read(exchange, body)

    async def _read(self, exchange: Exchange, body: bytes | bytearray) -> tuple[Route, EngineRequest]:
        draft = read(exchange.head.path, body)
        if draft.model is None:
            raise InvalidRequest("model is required: the name of a model, see /v1/models", param="model")
        client = exchange.client
        assert isinstance(client, Client), "admitted by this door"
        route = find_route(self._gateway.directory, draft.model, client)
        request = await finish(
            draft,
            engine=route.engine,
            model=route.served_name,
            context_length=route.context_length,
            limits=self._gateway.limits,
        )
        return route, request

    async def _relay(
        self,
        exchange: Exchange,
        relaying: Coroutine[None, None, int],
        route: Route,
        request_id: str,
        counts: ModelMetrics,
    ) -> None:
        started = time.monotonic()
        counts.accepted.inc()
        counts.in_flight.inc()
        code = InternalError.status
        try:
            code = await relaying
        except ApiError as error:
            code = error.status
            _tell(error, route, request_id)
            await exchange.error(error, _named(request_id))
        except asyncio.CancelledError:
            code = await _cancelled(exchange, request_id)
        except Exception:  # likewise
            log.exception("request %s for %s failed in the gateway", request_id, route.served_name)
            await exchange.error(InternalError(MISTAKE), _named(request_id))
        finally:
            counts.in_flight.dec()
            counts.seconds.observe(time.monotonic() - started)
            counts.answered(code)


async def _cancelled(exchange: Exchange, request_id: str) -> int:
    """The code of a request whose task was cancelled; who still listens is told why."""
    if not exchange.replaced:
        return CLIENT_CLOSED_REQUEST
    error = ModelUnavailable(REPLACED)
    await exchange.error(error, _named(request_id))
    return error.status


def _tell(error: ApiError, route: Route, request_id: str) -> None:
    # A refusal may quote the client's words: its code is enough here.
    level = logging.WARNING if error.status >= 500 else logging.INFO
    said = error if error.status >= 500 else f"{error.status} {error.code}"
    log.log(level, "request %s for %s: %s", request_id, route.served_name, said)


def _named(request_id: str) -> tuple[tuple[bytes, bytes]]:
    return ((b"x-request-id", request_id.encode("ascii")),)


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """The client's own id of a request where it is a plain word of up to 100 characters, else a new one."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    if 0 < len(given) <= LONGEST_REQUEST_ID and given.isascii() and given.isprintable():
        return given
    return os.urandom(16).hex()
