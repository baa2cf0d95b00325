"""How a request for an engine is answered without the application."""

import asyncio

import pytest
from tests.integration.gateway.front.conftest import HEALTH, Fronted, Start, TinyDoor, chunked, request
from tests.support.polling import until

from qwen3vl_common.errors import EngineFailed
from qwen3vl_server.gateway.front import Exchange, Head
from qwen3vl_server.gateway.front.connection import FrontConnection


async def test_a_whole_answer_has_its_length_and_the_connection_goes_on(front: Fronted) -> None:
    client = await front.connect()
    for size in (0, 1, 82_000, 3_000_000):
        answer = await client.ask(request(b"x" * size))
        assert (answer.status, answer.body) == (200, b'{"bytes":%d}' % size)
        assert "connection" not in answer.headers
    assert (await client.ask(HEALTH)).status == 200
    assert (await client.ask(request(b"x"))).status == 200
    assert len(front.door.exchanges) == 5
    await front.quiet()


async def test_a_body_in_many_pieces_and_in_chunks_is_the_same(front: Fronted) -> None:
    client = await front.connect()
    for piece in (request(b"abc" * 50)[i : i + 7] for i in range(0, len(request(b"abc" * 50)), 7)):
        client.send(piece)
        await client.writer.drain()
        await asyncio.sleep(0)
    assert (await client.answer()).body == b'{"bytes":150}'
    assert (await client.ask(chunked(b"abc", b"d" * 5000))).body == b'{"bytes":5003}'
    assert (await client.ask(chunked())).body == b'{"bytes":0}'
    await front.quiet()


async def stream(exchange: Exchange) -> None:
    await exchange.start(200, [(b"content-type", b"text/event-stream")], None)
    for word in (b"data: one\n\n", b"", b"data: two\n\n"):
        await exchange.write(word)
    await exchange.end()


async def test_a_stream_is_chunked_and_ends_with_the_connection_for_http_1_0(start: Start) -> None:
    front = await start(TinyDoor(stream))
    client = await front.connect()
    for _ in range(2):
        answer = await client.ask(request())
        assert (answer.body, answer.headers["transfer-encoding"]) == (b"data: one\n\ndata: two\n\n", "chunked")
    old = await front.ask(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert old.body == b"data: one\n\ndata: two\n\n"
    assert old.closes
    assert "transfer-encoding" not in old.headers


async def test_the_connection_closes_where_the_client_says_so_or_speaks_http_1_0(front: Fronted) -> None:
    for raw in (request(headers=b"connection: close\r\n"), request().replace(b"HTTP/1.1", b"HTTP/1.0")):
        client = await front.connect()
        answer = await client.ask(raw)
        assert (answer.status, answer.body, answer.closes) == (200, b'{"bytes":2}', True)
        assert await client.closed() == b""


async def test_an_error_is_an_answer_before_the_start_and_an_event_after_it(start: Start) -> None:
    async def fail(exchange: Exchange) -> None:
        if exchange.take_body() == b"late":
            await exchange.start(200, [], None)
            await exchange.write(b"data: one\n\n")
        await exchange.error(EngineFailed("the engine broke"), [(b"x-request-id", b"r1")])

    front = await start(TinyDoor(fail))
    client = await front.connect()
    early = await client.ask(request(b"early"))
    assert (early.status, early.code, early.headers["x-request-id"]) == (502, "engine_error", "r1")
    late = await client.ask(request(b"late"))
    assert late.body.startswith(b'data: one\n\ndata: {"error":')
    assert (await client.ask(request(b"early"))).status == 502
    await front.quiet()


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: x", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_header_cannot_begin_another_line(start: Start, value: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-type", value)], 0)

    answered = await (await start(TinyDoor(answer))).ask(request())
    assert (answered.status, answered.code) == (500, "internal_error")
    assert "set-cookie" not in answered.headers


async def test_a_door_that_fails_or_forgets_to_answer_is_an_error_of_ours(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(exchange: Exchange) -> None:
        if exchange.take_body() == b"raise":
            raise ZeroDivisionError

    front = await start(TinyDoor(answer))
    for body in (b"raise", b"forget"):
        answered = await front.ask(request(body))
        assert (answered.status, answered.code) == (500, "internal_error")
    assert [record.exc_info is not None for record in caplog.records] == [True]
    await front.quiet()


async def test_a_door_that_fails_to_look_at_a_key_is_an_error_of_ours(start: Start) -> None:
    class Broken(TinyDoor):
        def admit(self, head: Head) -> str:
            raise ZeroDivisionError

    front = await start(Broken())
    answered = await front.ask(request())
    assert (answered.status, answered.code, answered.closes) == (500, "internal_error", True)
    assert front.front.ledger.used == 0


async def test_an_error_in_place_of_an_announced_answer_of_which_nothing_went_out(start: Start) -> None:
    async def change_its_mind(exchange: Exchange) -> None:
        await exchange.start(200, [], 100)
        await exchange.error(EngineFailed("the engine broke"))

    answered = await (await start(TinyDoor(change_its_mind))).ask(request())
    assert (answered.status, answered.code) == (502, "engine_error")


async def test_an_answer_that_ends_too_early_is_cut_where_the_client_sees_it(start: Start) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.start(200, [], 100)
        await exchange.write(b"half")
        raise ZeroDivisionError

    client = await (await start(TinyDoor(answer))).connect()
    client.send(request())
    assert (await client.closed()).endswith(b"\r\n\r\nhalf")


async def test_a_client_that_leaves_cancels_the_task_and_gives_its_bytes_back(start: Start) -> None:
    async def hang(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    front = await start(TinyDoor(hang))
    client = await front.connect()
    client.send(request(b"x" * 1000))
    await until(lambda: len(front.door.exchanges) == 1)
    assert front.front.ledger.used == 1000
    await client.close()
    await front.quiet()
    assert front.door.exchanges[0].gone


async def test_the_body_is_taken_once_and_its_bytes_are_given_back_once(start: Start) -> None:
    taken = []

    async def answer(exchange: Exchange) -> None:
        exchange.take_body()
        with pytest.raises(RuntimeError, match="taken already"):
            exchange.take_body()
        for _ in range(2):
            exchange.release_body()
            taken.append(front.front.ledger.used)
        await exchange.start(204, [], 0)
        await exchange.end()

    front = await start(TinyDoor(answer))
    assert (await front.ask(request(b"x" * 100))).status == 204
    assert taken == [0, 0]


async def test_a_whole_answer_is_one_write(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    front = await start()
    sent: list[bytes] = []
    send = FrontConnection.send

    def remember(connection: FrontConnection, data: bytes | memoryview) -> None:
        sent.append(bytes(data))
        send(connection, data)

    monkeypatch.setattr(FrontConnection, "send", remember)
    await front.ask(request())
    assert len(sent) == 1
