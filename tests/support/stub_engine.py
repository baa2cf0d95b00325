"""A small engine over real HTTP whose behaviour a test chooses, and which remembers what it saw."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

CHUNKS = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("one ", "two ", "three")]
EVENTS = [json.dumps({"object": "chat.completion.chunk", **chunk}).encode() for chunk in CHUNKS]
STREAM = b"".join(b"data: " + event + b"\n\n" for event in EVENTS)
STREAM += b"data: [DONE]\n\n"
FIRST = STREAM[: STREAM.index(b"\n\n") + 2]
ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
}


def _cut(request: web.Request) -> None:
    assert request.transport is not None, "the client has gone already"
    request.transport.abort()


@dataclass
class StubEngine:
    """`mode` is one of the branches of `answer`; `requests` holds headers and bodies in order."""

    mode: str = "answer"
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    cancelled: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/{path:.*}", self.handle)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((dict(request.headers), await request.read()))
        self.began.set()
        try:
            return await self.answer(request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.ended.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        match self.mode.split(":", 1):
            case ["answer"]:
                if json.loads(self.requests[-1][1]).get("stream"):
                    return await self.stream(request, STREAM)
                return web.json_response(ANSWER)
            case ["status", rest]:
                status, _, text = rest.partition(" ")
                return web.Response(status=int(status), text=text, headers={"location": "http://127.0.0.1:9/"})
            case ["hang"]:
                await asyncio.sleep(3600)
            case ["close"]:
                _cut(request)
                await asyncio.sleep(0)
            case ["cut"]:
                response = await self.stream(request, STREAM[: len(STREAM) // 2 + 7], end=False)
                _cut(request)
                return response
            case ["stall"]:
                response = await self.stream(request, FIRST, end=False)
                await asyncio.sleep(3600)
                return response
            case ["slow", seconds]:
                response = await self.stream(request, FIRST, end=False)
                await asyncio.sleep(float(seconds))
                await response.write(STREAM[len(FIRST) :])
                await response.write_eof()
                return response
            case ["hold"]:
                response = await self.stream(request, FIRST, end=False)
                while not self.release.is_set():
                    await response.write(b": still here\n\n")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.release.wait(), 0.05)
                await response.write(STREAM)
                await response.write_eof()
                return response
            case ["half-json"]:
                response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "1000"})
                await response.prepare(request)
                await response.write(b'{"choices": ')
                _cut(request)
                return response
        raise AssertionError(self.mode)

    async def stream(self, request: web.Request, content: bytes, *, end: bool = True) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        await response.write(content)
        if end:
            await response.write_eof()
        return response


@contextlib.asynccontextmanager
async def engine_running(engine: StubEngine) -> AsyncIterator[StubEngine]:
    runner = web.AppRunner(engine.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    engine.address = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield engine
    finally:
        await runner.cleanup()
