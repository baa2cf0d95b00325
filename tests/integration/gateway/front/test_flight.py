"""Bodies wait for room before they are read, and for no answer that they could have had before."""

import asyncio

from tests.integration.gateway.front.conftest import MIB, Start, TinyDoor, chunked, request
from tests.support.polling import until

from qwen3vl_server.gateway.front import Exchange


class Gate(TinyDoor):
    """Answers when it is opened; the bytes are held until then."""

    def __init__(self) -> None:
        super().__init__(self.wait)
        self.open = asyncio.Event()

    async def wait(self, exchange: Exchange) -> None:
        await self.open.wait()
        await exchange.start(204, [], 0)
        await exchange.end()


CONTINUE = b"expect: 100-continue\r\n"


async def test_a_body_waits_unread_until_others_are_given_back(start: Start) -> None:
    gate = Gate()
    front = await start(gate, max_body_bytes=MIB, share_bytes=MIB, flight_bytes=2 * MIB, room_seconds=20)
    holders = [await front.connect() for _ in range(2)]
    for holder, key in zip(holders, ("good1", "good2"), strict=True):
        holder.send(request(b"x" * MIB, key=key))
    await until(lambda: front.front.ledger.used == 2 * MIB)
    waits = await front.connect()
    waits.send(request(b"x" * 1000, key="good3"))
    await until(lambda: front.front.ledger.waiting == 1)
    asks = await front.connect()
    asks.send(request(b"", key="good3", length=1000, headers=CONTINUE))
    await until(lambda: front.front.ledger.waiting == 2)
    gate.open.set()
    assert (await waits.answer()).status == 204
    assert (await asks.answer()).status == 100
    assert (await asks.ask(b"y" * 1000)).status == 204
    assert len(gate.exchanges) == 4
    await front.quiet()


async def test_without_room_in_time_it_is_told_to_come_again_and_whose_fault_it_is(start: Start) -> None:
    gate = Gate()
    front = await start(gate, max_body_bytes=MIB, share_bytes=MIB, flight_bytes=2 * MIB)
    for key in ("good1", "good2"):
        (await front.connect()).send(request(b"x" * MIB, key=key))
    await until(lambda: front.front.ledger.used == 2 * MIB)
    own, others = await asyncio.gather(
        front.ask(request(b"", key="good1", length=1000, headers=CONTINUE)),
        front.ask(request(b"x" * 5000, key="good3")),
    )
    assert (own.status, own.code, own.headers["retry-after"], own.closes) == (429, "overloaded", "2", True)
    assert (others.status, others.code, others.headers["retry-after"], others.closes) == (503, "overloaded", "2", True)
    assert front.front.ledger.waiting == 0
    gate.open.set()
    await front.quiet()


async def test_a_full_client_holds_up_nobody_else(start: Start) -> None:
    gate = Gate()
    front = await start(gate, max_body_bytes=MIB, share_bytes=MIB, flight_bytes=2 * MIB, room_seconds=20)
    for _ in range(3):
        (await front.connect()).send(request(b"x" * MIB, key="good1"))
    await until(lambda: front.front.ledger.waiting == 2)
    other = await front.connect()
    other.send(request(b"x" * MIB, key="good2"))
    await until(lambda: len(gate.exchanges) == 2)
    gate.open.set()
    assert (await other.answer()).status == 204
    await front.quiet()


async def test_a_body_in_chunks_counts_as_the_longest_until_it_is_complete(start: Start) -> None:
    gate = Gate()
    front = await start(gate, max_body_bytes=MIB)
    client = await front.connect()
    whole = chunked(b"x" * 1000)
    client.send(whole[:-5])
    await until(lambda: front.front.ledger.used == MIB)
    client.send(whole[-5:])
    await until(lambda: front.front.ledger.used == 1000)
    gate.open.set()
    assert (await client.answer()).status == 204
    await front.quiet()


async def test_only_so_many_wait_for_room(start: Start) -> None:
    gate = Gate()
    front = await start(gate, max_body_bytes=MIB, share_bytes=MIB, flight_bytes=MIB, waiting_most=6, room_seconds=20)
    for _ in range(4):
        (await front.connect()).send(request(b"x" * MIB))
    await until(lambda: front.front.ledger.waiting == 3)
    answer = await front.ask(request(b"x"))
    assert (answer.status, answer.code) == (429, "overloaded")
    gate.open.set()
    await front.quiet()


async def test_who_leaves_in_the_middle_of_a_body_gives_its_room_back(start: Start) -> None:
    front = await start()
    client = await front.connect()
    client.send(request(b"x" * 1000, length=MIB))
    await until(lambda: front.front.ledger.used == MIB)
    await client.close()
    await front.quiet()
    assert front.door.exchanges == []


async def test_100_continue_comes_once_there_is_room_and_not_where_the_body_is_there_already(start: Start) -> None:
    front = await start()
    client = await front.connect()
    assert (await client.ask(request(b"", length=5, headers=CONTINUE))).status == 100
    assert (await client.ask(b"abcde")).body == b'{"bytes":5}'
    assert (await client.ask(request(b"abcde", headers=CONTINUE))).status == 200


async def test_a_refused_client_that_still_sends_sees_the_answer(start: Start) -> None:
    front = await start(max_body_bytes=MIB)
    client = await front.connect()
    client.send(request(b"", key="bad", length=900_000))
    for _ in range(9):
        client.send(b"x" * 100_000)
        await client.writer.drain()
    assert (await client.answer()).status == 401
    assert await client.closed() == b""
