"""The HTTP face of the engine: keys, bodies, pacing, faults, and noticing at once when the client is gone."""

import asyncio
import hmac
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from . import faults, protocol
from .errors import ApiError, InjectedError, NotAllowedError, NotFoundError, StoppingError, TooLargeError, WrongKeyError
from .faults import Fault, Faults
from .protocol import DONE, ChatRequest, CompletionRequest, Envelope, FaultRequest, Usage, event, parse
from .serving import Model, Reply, literal
from .stats import Stats


@dataclass(frozen=True)
class Settings:
    """How the engine behaves: times in the unit of their name, `key` None = open to everybody."""

    model_name: str
    key: str | None = None
    first_token_millis: float = 50
    tokens_per_second: float = 100
    context_length: int = 8192
    max_body_bytes: int = 48 * 1024 * 1024
    decoders: int = 2
    drives: bool = False


@dataclass
class Engine:
    """One running simulator. `stopping` ends what hangs; `stopped` ends every answer that is still open."""

    settings: Settings
    stats: Stats = field(default_factory=Stats)
    faults: Faults = field(default_factory=Faults)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.model = Model(self.settings.model_name, self.settings.context_length, drives=self.settings.drives)
        # A decoded picture is the engine's largest memory: few at once keep it small.
        self._decoders = asyncio.Semaphore(self.settings.decoders)
        self.started = int(time.time())

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/health", _health, methods=["GET"]),
            Route("/metrics", self._guarded(self._metrics), methods=["GET"]),
            Route("/v1/models", self._guarded(self._models), methods=["GET"]),
            Route("/v1/chat/completions", self._guarded(self._chat), methods=["POST"]),
            Route("/v1/completions", self._guarded(self._completion), methods=["POST"]),
            Route("/simulator/faults", self._guarded(self._faults), methods=["GET", "POST"]),
            Route("/simulator/stats", self._guarded(self._stats), methods=["GET"]),
        ]
        return Starlette(routes=routes, exception_handlers={ApiError: _api_error, HTTPException: _http_error})

    def _guarded(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            expected = self.settings.key
            matches = expected and hmac.compare_digest(given.strip().encode(), expected.encode())
            if expected and not (scheme.lower() == "bearer" and matches):
                raise WrongKeyError("the key is missing or wrong", code="invalid_api_key")
            return await handler(request)

        return guarded

    async def _metrics(self, _: Request) -> Response:
        return Response(self.stats.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _models(self, _: Request) -> Response:
        settings = self.settings
        return JSONResponse(
            protocol.model_list(settings.model_name, created=self.started, context_length=settings.context_length)
        )

    async def _stats(self, _: Request) -> Response:
        return JSONResponse(self.stats.json())

    async def _faults(self, request: Request) -> Response:
        if request.method == "POST":
            self.faults.switch(faults.parse(parse(await self._body(request), FaultRequest)))
        return JSONResponse(self.faults.current.json())

    async def _chat(self, request: Request) -> Response:
        return await self._accept(request, ChatRequest)

    async def _completion(self, request: Request) -> Response:
        return await self._accept(request, CompletionRequest)

    async def _accept(self, request: Request, kind: type[ChatRequest] | type[CompletionRequest]) -> Response:
        self.stats.requests += 1
        try:
            body = await self._body(request)
        except ClientDisconnect:
            self.stats.cancelled += 1
            return Response(status_code=499)
        except ApiError:
            self.stats.rejected += 1
            raise
        return _Answer(self, body, kind)

    async def _body(self, request: Request) -> bytes:
        limit = self.settings.max_body_bytes
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise TooLargeError(f"the body is larger than {limit} bytes", code="request_too_large")
            parts.append(part)
        return b"".join(parts)

    async def prepare(self, body: bytes, kind: type[ChatRequest] | type[CompletionRequest]) -> "_Work":
        """Parse, decode, look and phrase, in a thread: the loop stays free for other answers."""
        async with self._decoders:
            return await asyncio.to_thread(self._prepare, body, kind)

    def _prepare(self, body: bytes, kind: type[ChatRequest] | type[CompletionRequest]) -> "_Work":
        request = parse(body, kind)
        chat = isinstance(request, ChatRequest)
        reply = self.model.chat(request) if isinstance(request, ChatRequest) else self.model.completion(request)
        with_usage = bool(request.stream_options and request.stream_options.include_usage)
        prefix = "chatcmpl" if chat else "cmpl"
        envelope = Envelope(f"{prefix}-{uuid.uuid4().hex}", int(time.time()), self.settings.model_name, chat)
        return _Work(reply, envelope, request.stream, with_usage)


@dataclass(frozen=True)
class _Work:
    reply: Reply
    envelope: Envelope
    stream: bool
    with_usage: bool

    @property
    def usage(self) -> Usage:
        return Usage(self.reply.prompt_tokens, len(self.reply.pieces))


class _Answer(Response):
    """Prepares and sends one answer while it watches the connection; whichever ends first ends both."""

    def __init__(self, engine: Engine, body: bytes, kind: type[ChatRequest] | type[CompletionRequest]) -> None:
        self.engine, self.request_body, self.kind = engine, body, kind
        self.background = None
        self.status_code = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        engine, stats = self.engine, self.engine.stats
        begun = asyncio.get_running_loop().time()
        work = asyncio.create_task(self._serve(scope, receive, send, begun))
        gone = asyncio.create_task(_client_gone(receive))
        stopped = asyncio.create_task(engine.stopped.wait())
        stats.in_flight += 1
        try:
            await asyncio.wait({work, gone, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                stats.cancelled += 1
        finally:
            stats.in_flight -= 1
            for task in (work, gone, stopped):
                task.cancel()
            await asyncio.gather(work, gone, stopped, return_exceptions=True)
        if not work.cancelled():
            work.result()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, begun: float) -> None:
        stats = self.engine.stats
        try:
            work = await self.engine.prepare(self.request_body, self.kind)
            fault = self.engine.faults.take()
            if fault.kind == "500":
                raise InjectedError("the simulator was told to fail", code="injected_fault")
            if fault.kind == "hang":
                await self.engine.stopping.wait()
                raise StoppingError("the engine is shutting down")
        except ApiError as error:
            if error.status < 500:
                stats.rejected += 1
            else:
                stats.failed += 1
            await JSONResponse(error.body(), status_code=error.status)(scope, receive, send)
            return
        if fault.kind == "reply":
            work = _Work(literal(fault.text, work.reply), work.envelope, work.stream, work.with_usage)
        stats.prompt_tokens += work.reply.prompt_tokens
        stats.images_decoded += work.reply.images
        pace = _Pace(self.engine.settings, begun + (fault.seconds if fault.kind in ("slow", "reply") else 0.0))
        await (self._stream if work.stream else self._whole)(send, work, pace, fault)
        if fault.kind == "cut":
            stats.cut += 1
        else:
            stats.completed += 1

    async def _whole(self, send: Send, work: _Work, pace: "_Pace", fault: Fault) -> None:
        count = len(work.reply.pieces)
        await pace.until(count - 1)
        body = orjson.dumps(work.envelope.whole(work.reply.text, work.reply.finish_reason, work.usage))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        self.engine.stats.completion_tokens += count
        cut = fault.kind == "cut"
        # Returning before the announced end makes the server close the connection: that is the cut.
        sent = body[: len(body) // 2] if cut else body
        await send({"type": "http.response.body", "body": sent, "more_body": cut})

    async def _stream(self, send: Send, work: _Work, pace: "_Pace", fault: Fault) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        pieces, envelope = work.reply.pieces, work.envelope
        end = max(1, len(pieces) // 2) if fault.kind == "cut" else len(pieces)
        await pace.until(0)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, piece in enumerate(pieces[:end]):
            await pace.until(number)
            chunk = event(envelope.chunk(piece, first=number == 0))
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            self.engine.stats.completion_tokens += 1
        if fault.kind == "cut":
            return
        last = event(envelope.chunk("", work.reply.finish_reason, first=not pieces))
        usage = event(envelope.usage_chunk(work.usage)) if work.with_usage else b""
        await send({"type": "http.response.body", "body": last + usage + DONE, "more_body": False})


class _Pace:
    """When each token is due, from one monotonic start: a late token does not delay the ones after it."""

    def __init__(self, settings: Settings, begun: float) -> None:
        self._first = begun + settings.first_token_millis / 1000
        self._each = 1 / settings.tokens_per_second

    async def until(self, number: int) -> None:
        due = self._first + max(0, number) * self._each
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _api_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    headers = {"connection": "close"} if isinstance(error, TooLargeError) else None
    return JSONResponse(error.body(), status_code=error.status, headers=headers)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    kind = NotAllowedError if error.status_code == 405 else NotFoundError
    shown = kind(f"{request.method} {request.url.path} is not served here")
    return JSONResponse(shown.body(), status_code=error.status_code, headers=error.headers)
