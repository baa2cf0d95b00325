"""Leaving in order, with uvicorn's own server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import uvicorn
from tests.integration.gateway.front.conftest import QUICK, Answer, Raw, TinyDoor, request
from tests.support.polling import until

from qwen3vl_common.drain import Drain, DrainingServer
from qwen3vl_server.gateway.front import Exchange, Front


@dataclass
class Server:
    server: DrainingServer
    serving: asyncio.Task[None]
    door: TinyDoor

    async def connect(self) -> Raw:
        port = self.server.servers[0].sockets[0].getsockname()[1]
        return Raw(*await asyncio.open_connection("127.0.0.1", port))


@contextlib.asynccontextmanager
async def served(door: TinyDoor, *, finish_seconds: float = 60) -> AsyncIterator[Server]:
    drain = Drain()
    front = Front(door, drain, QUICK)

    async def app(scope: object, receive: object, send: object) -> None:
        raise AssertionError

    config = uvicorn.Config(
        app, "127.0.0.1", 0, http=front.protocol(), lifespan="off", log_config=None, access_log=False
    )
    server = DrainingServer(config, drain, drain_seconds=0.1, finish_seconds=finish_seconds)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield Server(server, serving, door)
    finally:
        server.force_exit = server.should_exit = True
        await serving


class Slow(TinyDoor):
    def __init__(self) -> None:
        super().__init__(self.stream)
        self.go_on = asyncio.Event()

    async def stream(self, exchange: Exchange) -> None:
        await exchange.start(200, [], None)
        await exchange.write(b"data: one\n\n")
        await self.go_on.wait()
        await exchange.write(b"data: two\n\n")
        await exchange.end()


async def test_what_is_open_is_finished_and_the_server_waits_for_it() -> None:
    door = Slow()
    async with served(door) as server:
        idle, busy = await server.connect(), await server.connect()
        busy.send(request())
        await until(lambda: len(door.exchanges) == 1)
        server.server.stop()
        assert await idle.closed() == b""
        assert not server.serving.done()
        door.go_on.set()
        answer = await busy.answer()
        assert answer.body == b"data: one\n\ndata: two\n\n"
        assert await busy.closed() == b""
        await asyncio.wait_for(server.serving, 10)
        for client in (idle, busy):
            await client.close()


async def test_once_told_every_answer_says_that_the_connection_closes() -> None:
    async with served(TinyDoor()) as server:
        client = await server.connect()
        assert not (await client.ask(request())).closes
        server.server.stop()
        assert (await client.ask(request())).closes
        assert await client.closed() == b""
        await client.close()


async def test_what_is_still_open_when_time_is_up_is_told_why() -> None:
    async def hang(exchange: Exchange) -> None:
        if exchange.take_body() == b"begun":
            await exchange.start(200, [], None)
            await exchange.write(b"data: one\n\n")
        await asyncio.Event().wait()

    door = TinyDoor(hang)
    async with served(door, finish_seconds=0.3) as server:
        clients = [await server.connect() for _ in range(3)]
        clients[0].send(request(b"begun"))
        clients[1].send(request(b"waits"))
        clients[2].send(request(b"x" * 100_000, length=100_001))
        await until(lambda: len(door.exchanges) == 2)
        server.server.stop()
        answers: list[Answer] = [await client.answer() for client in clients[:2]]
        assert answers[0].body.startswith(b'data: one\n\ndata: {"error":{"message":"the gateway is being replaced')
        assert (answers[1].status, answers[1].code, answers[1].closes) == (503, "model_unavailable", True)
        third = await clients[2].answer()
        assert third.status in (408, 503)
        assert all(exchange.replaced for exchange in door.exchanges)
        await asyncio.wait_for(server.serving, 10)
        for client in clients:
            await client.close()
