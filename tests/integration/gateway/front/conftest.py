"""A front on loopback before a door that a test commands, and clients that speak bytes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson
import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send
from tests.support.polling import until
from uvicorn.server import ServerState

from qwen3vl_common.drain import Drain
from qwen3vl_common.errors import ApiError, InvalidKey
from qwen3vl_common.strangers import acquaint
from qwen3vl_server.gateway.front import Exchange, Front, FrontLimits, Head

PATH = "/v1/chat/completions"
MIB = 1024 * 1024
QUICK = FrontLimits(
    head_seconds=0.3,
    keep_alive_seconds=0.6,
    max_body_bytes=8 * MIB,
    flight_bytes=16 * MIB,
    share_bytes=8 * MIB,
    body_window_seconds=0.3,
    room_seconds=0.3,
    refused_seconds=0.3,
    taking_seconds=0.4,
)
"""Impatient, for tests."""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the gateway runs on, which buffers and pauses in its own way."""
    return {"uvloop": uvloop.new_event_loop}


async def say_ok(exchange: Exchange) -> None:
    """Answer with the length of the body."""
    answer = b'{"bytes":%d}' % len(exchange.take_body())
    exchange.release_body()
    await exchange.start(200, [(b"content-type", b"application/json")], len(answer))
    await exchange.write(answer)
    await exchange.end()


@dataclass
class TinyDoor:
    """Takes the keys `good`, `good2`, …; remembers what reached it."""

    reply: Callable[[Exchange], Coroutine[Any, Any, None]] = say_ok
    paths: tuple[str, ...] = (PATH,)
    admitted: list[Head] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)

    def admit(self, head: Head) -> str:
        key = head.headers.get(b"authorization", b"").decode("latin-1")
        if not key.startswith("Bearer good"):
            raise InvalidKey("the API key is not known")
        self.admitted.append(head)
        return key.removeprefix("Bearer ")

    def refused(self, error: ApiError, _headers: Mapping[bytes, bytes]) -> Sequence[tuple[bytes, bytes]]:
        self.refusals.append(error.status)
        return ((b"x-request-id", b"of-the-door"),)

    async def answer(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        await self.reply(exchange)


@dataclass
class Answer:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The `code` of an error in the documented shape."""
        error = orjson.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return str(error["code"])

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"


class Raw:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> Answer:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            number = int(status.split(" ")[1])
            if "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            elif headers.get("transfer-encoding") == "chunked":
                body = await self._chunks()
            elif number in (100, 204):
                body = b""
            else:
                body = await self.reader.read()
            return Answer(number, headers, body)

    async def _chunks(self) -> bytes:
        found = b""
        while True:
            size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
            found += (await self.reader.readexactly(size + 2))[:size]
            if not size:
                return found

    async def ask(self, data: bytes) -> Answer:
        self.send(data)
        return await self.answer()

    async def closed(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def request(
    body: bytes = b"{}", *, key: str = "good", path: str = PATH, headers: bytes = b"", length: int | None = None
) -> bytes:
    """A POST as clients send it."""
    announced = len(body) if length is None else length
    return (
        b"POST %b HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n%b\r\n" % (path.encode(), key.encode(), announced, headers)
    ) + body


def chunked(*chunks: bytes, headers: bytes = b"", trailers: bytes = b"", key: str = "good") -> bytes:
    """A POST whose length nobody tells."""
    head = b"POST %b HTTP/1.1\r\nhost: g\r\nauthorization: Bearer %b\r\ntransfer-encoding: chunked\r\n%b\r\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks)
    return head % (PATH.encode(), key.encode(), headers) + body + b"0\r\n" + trailers + b"\r\n"


HEALTH = b"GET /health HTTP/1.1\r\nhost: gateway\r\n\r\n"


@dataclass
class Fronted:
    """A running front."""

    port: int
    front: Front
    door: TinyDoor
    drain: Drain
    state: ServerState
    pages: list[Scope]
    stack: contextlib.AsyncExitStack

    async def connect(self, *, limit: int = 2**16) -> Raw:
        client = Raw(*await asyncio.open_connection("127.0.0.1", self.port, limit=limit))
        self.stack.push_async_callback(client.close)
        return client

    async def ask(self, data: bytes) -> Answer:
        """On a connection of its own."""
        client = await self.connect()
        return await client.ask(data)

    async def healthy(self) -> None:
        """Another client is served, and nothing of anybody's body is held."""
        answer = await self.ask(request(b"x" * 10))
        assert (answer.status, answer.body) == (200, b'{"bytes":10}')

    async def quiet(self) -> None:
        """Every byte was given back."""
        await until(lambda: self.front.ledger.used == 0 and not self.state.tasks)


Start = Callable[..., Coroutine[Any, Any, Fronted]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts fronts with what a test changes."""
    async with contextlib.AsyncExitStack() as stack:

        async def _start(door: TinyDoor | None = None, **limits: Any) -> Fronted:
            return await stack.enter_async_context(fronted(door or TinyDoor(), replace(QUICK, **limits)))

        yield _start


@pytest.fixture
async def front(start: Start) -> Fronted:
    """A front with impatient limits."""
    return await start()


@contextlib.asynccontextmanager
async def fronted(door: TinyDoor, limits: FrontLimits) -> AsyncIterator[Fronted]:
    drain, pages = Drain(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pages.append(scope)
        if dict(scope["headers"]).get(b"authorization") == b"Bearer good":
            acquaint(scope)
        body = orjson.dumps({"path": scope["path"], "body": len((await receive())["body"])})
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    front = Front(door, drain, limits)
    config = uvicorn.Config(app, http=front.protocol(), lifespan="off", log_config=None, access_log=False)
    config.load()
    state = ServerState()
    make: Callable[..., asyncio.Protocol] = config.http_protocol_class  # its Protocol type has no constructor
    protocol = partial(make, config=config, server_state=state, app_state={})
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=4096)
    async with contextlib.AsyncExitStack() as stack:
        port = server.sockets[0].getsockname()[1]
        try:
            yield Fronted(port, front, door, drain, state, pages, stack)
        finally:
            server.close()
            for connection in list(state.connections):
                connection.shutdown()
            await stack.aclose()
            await until(lambda: not state.tasks and not state.connections)
