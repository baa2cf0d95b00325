"""When another endpoint is asked and when none is, and that one which fails where others do not draws no traffic."""

import asyncio
import socket
import time
from dataclasses import replace

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
    cut_after,
    house,
    on_both_loops,
    plain,
    run_virtually,
    stream,
)
from tests.support.polling import until

from qwen3vl_server.gateway.engines import Timeouts
from qwen3vl_server.gateway.engines.retries import MOST_TRIES, NotAnswered, ServerError, Tries

NOBODY = "127.0.0.1:9"


def test_the_least_busy_is_asked_first_and_equals_by_chance() -> None:
    in_flight = {"a": 2, "b": 1}
    assert {Tries().next(["a", "b"], in_flight) for _ in range(20)} == {"b"}
    assert {Tries().next(["a", "b", "c", "d"], in_flight) for _ in range(60)} == {"c", "d"}
    assert Tries().next([], {}) is None


def test_at_most_three_are_tried_and_none_twice_while_there_are_others() -> None:
    tries, asked = Tries(), []
    while (address := tries.next(["a", "b", "c", "d"], {})) is not None:
        asked.append(address)
        tries.note(address, NotAnswered("connect", again=True))
    assert len(asked) == len(set(asked)) == MOST_TRIES


def test_the_only_one_is_asked_again_where_that_may_help() -> None:
    tries = Tries()
    assert tries.next(["a"], {}) == "a"
    tries.note("a", NotAnswered("closed", again=True))
    assert tries.next(["a"], {}) == "a"
    tries.note("a", NotAnswered("connect", again=False))
    assert tries.next(["a"], {}) is None


def test_two_server_errors_are_the_end() -> None:
    tries = Tries()
    for status in (500, 503):
        address = tries.next(["a", "b", "c"], {})
        assert address is not None
        tries.note(address, ServerError(status, 7))
    assert tries.next(["a", "b", "c"], {}) is None
    failure = tries.failure("m")
    assert (failure.status, failure.headers()["retry-after"]) == (503, "7")


@on_both_loops
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_is_tried_at_one_other(run: Run, status: int) -> None:
    async def main() -> None:
        bad = Scripted([plain(b"internals", status)])
        async with house(bad, Scripted(), Scripted()) as one:
            for _ in range(60):  # the order is random: some begin at the bad one
                assert (await one.ask()).body == b'{"ok": 1}'
            assert bad.requests
            reason = "unavailable" if status == 503 else f"status_{status}"
            assert one.metric("upstream_retries_total", reason=reason) == len(bad.requests)

    run(main())


@on_both_loops
@pytest.mark.parametrize("status", [400, 408, 409, 422, 429, 501, 504, 302])
def test_other_statuses_are_tried_nowhere_else(run: Run, status: int) -> None:
    async def main() -> None:
        both = [Scripted([plain(b"{}", status)]) for _ in range(2)]
        async with house(*both) as one:
            error = (await one.ask()).error
            assert error is not None
            assert error.status == (status if 400 <= status < 500 else 502)
            assert sum(len(engine.requests) for engine in both) == 1
            assert ("retry-after" in error.headers()) == (status == 429)

    run(main())


@pytest.mark.parametrize(
    ("field", "seconds"),
    [((), "5"), ((b"retry-after: 17",), "17"), ((b"retry-after: soon",), "5"), ((b"retry-after: 99999999",), "3600")],
)
@pytest.mark.parametrize("status", [429, 503])
def test_when_to_come_again_is_the_engines_word_or_ours(status: int, field: tuple[bytes, ...], seconds: str) -> None:
    async def main() -> None:
        async with house(Scripted([plain(b"busy", status, *field)])) as one:
            error = (await one.ask()).error
            assert error is not None
            assert (error.status, error.headers()["retry-after"]) == (status, seconds)

    run_virtually(main())


