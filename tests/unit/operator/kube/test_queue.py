"""The queue on virtual time: each key once, never twice at a time, back-off for what fails, nobody starves."""

import asyncio
import gc
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.virtual_time import run
from tests.unit.operator.kube.workers import Recorder, now, working

from qwen3vl_operator.kube.queue import LONGEST_RETRY_SECONDS, Queue, retry_delay


def test_a_key_added_many_times_is_worked_on_once() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder()
        for _ in range(100):
            queue.add("a")
        async with working(queue, handle, workers=3):
            await asyncio.sleep(10)
        assert handle.started == [(0, "a")]

    run(scenario())


def test_a_key_added_while_it_is_worked_on_runs_once_more_afterwards() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder(seconds=5)
        queue.add("a")
        async with working(queue, handle, workers=3):
            await asyncio.sleep(1)
            queue.add("a")
            queue.add("a")
            await asyncio.sleep(30)
        assert handle.times("a") == [0, 5]

    run(scenario())


def test_a_sooner_time_replaces_a_later_one_and_not_the_other_way() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder()
        queue.add("a", 100)
        queue.add("a", 10)
        queue.add("a", 50)
        async with working(queue, handle):
            await asyncio.sleep(500)
        assert handle.times("a") == [10]

    run(scenario())


def test_an_event_during_the_wait_for_the_next_look_does_not_leave_two_timers() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder(again=600)
        queue.add("a")
        async with working(queue, handle):
            await asyncio.sleep(100)
            queue.add("a")
            await asyncio.sleep(1000)
        assert handle.times("a") == [0, 100, 700]

    run(scenario())


@pytest.mark.parametrize("again, expected", [(49.0, 49.0), (50.0, 50.0), (51.0, 55.0), (598.7, 600.0)])
def test_a_look_that_is_far_off_waits_for_a_whole_tick_and_none_comes_too_soon(again: float, expected: float) -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](tick=5), Recorder(again=again)
        queue.add("a")
        async with working(queue, handle):
            await asyncio.sleep(expected + 1)
        assert handle.times("a") == [0, expected]

    run(scenario())


def test_failures_back_off_and_success_forgets_them() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](random=lambda: 0.0), Recorder()
        handle.failures["a"] = 3
        queue.add("a")
        async with working(queue, handle):
            await asyncio.sleep(5)
            assert queue.failing == 1
            await asyncio.sleep(20)
            assert queue.failing == 0
            handle.failures["a"] = 1
            queue.add("a")
            await asyncio.sleep(20)
        assert handle.times("a") == [0, 1, 3, 7, 25, 26]

    run(scenario())


def test_what_fails_is_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def handle(key: str) -> None:
        raise ValueError("env: Invalid value: API_KEY=hunter2")

    async def scenario() -> None:
        queue = Queue[str]()
        queue.add("a")
        async with working(queue, handle):
            await asyncio.sleep(0.5)

    run(scenario())
    assert "API_KEY=***" in caplog.text and "Traceback" in caplog.text
    assert "hunter2" not in caplog.text


def test_back_off_ends_at_five_minutes() -> None:
    delays = [retry_delay(failures, 0) for failures in range(1, 2000)]
    assert delays[:4] == [1, 2, 4, 8]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_RETRY_SECONDS
    assert retry_delay(2000, 1) <= LONGEST_RETRY_SECONDS * 1.1


def test_keys_that_keep_failing_starve_nobody() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder(seconds=0.01)
        bad = [f"bad-{number}" for number in range(50)]
        for key in bad:
            handle.failures[key] = 1000
            queue.add(key)
        async with working(queue, handle, workers=2):
            await asyncio.sleep(60)
            for number in range(20):
                queue.add(f"good-{number}")
            await asyncio.sleep(1)
            assert all(handle.times(f"good-{number}") for number in range(20))

    run(scenario())


def test_the_oldest_key_tells_of_stuck_workers() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder(seconds=10_000)
        queue.add("later", 500)
        assert queue.depth == 0
        queue.add("a")
        queue.add("b")
        async with working(queue, handle):
            await asyncio.sleep(130)
            assert queue.depth == 1
            assert queue.oldest_seconds == 130

    run(scenario())


def size() -> tuple[int, int]:
    """Objects of this process and timers of its loop."""
    gc.collect()
    return len(gc.get_objects()), len(asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]  # no other way


def test_100_events_a_second_on_20_keys_leave_its_size_flat() -> None:
    """Each pass asks for another look in 600 s, and each event makes that time void."""

    async def scenario() -> None:
        queue, passes = Queue[str](), 0

        async def handle(key: str) -> float:
            nonlocal passes
            passes += 1
            return 600

        async with working(queue, handle, workers=8):
            sizes = []
            for second in range(600):
                for number in range(100):
                    queue.add(f"key-{number % 20}")
                    await asyncio.sleep(0.01)
                if second in (20, 599):
                    sizes.append(size())
        (objects, timers), (objects_later, timers_later) = sizes
        assert passes == 60_000
        assert objects_later - objects < 300
        assert max(timers, timers_later) < 250

    run(scenario())


