"""Connections that have shown no valid key: so many, and the idle ones make room."""

import asyncio

import pytest
from tests.integration.gateway.front.conftest import HEALTH, Start, TinyDoor, request
from tests.support.polling import until

from qwen3vl_common.strangers import Strangers


class Transport(asyncio.Transport):
    """One that remembers whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.shut = False

    def close(self) -> None:
        self.shut = True


def meet(strangers: Strangers, address: str) -> Transport:
    transport = Transport()
    strangers.meet(transport, address)
    return transport


def test_of_one_address_the_oldest_idle_one_makes_room() -> None:
    strangers = Strangers(most=10, most_an_address=2, seconds=None)
    first, other = strangers.meet(Transport(), "a"), meet(strangers, "b")
    first.busy = True
    second = meet(strangers, "a")
    third = meet(strangers, "a")
    assert (second.shut, third.shut, other.shut, len(strangers)) == (True, False, False, 3)


def test_of_all_the_oldest_idle_one_of_the_largest_crowd_makes_room() -> None:
    strangers = Strangers(most=3, most_an_address=None, seconds=None)
    one, many = meet(strangers, "a"), [meet(strangers, "b"), meet(strangers, "b")]
    meet(strangers, "c")
    assert (one.shut, many[0].shut, many[1].shut) == (False, True, False)


def test_where_all_are_busy_there_is_no_place() -> None:
    strangers = Strangers(most=3, most_an_address=2, seconds=None)
    for address in "aab":
        strangers.meet(Transport(), address).busy = True
    assert [strangers.full(address) for address in "abc"] == [True, True, True]
    assert not Strangers(most=0 + 4, most_an_address=2, seconds=None).full("a")


async def test_2000_unfinished_heads_keep_nobody_out(start: Start) -> None:
    front = await start(strangers_an_address=50, strangers=100, head_seconds=30, keep_alive_seconds=60)
    known = await front.connect()
    assert (await known.ask(request())).status == 200
    half = [await front.connect() for _ in range(2000)]
    for client in half:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nx: ")
    await until(lambda: len(front.state.connections) <= 51)
    assert len(front.front.strangers) == 50
    assert (await known.ask(request())).status == 200
    await front.healthy()
    assert (await front.ask(HEALTH)).status == 200


@pytest.mark.parametrize("ask", [request(), HEALTH.replace(b"\r\n\r\n", b"\r\nauthorization: Bearer good\r\n\r\n")])
async def test_a_valid_key_makes_a_connection_known(start: Start, ask: bytes) -> None:
    front = await start(strangers_an_address=3, keep_alive_seconds=60)
    known = await front.connect()
    assert (await known.ask(ask)).status == 200
    assert len(front.front.strangers) == 0
    for _ in range(5):
        assert (await front.ask(request(key="bad"))).status == 401
        assert (await (await front.connect()).ask(HEALTH)).status == 200
    assert len(front.front.strangers) <= 3
    assert (await known.ask(HEALTH)).status == 200


async def test_where_all_are_being_answered_the_newest_is_told_so(start: Start) -> None:
    front = await start(TinyDoor(), strangers_an_address=2, head_seconds=60)
    first, second = await front.connect(), await front.connect()
    for client in (first, second):
        assert (await client.ask(HEALTH)).status == 200
    for stranger in next(iter(front.front.strangers._of.values())):
        stranger.busy = True
    newest = await front.connect()
    answer = await newest.answer()
    assert (answer.status, answer.code, answer.closes) == (503, "overloaded", True)
    assert await newest.closed() == b""
    assert (await first.ask(HEALTH)).status == 200
