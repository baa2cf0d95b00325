"""Every form in which HTTP lets an engine answer is read, and what is no HTTP becomes a 502."""

import asyncio
import gc
import sys

import pytest
from tests.integration.gateway.engines.scripted import (
    DONE,
    STREAM_HEAD,
    Asked,
    Client,
    Run,
    Scripted,
    Visit,
    chunk,
    house,
    on_both_loops,
    plain,
    stream,
)
from tests.support.polling import until

from qwen3vl_server.gateway.engines.answer import HEAD_BYTES, WHOLE_BYTES, Answer, Broken
from qwen3vl_server.gateway.engines.pool import host_and_port
from qwen3vl_server.gateway.engines.relay import Relay

EVENTS = (b'data: {"a": 1}\n\n', b'data: {"a": 2}\r\n\r\n')


def until_close(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + content


def closing(content: bytes) -> object:
    def reply(visit: Visit) -> None:
        visit.write(content)
        visit.transport.close()

    return reply


async def hand_in_pieces(visit: Visit, content: bytes, size: int) -> None:
    for begin in range(0, len(content), size):
        visit.write(content[begin : begin + size])
        await asyncio.sleep(0)


@on_both_loops
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (plain(b"{}"), b"{}"),
        (plain(b""), b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunk(b"{") + chunk(b"}") + chunk(b""), b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: a\r\n\r\n" + plain(b"{}"), b"{}"),
        (plain(b"{}", 200, b"connection: close"), b"{}"),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", b"{}"),
        (closing(until_close(b"{}")), b"{}"),
        (closing(b"HTTP/1.0 200 OK\r\n\r\n{}"), b"{}"),
        (lambda visit: visit.later(hand_in_pieces(visit, plain(b'{"a": 1}'), 1)), b'{"a": 1}'),
    ],
)
def test_a_whole_answer_of_any_form(run: Run, answer: object, body: bytes) -> None:
    async def main() -> None:
        async with house(Scripted([answer])) as one:  # type: ignore[list-item]  # bytes or a reply
            for _ in range(2):
                client = await one.ask()
                assert (client.error, client.status, client.body, client.length) == (None, 200, body, len(body))
                assert client.headers[b"x-request-id"] == b"some-id"
                assert client.ended

    run(main())


@on_both_loops
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_stream_passes_byte_for_byte_in_whole_events(run: Run, size: int) -> None:
    async def main() -> None:
        sent = stream(*EVENTS, DONE)
        async with house(Scripted([lambda visit: visit.later(hand_in_pieces(visit, sent, size))])) as one:
            client = await one.ask(stream=True)
        assert (client.error, client.length, client.body) == (None, None, b"".join([*EVENTS, DONE]))
        assert all(piece.endswith((b"\n\n", b"\r\n\r\n")) for piece in client.pieces)
        assert client.headers[b"content-type"] == b"text/event-stream"
        assert client.headers[b"cache-control"] == b"no-cache"

    run(main())


@on_both_loops
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"hello\r\n\r\n", "garbage"),
        (b"HTTP/1.1 two OK\r\n\r\n", "garbage"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "garbage"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n", "garbage"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n" + chunk(b"x") + chunk(b""), "garbage"),
        (plain(b"{}", 200, b"content-encoding: gzip"), "garbage"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "garbage"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "garbage"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * HEAD_BYTES, "garbage"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000, "garbage"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (WHOLE_BYTES + 1), "too_large"),
        (closing(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}"), "broken"),
        (closing(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"{}")), "broken"),
        (closing(b"HTTP/1.1 200 OK\r\nconte"), "broken"),
        (plain(b"", 204), "status_204"),
        (plain(b"", 307, b"location: http://127.0.0.1:9/"), "status_307"),
        (plain(b"", 304), "status_304"),
        (plain(b"the key", 401), "status_401"),
        (plain(b"the key", 403), "status_403"),
        (plain(b"proxy", 504), "status_504"),
    ],
)
def test_what_is_no_answer_is_502_at_once_and_is_not_tried_again(run: Run, answer: object, code: str) -> None:
    async def main() -> None:
        async with house(Scripted([answer])) as one:  # type: ignore[list-item]  # bytes or a reply
            client = await one.ask()
            assert client.error is not None
            assert (client.error.status, client.error.code) == (502, "engine_error")
            assert client.error.headers()["x-should-retry"] == "false"
            assert "key" not in str(client.error)
            assert one.metric("upstream_errors_total", reason=code) == 1
            assert len(one.scripted[0].requests) == 1
            assert not client.started

    run(main())


