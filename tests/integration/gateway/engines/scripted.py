"""An engine that answers with the bytes it is told, and a client that remembers what it was given."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import uvloop
from tests.support import virtual_time

from qwen3vl_common.errors import ApiError
from qwen3vl_server.gateway.engines import Engines, Timeouts
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.routes import Route

PATH = "/v1/chat/completions"
TIMEOUTS = Timeouts(connect=2, first_byte=600, idle=120)
Reply = Callable[["Visit"], Any]
Run = Callable[[Coroutine[Any, Any, None]], None]


def plain(content: bytes = b'{"ok": 1}', status: int = 200, *fields: bytes) -> bytes:
    """A whole answer with a length."""
    lines = [b"HTTP/1.1 %d Word" % status, b"content-type: application/json", b"content-length: %d" % len(content)]
    return b"\r\n".join([*lines, *fields, b"", content])


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def chunk(content: bytes) -> bytes:
    """One chunk; of nothing: the end."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def stream(*events: bytes) -> bytes:
    """A whole answer of events, each in a chunk."""
    return STREAM_HEAD + b"".join(map(chunk, [*events, b""]))


class Visit(asyncio.Protocol):
    """One connection to a scripted engine."""

    def __init__(self, engine: "Scripted") -> None:
        self.engine = engine
        self._read = bytearray()
        self.tasks: list[asyncio.Task[None]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.engine.visits.append(self)

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def abort(self) -> None:
        self.transport.abort()

    def later(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Go on answering after some time."""
        self.tasks.append(asyncio.ensure_future(coroutine))

    def data_received(self, data: bytes) -> None:
        self.engine.received += len(data)
        if self.engine.impatient is not None:
            self.engine.impatient(self)
            return
        self._read += data
        head, mark, _ = bytes(self._read[:2000]).partition(b"\r\n\r\n")
        if not mark:
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        end = len(head) + len(mark) + int(fields.get(b"content-length", b"0"))
        if len(self._read) < end:
            return
        body = bytes(self._read[end - int(fields.get(b"content-length", b"0")) : end])
        del self._read[:end]
        if head.startswith(b"GET /health"):
            self.engine.probes.append(head)
            self.write(self.engine.health)
            return
        self.engine.requests.append((head, body))
        replies = self.engine.replies
        reply = replies[min(len(self.engine.requests), len(replies)) - 1]
        if isinstance(reply, bytes):
            self.write(reply)
        else:
            reply(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.engine.lost += 1
        for task in self.tasks:
            task.cancel()


def cut_after(content: bytes) -> Reply:
    """Answer so much, and break the connection."""

    def reply(visit: Visit) -> None:
        visit.write(content)
        visit.abort()

    return reply


@dataclass
class Scripted:
    """Answers request after request by `replies`, the last one for all that follow.

    Attributes:
        impatient: answers at the first bytes instead, whatever they are.
    """

    replies: Sequence[bytes | Reply] = (plain(),)
    health: bytes = plain()
    impatient: Reply | None = None
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    probes: list[bytes] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    received: int = 0
    lost: int = 0
    address: str = ""


@dataclass
class Client:
    """The sink of one answer. With `slow` set it takes nothing until that is set."""

    started: bool = False
    status: int | None = None
    headers: dict[bytes, bytes] = field(default_factory=dict)
    length: int | None = None
    body: bytes = b""
    pieces: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    ended: bool = False
    released: int = 0
    slow: asyncio.Event | None = None
    error: ApiError | None = None

    async def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], length: int | None) -> None:
        assert not self.started
        self.started, self.status, self.headers, self.length = True, status, dict(headers), length

    async def write(self, data: bytes | memoryview) -> None:
        assert self.started and not self.ended
        if self.slow is not None:
            await self.slow.wait()
        self.pieces.append(bytes(data))
        self.times.append(asyncio.get_running_loop().time())
        self.body += data

    async def end(self) -> None:
        self.ended = True

    def release_body(self) -> None:
        self.released += 1


@dataclass
class Asked:
    """A request."""

    body: bytes = b'{"messages": []}'
    stream: bool = False


@dataclass
class House:
    """Engines of one model, and who speaks to them."""

    scripted: list[Scripted]
    engines: Engines
    metrics: Metrics
    route: Route
    gone: dict[str, float] = field(default_factory=dict)

    async def ask(self, body: bytes = b'{"messages": []}', *, stream: bool = False, **client: Any) -> Client:
        """One request, to its end or its error."""
        sink = Client(**client)
        await self.hand_to(sink, Asked(body, stream))
        return sink

    async def hand_to(self, sink: Client, asked: Asked) -> None:
        try:
            assert await self.engines.relay(self.route, PATH, asked, "some-id", sink) == 200
        except ApiError as error:
            sink.error = error.with_traceback(None)

    def metric(self, name: str, **labels: str) -> float:
        labels = {"model": "m", **labels} if name != "open_upstream_connections" else labels
        return self.metrics.registry.get_sample_value(f"qwen3vl_gateway_{name}", labels) or 0.0


@contextlib.asynccontextmanager
async def house(
    *scripted: Scripted, timeouts: Timeouts = TIMEOUTS, engine: str = "stub", more: Sequence[str] = ()
) -> AsyncIterator[House]:
    """Engines that run; `more` are addresses beside theirs."""
    loop = asyncio.get_running_loop()
    servers = []
    for one in scripted:
        server = await loop.create_server(lambda one=one: Visit(one), "127.0.0.1", 0)  # type: ignore[misc]  # default
        one.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        servers.append(server)
    metrics = Metrics()
    gone: dict[str, float] = {}
    engines = Engines(timeouts, lambda _: "the-key", metrics, lambda address: gone.get(address, 0.0))
    addresses = tuple([one.address for one in scripted] + list(more))
    found = House(list(scripted), engines, metrics, Route("m", "ns", "m", engine, None, 0, addresses), gone)
    try:
        yield found
        assert found.metric("open_upstream_connections") == 0
    finally:
        await engines.close()
        for server in servers:
            server.close()
        for one in scripted:
            for visit in one.visits:
                visit.abort()
                for task in visit.tasks:
                    task.cancel()
                await asyncio.gather(*visit.tasks, return_exceptions=True)
        await asyncio.sleep(0)


def run_on_uvloop(coroutine: Coroutine[Any, Any, None]) -> None:
    """As in production."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


def run_virtually(coroutine: Coroutine[Any, Any, None]) -> None:
    """On a clock that leaps, but not past what real sockets still bring."""
    virtual_time.run(coroutine, patience_seconds=0.01)


on_both_loops = pytest.mark.parametrize("run", [run_on_uvloop, run_virtually])
"""In production's loop, and in asyncio's."""


def error_event(**error: object) -> bytes:
    """An event as vLLM sends it at SIGTERM."""
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