@on_both_loops
def test_an_error_on_both_is_the_requests_fault_and_ejects_none(run: Run) -> None:
    async def main() -> None:
        both = [Scripted([plain(b"Traceback", 500)]) for _ in range(2)]
        async with house(*both) as one:
            for _ in range(20):
                client = await one.ask()
                assert client.error is not None
                assert (client.error.status, "Traceback" in str(client.error), client.released) == (502, False, 1)
            assert [len(engine.requests) for engine in both] == [20, 20]
            assert one.metric("ejections_total") == 0

    run(main())


@on_both_loops
def test_one_that_fails_at_once_is_ejected_and_no_request_fails(run: Run) -> None:
    async def answer(visit: Visit) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        visit.write(plain())

    async def main() -> None:
        bad = Scripted([plain(b"", 500)], health=plain(b"", 500))
        good = Scripted([lambda visit: visit.later(answer(visit))])
        async with house(bad, good) as one:

            async def some() -> None:
                for _ in range(30):
                    assert (await one.ask()).status == 200

            await asyncio.gather(*(some() for _ in range(8)))
            assert one.metric("ejections_total") == 1
            assert one.metric("ejected_endpoints") == 1
            assert len(good.requests) == 240
            # Those that were on their way when the fifth failure came are all.
            assert 5 <= len(bad.requests) <= 5 + 8

    run(main())


def test_one_that_takes_no_connections_is_ejected_and_returns_when_its_health_says_so() -> None:
    async def main() -> None:
        reborn = Scripted(health=plain(b"loading", 503))
        async with house(Scripted()) as one:
            with socket.socket() as held:
                held.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{held.getsockname()[1]}"
            one.route = replace(one.route, endpoints=(address, *one.route.endpoints))
            while not one.metric("ejections_total"):
                assert (await one.ask()).status == 200
            assert one.metric("upstream_errors_total", reason="connect") == 3
            port = int(address.rpartition(":")[2])
            server = await asyncio.get_running_loop().create_server(lambda: Visit(reborn), "127.0.0.1", port)
            await until(lambda: reborn.probes)
            assert b"authorization: Bearer the-key" in reborn.probes[0]
            for _ in range(10):
                await one.ask()
            assert not reborn.requests
            reborn.health = plain()
            await until(lambda: one.metric("ejected_endpoints") == 0)
            while not reborn.requests:
                assert (await one.ask()).status == 200
            assert one.metric("ejections_total") == 1
            server.close()

    run_virtually(main())


def test_an_ejected_endpoint_that_is_gone_is_forgotten() -> None:
    async def main() -> None:
        bad = Scripted([plain(b"", 500)], health=plain(b"", 500))
        async with house(bad, Scripted()) as one:
            while not one.metric("ejections_total"):
                await one.ask()
            one.gone[bad.address] = 31
            await until(lambda: one.metric("ejected_endpoints") == 0)
            assert not bad.probes

    run_virtually(main())


@on_both_loops
def test_only_one_endpoint_is_asked_again_on_a_new_connection_when_an_old_one_was_closed(run: Run) -> None:
    async def main() -> None:
        engine = Scripted([plain(), Visit.abort, plain()])
        async with house(engine) as one:
            assert (await one.ask()).status == 200
            assert (await one.ask()).status == 200
            assert (len(engine.visits), len(engine.requests)) == (2, 3)
            assert one.metric("upstream_retries_total", reason="closed") == 1

    run(main())


@on_both_loops
@pytest.mark.parametrize(
    "reply",
    [Visit.abort, lambda visit: visit.transport.close(), cut_after(b"HTTP/1.1 2")],
)
def test_a_new_connection_that_breaks_is_not_tried_again(run: Run, reply: object) -> None:
    async def main() -> None:
        both = [Scripted([reply]) for _ in range(2)]  # type: ignore[list-item]  # a reply
        async with house(*both) as one:
            error = (await one.ask()).error
            assert error is not None
            assert (error.status, error.headers()["x-should-retry"]) == (502, "false")
            assert sum(len(engine.requests) for engine in both) == 1

    run(main())


