"""Requests sent ahead of the answers: in order, one at a time, and never more of them in memory than is bounded."""

import asyncio

import pytest
from tests.integration.gateway.front.conftest import HEALTH, MIB, Start, TinyDoor, chunked, request, say_ok
from tests.support.polling import until

from qwen3vl_server.gateway.front import Exchange
from qwen3vl_server.gateway.front.protocol import FrontProtocol


async def test_they_are_answered_in_order_whoever_answers(start: Start) -> None:
    front = await start()
    client = await front.connect()
    client.send(b"".join(request(b"x" * size) + HEALTH for size in range(300)))
    for size in range(300):
        assert (await client.answer()).body == b'{"bytes":%d}' % size
        assert (await client.answer()).body == b'{"path":"/health","body":0}'
    await front.quiet()


async def test_one_is_answered_at_a_time(start: Start) -> None:
    running, most = 0, 0

    async def count(exchange: Exchange) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        await exchange.start(204, [], 0)
        running -= 1
        await exchange.end()

    client = await (await start(TinyDoor(count))).connect()
    client.send(request(b"xyz") * 40)
    assert [(await client.answer()).status for _ in range(40)] == [204] * 40
    assert most == 1


async def test_a_refusal_comes_after_the_answers_before_it_and_what_is_behind_it_is_dropped(start: Start) -> None:
    front = await start()
    client = await front.connect()
    client.send(request(b"{}") + request(b"{}", key="bad") + request(b"{}") + b"nonsense\r\n\r\n" + request(b"{}"))
    assert [(await client.answer()).status for _ in range(4)] == [200, 401, 200, 400]
    assert await client.closed() == b""
    assert len(front.door.exchanges) == 2


async def test_what_comes_with_the_end_of_a_body_in_chunks_is_not_taken_for_part_of_it(start: Start) -> None:
    front = await start()
    client = await front.connect()
    client.send(chunked(b"abc") + request(b"{}"))
    answer = await client.answer()
    # Where it begins is not known: the client is told to send it again.
    assert (answer.body, answer.closes) == (b'{"bytes":3}', True)
    assert await client.closed() == b""
    await client.close()
    assert len(front.door.exchanges) == 1


@pytest.mark.parametrize("first", [b"", request()], ids=["a stranger", "a client with a key"])
async def test_a_client_that_only_sends_is_not_read_on_and_dropped(start: Start, first: bytes) -> None:
    front = await start(taking_seconds=1.0)
    clients = [await front.connect() for _ in range(5)]
    for client in clients:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # of asyncio's own transports
        client.send(first + HEALTH.replace(b"/health", b"/" + b"x" * 6000) * 3000)
    most = 0
    while front.state.connections:
        for one in front.state.connections:
            assert isinstance(one, FrontProtocol)
            most = max(most, len(one._ahead) + one.transport.get_write_buffer_size())
        await asyncio.sleep(0.01)
    assert most < 512 * 1024
    assert len(front.pages) < 5 * 3000
    await front.healthy()


async def test_a_known_client_may_send_a_large_request_ahead(start: Start) -> None:
    front = await start()
    client = await front.connect()
    bodies = [b"x" * (MIB * n // 4) for n in range(1, 9)]
    for body in bodies:
        client.send(request(body))
    for body in bodies:
        assert (await client.answer()).body == b'{"bytes":%d}' % len(body)
    await front.quiet()


async def test_a_client_that_leaves_is_noticed_although_it_sent_much_ahead(start: Start) -> None:
    async def never(_: Exchange) -> None:
        await asyncio.Event().wait()

    front = await start(TinyDoor(never), hoarders=0)
    client = await front.connect()
    client.send(request() + request(b"x" * 4_000_000))
    await until(lambda: bool(front.door.exchanges))
    await client.close()
    await front.quiet()
    assert front.door.exchanges[0].gone


async def test_only_so_many_connections_hold_much_that_came_ahead(start: Start) -> None:
    answer = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await answer.wait()
        await say_ok(exchange)

    front = await start(TinyDoor(wait), hoarders=2)
    clients = [await front.connect() for _ in range(4)]
    for client in clients:
        client.send(request() + request(b"x" * 400_000))
    await until(lambda: len(front.door.exchanges) == 4 and len(front.front.hoarders) == 2)
    held = [len(one._ahead) for one in front.front.sweeper.connections if isinstance(one, FrontProtocol)]
    assert sorted(map(bool, held)) == [False, False, True, True]
    answer.set()
    first = [await client.answer() for client in clients]
    assert [one.status for one in first] == [200] * 4
    assert sum(one.closes for one in first) == 2
    second = [await client.answer() for client, one in zip(clients, first, strict=True) if not one.closes]
    assert [one.body for one in second] == [b'{"bytes":400000}'] * 2
    await front.quiet()
