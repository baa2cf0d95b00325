"""What an engine's silence leads to: comments, time-outs, the end of an endpoint that left. Minutes take no time."""

import asyncio
import contextlib
import socket
import struct
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.gateway.engines.scripted import (
    DONE,
    STREAM_HEAD,
    Asked,
    Client,
    House,
    Scripted,
    Visit,
    chunk,
    house,
    plain,
    run_virtually,
    stream,
)
from tests.support import virtual_time
from tests.support.polling import until

from qwen3vl_common.errors import ApiError
from qwen3vl_server.gateway.engines import pool
from qwen3vl_server.gateway.engines.connection import HELD_BYTES as RECEIVED_BYTES
from qwen3vl_server.gateway.engines.events import HELD_BYTES
from qwen3vl_server.gateway.engines.relay import COMMENT

EVENT = b'data: {"choices": []}\n\n'


def timed(*steps: tuple[float, bytes]) -> Any:
    """Writes each of these after so many seconds; nothing behind them."""

    async def go(visit: Visit) -> None:
        for seconds, content in steps:
            await asyncio.sleep(seconds)
            visit.write(content)

    return lambda visit: visit.later(go(visit))


def test_a_silent_stream_gets_a_comment_every_15_seconds_once_15_have_passed() -> None:
    async def main() -> None:
        engine = Scripted([timed((50, STREAM_HEAD + chunk(EVENT)), (14, chunk(EVENT)), (16, chunk(DONE) + chunk(b"")))])
        async with house(engine) as one:
            client = await one.ask(stream=True)
        assert client.error is None
        assert client.pieces == [COMMENT, COMMENT, COMMENT, EVENT, EVENT, COMMENT, DONE]
        assert [round(at) for at in client.times] == [15, 30, 45, 50, 64, 79, 80]
        assert (client.status, client.headers[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")

    run_virtually(main())


def test_an_answer_that_is_no_stream_gets_nothing_before_it_is_complete() -> None:
    async def main() -> None:
        async with house(Scripted([timed((40, plain()[:-3]), (40, plain()[-3:]))])) as one:
            client = await one.ask()
        assert (client.pieces, client.times) == ([b'{"ok": 1}'], [80])

    run_virtually(main())


def test_half_an_event_is_not_handed_on_and_so_a_comment_fits_before_it() -> None:
    async def main() -> None:
        begin, end = EVENT[:9], EVENT[9:]
        engine = Scripted([timed((1, STREAM_HEAD + chunk(begin)), (20, chunk(end) + chunk(DONE) + chunk(b"")))])
        async with house(engine) as one:
            client = await one.ask(stream=True)
        assert client.pieces == [COMMENT, EVENT + DONE]

    run_virtually(main())


def test_no_comment_stands_in_an_event_too_large_to_be_held() -> None:
    async def main() -> None:
        large = b"data: " + b"x" * (2 * HELD_BYTES)
        engine = Scripted([timed((1, STREAM_HEAD + chunk(large)), (40, chunk(b"\n\n" + DONE) + chunk(b"")))])
        async with house(engine) as one:
            client = await one.ask(stream=True)
        assert client.body == large + b"\n\n" + DONE

    run_virtually(main())


def test_an_error_after_part_of_a_large_event_is_an_event_of_its_own() -> None:
    async def main() -> None:
        large = b"data: " + b"x" * (2 * HELD_BYTES)
        engine = Scripted([timed((1, STREAM_HEAD + chunk(large)))])
        async with house(engine) as one:
            client = await one.ask(stream=True)
        assert client.body.endswith(b"x\n\n")
        assert client.error is not None and client.error.status == 504

    run_virtually(main())


def test_after_a_comment_another_endpoint_may_still_answer() -> None:
    async def main() -> None:
        bad, good = Scripted([timed((20, plain(b"", 503)))]), Scripted([stream(DONE)])
        async with house(bad, good) as one:
            while not bad.requests:
                client = await one.ask(stream=True)
        assert (client.error, client.pieces) == (None, [COMMENT, DONE])
        assert len(good.requests) >= 1

    run_virtually(main())


@pytest.mark.parametrize("reply", [plain(b"", 500), plain(b"{}", 422), plain(b"{}"), b"rubbish\r\n\r\n"])
def test_after_a_comment_every_failure_is_one_for_an_event(reply: bytes) -> None:
    async def main() -> None:
        async with house(Scripted([timed((20, reply))])) as one:
            client = await one.ask(stream=True)
        assert (client.started, client.pieces, client.ended) == (True, [COMMENT], False)
        assert client.error is not None and client.error.status in (422, 502)

    run_virtually(main())


@pytest.mark.parametrize(
    ("stream", "steps", "seconds", "reason"),
    [
        (False, [], 600, "first_byte_timeout"),
        (True, [], 600, "first_byte_timeout"),
        (False, [(300.0, plain()[:-1])], 600, "first_byte_timeout"),
        (True, [(599.0, STREAM_HEAD + chunk(EVENT))], 719, "idle_timeout"),
        (True, [(1.0, STREAM_HEAD + chunk(EVENT)), (119.0, chunk(EVENT))], 240, "idle_timeout"),
        (True, [(1.0, STREAM_HEAD)], 600, "first_byte_timeout"),
    ],
)
def test_time_outs(stream: bool, steps: list[tuple[float, bytes]], seconds: float, reason: str) -> None:
    async def main() -> None:
        both = [Scripted([timed(*steps)]) for _ in range(2)]
        async with house(*both) as one:
            client = await one.ask(stream=stream)
            assert asyncio.get_running_loop().time() == pytest.approx(seconds)
            assert client.error is not None
            assert (client.error.status, client.error.headers()) == (504, {"x-should-retry": "false"})
            assert one.metric("upstream_errors_total", reason=reason) == 1
            assert sum(len(engine.requests) for engine in both) == 1

    run_virtually(main())


async def leaves(one: House, engine: Scripted, after: float) -> None:
    """The endpoint is routed to no more after so many seconds."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(after)
    left_at = loop.time()
    while True:
        one.gone[engine.address] = loop.time() - left_at
        await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("stream", "steps", "after", "ends"),
    [
        # silent from the beginning; routed to until 10 s
        (False, [], 10.0, 40.0),
        (True, [], 10.0, 40.0),
        (True, [(2.0, STREAM_HEAD + chunk(EVENT))], 10.0, 40.0),
        # gone long ago, silent for 30 s
        (True, [(50.0, STREAM_HEAD + chunk(EVENT))], 25.0, 80.0),
    ],
)
def test_an_answer_ends_when_its_endpoint_has_gone_and_is_silent_for_30_seconds(
    stream: bool, steps: list[tuple[float, bytes]], after: float, ends: float
) -> None:
    async def main() -> None:
        engine = Scripted([timed(*steps)])
        async with house(engine) as one:
            leaving = asyncio.create_task(leaves(one, engine, after))
            client = await one.ask(stream=stream)
            now = asyncio.get_running_loop().time()
            assert ends <= now <= ends + 6
            assert client.error is not None and client.error.status == 502
            assert one.metric("upstream_errors_total", reason="gone") == 1
            leaving.cancel()

    run_virtually(main())


def test_an_endpoint_that_has_gone_and_still_speaks_finishes_its_answer() -> None:
    async def main() -> None:
        steps = [(29.0, chunk(EVENT))] * 8
        engine = Scripted([timed((1, STREAM_HEAD), *steps, (1, chunk(DONE) + chunk(b"")))])
        async with house(engine) as one:
            leaving = asyncio.create_task(leaves(one, engine, 0))
            client = await one.ask(stream=True)
            assert client.error is None
            assert client.body.replace(COMMENT, b"") == EVENT * 8 + DONE
            leaving.cancel()

    run_virtually(main())


def test_a_silent_endpoint_that_is_in_use_may_take_its_time() -> None:
    async def main() -> None:
        async with house(Scripted([timed((500, plain()))])) as one:
            assert (await one.ask()).error is None

    run_virtually(main())


def test_idle_connections_are_closed_after_four_seconds() -> None:
    async def main() -> None:
        engine = Scripted([timed((0, plain()))])
        async with house(engine) as one:
            await asyncio.gather(*(one.ask() for _ in range(5)))
            assert len(engine.visits) == 5
            await asyncio.sleep(2)
            await one.ask()
            await asyncio.sleep(2.1)
            assert engine.lost == 4
            await asyncio.sleep(2)
            assert engine.lost == 5
            await one.ask()
            assert len(engine.visits) == 6

    run_virtually(main())


def test_only_so_many_connections_to_one_endpoint_stay_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "IDLE_MOST", 2)

    async def main() -> None:
        engine = Scripted([timed((0, plain()))])
        async with house(engine) as one:
            await asyncio.gather(*(one.ask() for _ in range(5)))
            await asyncio.sleep(1)
            assert (len(engine.visits), engine.lost) == (5, 3)

    run_virtually(main())


@contextlib.contextmanager
def nobody_answers() -> Iterator[str]:
    """An address at which a connection neither comes about nor is refused: the queue of its socket is full."""
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield f"127.0.0.1:{full.getsockname()[1]}"


def test_the_only_endpoint_that_takes_no_connection_in_time_is_tried_three_times() -> None:
    async def main(address: str) -> None:
        async with house(more=[address]) as one:
            client = await one.ask()
            assert client.error is not None and client.error.status == 503
            assert asyncio.get_running_loop().time() == pytest.approx(6)
            assert one.metric("upstream_errors_total", reason="connect") == 3

    with nobody_answers() as address:
        run_virtually(main(address))


def test_one_that_takes_no_connection_in_time_is_left_for_another() -> None:
    async def main(address: str) -> None:
        async with house(Scripted(), more=[address]) as one:
            while not one.metric("upstream_errors_total", reason="connect"):
                assert (await one.ask()).error is None
            assert one.metric("upstream_retries_total", reason="connect") == 1

    with nobody_answers() as address:
        run_virtually(main(address))


def test_a_client_that_leaves_while_a_connection_is_made_leaves_nothing() -> None:
    async def main(address: str) -> None:
        async with house(more=[address]) as one:
            asking = asyncio.create_task(one.hand_to(Client(), Asked()))
            await asyncio.sleep(1)
            asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == 1

    with nobody_answers() as address:
        run_virtually(main(address))


def test_the_connection_used_last_is_used_first_so_that_the_others_may_be_closed() -> None:
    async def main() -> None:
        engine = Scripted([timed((0, plain()))])
        async with house(engine) as one:
            await asyncio.gather(one.ask(), one.ask())
            for _ in range(3):
                await asyncio.sleep(1.5)
                await one.ask()
            assert (len(engine.visits), engine.lost) == (2, 1)

    run_virtually(main())


def test_a_comment_of_the_engine_behind_done_does_not_undo_it() -> None:
    async def main() -> None:
        engine = Scripted([timed((0, STREAM_HEAD + chunk(DONE)), (1, chunk(b": bye\n\n") + chunk(b"")))])
        async with house(engine, engine="vllm") as one:
            client = await one.ask(stream=True)
        assert (client.error, client.pieces) == (None, [DONE, b": bye\n\n"])

    run_virtually(main())


def test_a_body_without_length_is_not_complete_when_the_connection_is_reset() -> None:
    def reset(visit: Visit) -> None:
        visit.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        visit.abort()

    async def some_and_reset(visit: Visit) -> None:
        visit.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}")
        await asyncio.sleep(1)
        reset(visit)

    async def main() -> None:
        engine = Scripted([lambda visit: visit.later(some_and_reset(visit))])
        async with house(engine) as one:
            client = await one.ask()
            assert client.error is not None and client.error.status == 502

    run_virtually(main())


def test_a_client_that_does_not_read_holds_the_engine_back_and_loses_nothing() -> None:
    async def pour(visit: Visit) -> None:
        visit.write(STREAM_HEAD)
        event = chunk(b"data: " + b"x" * 60_000 + b"\n\n")
        for _ in range(500):
            visit.write(event)
            await until(lambda: not visit.transport.get_write_buffer_size(), 10_000)
        visit.write(chunk(DONE) + chunk(b""))

    async def main() -> None:
        engine = Scripted([lambda visit: visit.later(pour(visit))])
        async with house(engine) as one:
            client = Client(slow=asyncio.Event())
            asking = asyncio.create_task(one.hand_to(client, Asked(stream=True)))
            await asyncio.sleep(400)  # longer than an engine may be silent
            assert engine.visits[0].transport.get_write_buffer_size() > 0
            assert not engine.visits[0].tasks[0].done()
            assert client.slow is not None
            client.slow.set()
            await asking
            assert client.error is None
            assert len(client.body.replace(COMMENT, b"")) == 500 * 60_008 + len(DONE)

    virtual_time.run(main())


def test_a_stream_that_nobody_takes_is_less_than_half_a_mebibyte() -> None:
    async def pour(visit: Visit) -> None:
        visit.write(STREAM_HEAD)
        while True:
            visit.write(chunk(b"data: " + b"x" * 10_000 + b"\n\n"))
            await until(lambda: not visit.transport.get_write_buffer_size(), 10_000)

    async def main() -> None:
        engine = Scripted([lambda visit: visit.later(pour(visit))])
        async with house(engine) as one:
            client = Client(slow=asyncio.Event())
            before = tracemalloc.get_traced_memory()[0]
            asking = asyncio.create_task(one.hand_to(client, Asked(stream=True)))
            await asyncio.sleep(400)
            assert tracemalloc.get_traced_memory()[0] - before < 1 << 19
            assert engine.visits[0].transport.get_write_buffer_size() > 0
            asking.cancel()
            await asyncio.wait({asking})

    tracemalloc.start()
    try:
        virtual_time.run(main())
    finally:
        tracemalloc.stop()


def test_an_engine_is_not_blamed_for_the_time_in_which_its_client_did_not_read() -> None:
    async def main() -> None:
        # So much that reading ends, and that nothing is left to read when it goes on.
        large = b"data: " + b"x" * (RECEIVED_BYTES + 1_000) + b"\n\n"
        engine = Scripted([timed((0, STREAM_HEAD + chunk(EVENT)), (1, chunk(large)), (449, chunk(DONE) + chunk(b"")))])
        async with house(engine) as one:
            client = Client(slow=asyncio.Event())
            asking = asyncio.create_task(one.hand_to(client, Asked(stream=True)))
            await asyncio.sleep(400)
            assert client.slow is not None
            client.slow.set()
            await asking
            assert (client.error, client.body.replace(COMMENT, b"")) == (None, EVENT + large + DONE)

    run_virtually(main())


def test_what_came_with_the_end_while_the_client_did_not_read_is_not_lost() -> None:
    async def main() -> None:
        engine = Scripted([timed((0, STREAM_HEAD + chunk(EVENT)), (5, chunk(EVENT) + chunk(DONE) + chunk(b"")))])
        async with house(engine) as one:
            client = Client(slow=asyncio.Event())
            asking = asyncio.create_task(one.hand_to(client, Asked(stream=True)))
            await asyncio.sleep(10)
            assert client.slow is not None
            client.slow.set()
            await asking
            assert (client.error, client.body) == (None, EVENT + EVENT + DONE)

    run_virtually(main())


def test_a_whole_answer_frees_its_connection_before_the_client_took_it() -> None:
    async def main() -> None:
        engine = Scripted()
        async with house(engine) as one:
            slow = Client(slow=asyncio.Event())
            asking = asyncio.create_task(one.hand_to(slow, Asked()))
            await asyncio.sleep(1)
            assert (await one.ask()).error is None
            assert len(engine.visits) == 1
            assert slow.slow is not None
            slow.slow.set()
            await asking
            assert slow.ended

    run_virtually(main())


def test_an_engine_that_reads_nothing_of_a_large_body_is_not_waited_for_for_ever() -> None:
    async def main() -> None:
        engine = Scripted(impatient=lambda visit: visit.transport.pause_reading())
        async with house(engine) as one:
            client = await one.ask(b"y" * 50_000_000)
            assert isinstance(client.error, ApiError)
            assert client.error.status == 504
            assert asyncio.get_running_loop().time() == pytest.approx(600)

    run_virtually(main())