def test_a_backlog_that_moves_is_not_stalled_and_one_that_does_not_move_is() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder(seconds=30)
        for number in range(100):
            queue.add(f"key-{number}")
        await asyncio.sleep(500)
        assert queue.stalled_seconds == 0, "no worker has begun: the operator still waits for something"
        async with working(queue, handle):
            for _ in range(20):
                await asyncio.sleep(100)
                assert queue.stalled_seconds <= 30
            assert queue.oldest_seconds > 2000
            handle.seconds = 10_000
            await asyncio.sleep(430)
            assert 400 < queue.stalled_seconds <= 430

    run(scenario())


def test_nothing_is_stalled_while_no_key_is_due() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder(seconds=10_000)
        queue.add("hangs")
        queue.add("later", after=1000)
        async with working(queue, handle):
            await asyncio.sleep(900)
            assert queue.stalled_seconds == 0
            queue.add("hangs")
            await asyncio.sleep(50)
            assert queue.stalled_seconds == 50, "the key that its worker hangs at was asked for again"
            await asyncio.sleep(350)
            assert queue.stalled_seconds == 400

    run(scenario())


def test_a_worker_that_ended_is_counted_and_its_key_goes_to_another() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder(seconds=60)
        queue.add("a")
        async with working(queue, handle, workers=2) as workers:
            await asyncio.sleep(10)
            assert queue.workers_ended == 0
            workers[0].cancel()
            handle.active.clear()
            await asyncio.sleep(100)
            assert queue.workers_ended == 1
        assert handle.times("a") == [0, 10]

    run(scenario())


def test_a_pass_that_is_cancelled_from_within_is_a_failure_and_its_worker_goes_on() -> None:
    async def scenario() -> None:
        queue = Queue[str](random=lambda: 0.0)
        passes = []

        async def handle(key: str) -> None:
            passes.append((now(), key))
            other = asyncio.create_task(asyncio.sleep(100))
            asyncio.get_running_loop().call_later(1, other.cancel)
            await other

        queue.add("a")
        async with working(queue, handle):
            await asyncio.sleep(4)
        assert passes == [(0, "a"), (2, "a")]
        assert queue.failing == 1

    run(scenario())


def test_each_pass_is_told_with_its_seconds_and_result() -> None:
    async def scenario() -> None:
        told = []
        queue = Queue[str](random=lambda: 0.0, on_pass=lambda *what: told.append(what))
        handle = Recorder(seconds=2)
        handle.failures["a"] = 1
        queue.add("a")
        async with working(queue, handle):
            await asyncio.sleep(100)
        assert told == [("a", 2, "failed"), ("a", 2, "ok")]

    run(scenario())


def test_keys_are_those_that_wait() -> None:
    async def scenario() -> None:
        queue = Queue[str]()
        queue.add("now")
        queue.add("later", after=1000)
        assert queue.keys == {"now", "later"}
        async with working(queue, Recorder()):
            await asyncio.sleep(1)
            assert queue.keys == {"later"}

    run(scenario())


def test_one_worker_that_hangs_is_seen_although_nothing_waits() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder(seconds=10_000)
        queue.add("a")
        async with working(queue, handle, workers=8):
            await asyncio.sleep(200)
            assert queue.oldest_seconds == 200

    run(scenario())


ADDS = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from("abcd"), st.sampled_from([0.0, 0.0, 0.0, 3.0])), max_size=30
)


@settings(deadline=None)
@given(adds=ADDS, seconds=st.sampled_from([0, 0.5, 4]), workers=st.integers(1, 4), failing=st.integers(0, 3))
def test_whatever_is_added_when_is_worked_on_afterwards(
    adds: list[tuple[int, str, float]], seconds: float, workers: int, failing: int
) -> None:
    """The last add of a key is followed by a pass that began after it: no change is ever missed."""

    async def scenario() -> None:
        queue, handle = Queue[str](), Recorder(seconds=seconds)
        handle.failures = dict.fromkeys("ab", failing)
        async with working(queue, handle, workers):
            for time, key, after in sorted(adds):
                await asyncio.sleep(time - now())
                queue.add(key, after)
            await asyncio.sleep(400)
        last = {key: time for time, key, _ in sorted(adds)}
        for key, time in last.items():
            assert handle.times(key)[-1] >= time
        assert len(handle.started) <= len(adds) + 2 * failing
        assert queue.depth == 0

    run(scenario())


def test_a_worker_ends_whenever_it_is_cancelled() -> None:
    """Also at the moment in which a key arrives: an operator that was told to stop must not go on."""

    async def scenario() -> None:
        for turns in range(12):
            queue: Queue[str] = Queue()
            queue.add("later", after=1000)
            worker = asyncio.create_task(queue.work(Recorder()))
            await asyncio.sleep(1)
            queue.add("key")
            for _ in range(turns):
                await asyncio.sleep(0)
            worker.cancel()
            done, _ = await asyncio.wait({worker}, timeout=60)
            assert done, f"cancelled {turns} turns of the loop after a key came"

    run(scenario())
