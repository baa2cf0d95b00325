"""Clients that take their time, with heads, with bodies, and with answers."""

import asyncio
import time
import tracemalloc
from dataclasses import replace

from tests.integration.gateway.front.conftest import HEALTH, MIB, QUICK, Fronted, Raw, Start, TinyDoor, request
from tests.support.polling import until

from qwen3vl_server.gateway.front import Exchange, FrontLimits
from qwen3vl_server.gateway.front.sweeper import Sweeper


async def test_a_connection_that_says_nothing_is_closed(front: Fronted) -> None:
    assert await (await front.connect()).closed() == b""


async def test_half_a_head_is_told_and_closed(front: Fronted) -> None:
    client = await front.connect()
    answer = await client.ask(b"POST /v1/chat")
    assert (answer.status, answer.code, answer.closes) == (408, "request_timeout", True)
    assert await client.closed() == b""


async def test_a_head_byte_by_byte_does_not_take_longer(front: Fronted) -> None:
    client = await front.connect()

    async def drip() -> None:
        for byte in request():
            client.send(bytes([byte]))
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await client.answer()).status == 408
    dripping.cancel()


async def test_the_next_head_has_its_own_time_and_silence_between_them_a_longer_one(start: Start) -> None:
    front = await start(head_seconds=0.2, keep_alive_seconds=30)
    client = await front.connect()
    assert (await client.ask(request())).status == 200
    ticks = front.front.sweeper.now + 2
    await until(lambda: front.front.sweeper.now > ticks)
    assert (await client.ask(HEALTH)).status == 200
    assert (await client.ask(b"GET /he")).status == 408


async def test_an_idle_connection_is_closed_in_the_end(front: Fronted) -> None:
    client = await front.connect()
    await client.ask(request())
    assert await client.closed() == b""


async def test_the_room_of_a_slow_body_is_given_back_with_its_memory(start: Start) -> None:
    front = await start(refused_seconds=30)
    client = await front.connect()
    tracemalloc.start()
    try:
        client.send(request(b"x" * 6 * MIB, length=7 * MIB))
        assert (await client.answer()).status == 408
        assert front.front.ledger.used == 0
        assert tracemalloc.get_traced_memory()[0] < MIB
    finally:
        tracemalloc.stop()


async def test_a_slow_body_is_told_and_its_room_given_back(front: Fronted) -> None:
    client = await front.connect()
    answer = await client.ask(request(b"x" * 100, length=MIB))
    assert (answer.status, answer.code, answer.closes) == (408, "request_timeout", True)
    await front.quiet()
    assert front.door.exchanges == []


async def test_a_body_that_was_fast_once_does_not_live_on_that(front: Fronted) -> None:
    client = await front.connect()
    assert (await client.ask(request(b"x" * 4 * MIB, length=5 * MIB))).status == 408


async def test_a_body_that_is_fast_enough_may_last(start: Start) -> None:
    front = await start(body_window_seconds=0.2, body_bytes_per_second=1000)
    client = await front.connect()
    client.send(request(b"", length=60_000))
    for _ in range(60):
        client.send(b"x" * 1000)
        await asyncio.sleep(0.01)
    assert (await client.answer()).body == b'{"bytes":60000}'


async def test_time_in_which_our_loop_stands_still_is_nobodys_fault() -> None:
    class Looker:
        def __init__(self) -> None:
            self.seen: list[float] = []

        def look(self, now: float) -> None:
            self.seen.append(now)

    sweeper, looker = Sweeper(0.01), Looker()
    sweeper.add(looker)
    time.sleep(0.3)  # noqa: ASYNC251 - that is the loop standing still
    await until(lambda: looker.seen)
    assert looker.seen[0] <= 0.02
    sweeper.remove(looker)


async def endless(exchange: Exchange) -> None:
    await exchange.start(200, [], None)
    while True:
        await exchange.write(b"x" * 65536)


async def never_reads(front: Fronted, data: bytes) -> Raw:
    client = await front.connect()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined] # of asyncio's own transports
    client.send(data)
    return client


def unsent(front: Fronted) -> list[int]:
    return [one.transport.get_write_buffer_size() for one in front.state.connections]


async def test_clients_that_never_read_a_stream_hold_little_and_are_dropped(start: Start) -> None:
    front = await start(TinyDoor(endless), taking_seconds=1.0)
    for _ in range(200):
        await never_reads(front, request())
    await until(lambda: len(front.door.exchanges) == 200)
    await until(lambda: all(unsent(front)), seconds=30)
    assert max(unsent(front)) < 300_000
    await until(lambda: not front.state.connections, seconds=30)
    await front.quiet()
    assert all(exchange.gone for exchange in front.door.exchanges)


async def test_a_whole_answer_that_nobody_takes_is_dropped_after_it_is_complete(start: Start) -> None:
    async def huge(exchange: Exchange) -> None:
        await exchange.start(200, [], 20 * MIB)
        await exchange.write(bytes(20 * MIB))
        await exchange.end()

    front = await start(TinyDoor(huge))
    await never_reads(front, request())
    await until(lambda: any(unsent(front)))
    await until(lambda: not front.state.connections)
    await front.quiet()


async def test_a_client_that_reads_slowly_is_no_such_client(start: Start) -> None:
    size = 30 * MIB

    async def huge(exchange: Exchange) -> None:
        await exchange.start(200, [], size)
        await exchange.write(bytes(size))
        await exchange.end()

    front = await start(TinyDoor(huge), taking_seconds=0.3)
    client = await front.connect()
    client.send(request())
    head = await client.reader.readuntil(b"\r\n\r\n")
    assert b"content-length: %d" % size in head
    left = size
    for _ in range(15):
        left -= len(await client.reader.readexactly(MIB))
        await asyncio.sleep(0.1)
    await client.reader.readexactly(left)


def test_tests_are_impatient_and_the_gateway_is_not() -> None:
    assert QUICK.tick_seconds < 0.1
    assert FrontLimits().tick_seconds == 0.5
    assert replace(FrontLimits(), refused_seconds=1).tick_seconds == 0.25