def test_an_endless_answer_that_is_no_stream_ends_in_502() -> None:
    answer = Answer(lambda _: None)
    answer.feed(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    piece = bytes(1 << 20)
    for _ in range(WHOLE_BYTES >> 20):
        answer.feed(piece)
        assert answer.broken is None
    answer.feed(b"x")
    assert answer.broken is Broken.TOO_LARGE
    assert answer.take() == []


@on_both_loops
def test_of_an_endless_refusal_only_the_beginning_is_read(run: Run) -> None:
    async def main() -> None:
        async with house(Scripted([b"HTTP/1.1 400 Bad\r\n\r\n" + b"x" * 300_000])) as one:
            client = await one.ask()
            assert client.error is not None and client.error.status == 400

    run(main())


@on_both_loops
def test_a_connection_is_used_again_and_says_who_asks(run: Run) -> None:
    async def main() -> None:
        async with house(Scripted()) as one:
            for _ in range(3):
                await one.ask(b'{"n": 1}')
            engine = one.scripted[0]
            assert len(engine.visits) == 1
            head, body = engine.requests[2]
            assert body == b'{"n": 1}'
            lines = head.split(b"\r\n")
            assert lines[0] == b"POST /v1/chat/completions HTTP/1.1"
            assert set(lines[1:]) == {
                b"host: " + engine.address.encode(),
                b"accept-encoding: identity",
                b"authorization: Bearer the-key",
                b"content-type: application/json",
                b"x-request-id: some-id",
                b"content-length: 8",
            }

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        plain(b"{}", 200, b"connection: close"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        plain(b"{}") + b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{smuggled",
        plain(b"{}") + b"rubbish",
    ],
)
@on_both_loops
def test_a_connection_of_which_more_may_come_is_not_used_again(run: Run, answer: bytes) -> None:
    async def main() -> None:
        async with house(Scripted([answer])) as one:
            for _ in range(3):
                assert (await one.ask()).body == b"{}"
            assert len(one.scripted[0].visits) == 3

    run(main())


@on_both_loops
def test_bytes_on_an_idle_connection_close_it(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with house(Scripted()) as one:
            await one.ask()
            one.scripted[0].visits[0].write(plain(b"{smuggled}"))
            await until(lambda: one.scripted[0].lost, 2)
            assert (await one.ask()).body == b'{"ok": 1}'
            assert caplog.records == []

    run(main())


@on_both_loops
@pytest.mark.parametrize("size", [0, 1_000, (1 << 20) - 1, 1 << 20, 5_000_001])
def test_a_body_of_any_size_arrives_whole_while_the_loop_turns(run: Run, size: int) -> None:
    async def main() -> None:
        async with house(Scripted()) as one:
            turns = 0

            async def turn() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            turning = asyncio.create_task(turn())
            for _ in range(2):
                assert (await one.ask(b"y" * size)).status == 200
            turning.cancel()
            assert [body for _, body in one.scripted[0].requests] == [b"y" * size] * 2
            assert len(one.scripted[0].visits) == 1
            assert turns > 2 * size >> 18

    run(main())


@on_both_loops
def test_an_engine_that_refuses_a_large_body_before_its_end_is_heard(run: Run) -> None:
    def refuse(visit: Visit) -> None:
        visit.transport.pause_reading()
        visit.write(plain(b'{"error": {"message": "too long"}}', 413))

    async def main() -> None:
        async with house(Scripted(impatient=refuse)) as one:
            client = await one.ask(b"y" * 50_000_000)
            assert client.error is not None
            assert (client.error.status, str(client.error)) == (413, "too long")
            assert one.scripted[0].received < 40_000_000

    run(main())


@on_both_loops
def test_a_connection_on_which_a_body_was_not_sent_to_its_end_is_not_used_again(run: Run) -> None:
    def refuse_once(visit: Visit) -> None:
        visit.engine.impatient = lambda _: None
        visit.write(plain(b"{}", 413))

    async def main() -> None:
        engine = Scripted(impatient=refuse_once)
        async with house(engine) as one:
            assert (await one.ask(b"y" * 20_000_000)).error is not None
            engine.impatient = None
            assert (await one.ask()).error is None
            assert len(engine.visits) == 2

    run(main())


@on_both_loops
def test_the_body_is_let_go_at_the_answers_head(run: Run) -> None:
    async def main() -> None:
        asked = Asked(b"y" * 2_000_000, stream=True)
        body, asked.body = asked.body, b""
        alone = sys.getrefcount(body)
        asked.body = body
        async with house(Scripted([lambda visit: visit.write(STREAM_HEAD)])) as one:
            client = Client()
            asking = asyncio.create_task(one.hand_to(client, asked))
            while not client.released:
                assert sys.getrefcount(body) > alone
                await asyncio.sleep(0)
            asked.body = b""
            await asyncio.sleep(0)
            assert sys.getrefcount(body) == alone
            one.scripted[0].visits[0].write(chunk(DONE) + chunk(b""))
            await asking
            assert (client.body, client.released) == (DONE, 1)

    run(main())


@on_both_loops
def test_nothing_of_a_request_is_left_to_the_collector_of_cycles(run: Run) -> None:
    async def main() -> None:
        replies = [plain(), stream(DONE), plain(b"{}", 400), plain(b"", 500), plain(b"", 307), b"rubbish\r\n", plain()]
        async with house(Scripted(replies)) as one:
            gc.collect()  # of other tests
            gc.disable()
            try:
                for number in range(len(replies)):
                    await one.ask(stream=number == 1)
                kept = [found for found in gc.get_objects() if isinstance(found, Answer | Relay | Client)]
                assert kept == []
            finally:
                gc.enable()

    run(main())


@pytest.mark.parametrize(
    ("address", "parts"), [("h:1", ("h", 1)), ("[::1]:80", ("::1", 80)), ("10.0.0.1:8000", ("10.0.0.1", 8000))]
)
def test_an_address_has_host_and_port(address: str, parts: tuple[str, int]) -> None:
    assert host_and_port(address) == parts


@on_both_loops
def test_nor_is_one_that_streams_before_the_body_was_sent_to_its_end(run: Run) -> None:
    client = Client()

    async def end(visit: Visit) -> None:
        await until(lambda: client.started)
        visit.transport.resume_reading()
        await asyncio.sleep(0.05)  # all that was written is taken: nothing but the unsent rest speaks against it
        visit.write(chunk(DONE) + chunk(b""))

    def stream_at_once(visit: Visit) -> None:
        visit.engine.impatient = lambda _: None
        visit.transport.pause_reading()
        visit.write(STREAM_HEAD + chunk(EVENTS[0]))
        visit.later(end(visit))

    async def main() -> None:
        engine = Scripted(impatient=stream_at_once)
        async with house(engine) as one:
            await one.hand_to(client, Asked(b"y" * 20_000_000, stream=True))
            assert (client.body, client.ended) == (EVENTS[0] + DONE, True)
            assert engine.received < 20_000_000
            engine.impatient = None
            assert (await one.ask()).status == 200
            assert len(engine.visits) == 2

    run(main())


@on_both_loops
def test_trailers_change_nothing(run: Run) -> None:
    trailers = b"transfer-encoding: gzip\r\ncontent-type: text/html\r\ncontent-encoding: br\r\n"

    async def main() -> None:
        plain_head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        end = b"0\r\n" + trailers + b"\r\n"
        replies = [STREAM_HEAD + chunk(EVENTS[0] + DONE) + end, plain_head + chunk(b"{}") + end]
        async with house(Scripted(replies)) as one:
            client = await one.ask(stream=True)
            assert (client.error, client.body, client.ended) == (None, EVENTS[0] + DONE, True)
            client = await one.ask()
            assert (client.error, client.headers[b"content-type"]) == (None, b"application/json")

    run(main())