@on_both_loops
def test_an_old_connection_that_breaks_in_its_answer_is_not_tried_again(run: Run) -> None:
    async def main() -> None:
        engine = Scripted([plain(), cut_after(b"HTTP/1.1 2")])
        async with house(engine) as one:
            await one.ask()
            error = (await one.ask()).error
            assert error is not None
            assert (error.status, len(engine.requests)) == (502, 2)

    run(main())


def test_one_that_closes_every_new_connection_at_once_does_not_draw_the_traffic() -> None:
    async def main() -> None:
        bad = Scripted([Visit.abort], health=plain(b"", 500))
        async with house(bad, Scripted()) as one:
            failed = 0
            for _ in range(60):
                failed += (await one.ask()).error is not None
            assert one.metric("ejections_total") == 1
            assert failed == len(bad.requests) == 3

    run_virtually(main())


@on_both_loops
def test_refused_everywhere_is_503_without_x_should_retry(run: Run) -> None:
    async def main() -> None:
        for endpoints in ((), (NOBODY,), (NOBODY, "[::1]:9", "127.0.0.2:9", "127.0.0.3:9"), ("no-port",)):
            async with house() as one:
                one.route = replace(one.route, endpoints=endpoints)
                error = (await one.ask()).error
                assert error is not None
                assert (error.status, error.code) == (503, "model_unavailable")
                assert error.headers() == {"retry-after": "5"}

    run(main())


@on_both_loops
def test_a_loop_that_was_busy_for_longer_than_the_connect_time_out_loses_no_connection(run: Run) -> None:
    async def main() -> None:
        async with house(Scripted(), timeouts=Timeouts(connect=0.05, first_byte=0.05, idle=0.05)) as one:
            asking = asyncio.create_task(one.ask())
            await asyncio.sleep(0)  # it begins to connect
            await asyncio.sleep(0)
            time.sleep(0.2)  # noqa: ASYNC251 - that is what is tried
            assert (await asking).error is None
            assert one.metric("upstream_errors_total", reason="connect") == 0

    run(main())


@on_both_loops
def test_a_loop_that_was_busy_for_longer_than_the_first_byte_time_out_loses_no_answer(run: Run) -> None:
    def answer_and_block(visit: Visit) -> None:
        visit.write(plain())
        time.sleep(0.2)

    async def main() -> None:
        engine = Scripted([answer_and_block])
        async with house(engine, timeouts=Timeouts(connect=1, first_byte=0.1, idle=0.1)) as one:
            assert (await one.ask()).error is None

    run(main())


@on_both_loops
def test_of_many_old_connections_that_were_closed_only_one_is_tried(run: Run) -> None:
    def once(visit: Visit) -> None:
        if visit in served:
            visit.abort()
        else:
            served.append(visit)
            visit.write(plain())

    served: list[Visit] = []

    async def main() -> None:
        engine = Scripted([once])
        async with house(engine) as one:
            await asyncio.gather(*(one.ask() for _ in range(6)))
            assert len(engine.visits) == 6
            assert (await one.ask()).error is None
            assert len(engine.visits) == 7

    run(main())


@on_both_loops
def test_a_stream_may_begin_anew_elsewhere_until_its_head_came(run: Run) -> None:
    async def main() -> None:
        bad, good = Scripted([plain(b"", 503)]), Scripted([stream(DONE)])
        async with house(bad, good) as one:
            while not bad.requests:
                client = await one.ask(stream=True)
                assert (client.error, client.body) == (None, DONE)
            cut = Scripted([cut_after(STREAM_HEAD + chunk(b"data: 1\n\n"))])
        async with house(cut, good) as one:
            while not cut.requests:
                client = await one.ask(stream=True)
            assert client.error is not None
            assert (client.error.status, client.body) == (502, b"data: 1\n\n")

    run(main())


@on_both_loops
def test_a_client_that_leaves_closes_the_engines_connection_at_once(run: Run) -> None:
    async def main() -> None:
        engine = Scripted([lambda _: None])
        async with house(engine) as one:
            asking = asyncio.create_task(one.hand_to(Client(), Asked()))
            await until(lambda: engine.requests)
            asking.cancel()
            await until(lambda: engine.lost == 1)
            assert asking.cancelled()

    run(main())
