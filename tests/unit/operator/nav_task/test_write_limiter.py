"""How often is written, and who waits for whom."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_operator.nav_task.write_limiter import PER_SECOND, SAVED_SECONDS, WriteLimiter


def test_one_write_a_second_for_a_key_and_what_matters_at_once() -> None:
    pace = WriteLimiter()
    assert pace.wait_seconds("a", 100.0, urgent=False) == 0
    assert pace.wait_seconds("a", 100.25, urgent=False) == pytest.approx(0.75)
    assert pace.wait_seconds("b", 100.25, urgent=False) == 0
    assert pace.wait_seconds("a", 100.5, urgent=True) == 0
    assert pace.wait_seconds("a", 101.0, urgent=False) == pytest.approx(0.5)
    assert pace.wait_seconds("a", 101.5, urgent=False) == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 0.05), st.booleans()), max_size=400))
def test_never_more_than_agreed(writes: list[tuple[int, float, bool]]) -> None:
    pace, now, done = WriteLimiter(), 50.0, []
    for key, pause, urgent in writes:
        now += pause
        wait = pace.wait_seconds(key, now, urgent=urgent)
        assert wait >= 0
        if wait == 0:
            done.append((key, now, urgent))
    for index, (key, at, urgent) in enumerate(done):
        window = [one for one in done[index:] if one[1] < at + 1]
        # A second's worth of either kind may have been saved up, and one is earned meanwhile.
        assert len(window) <= 3 * PER_SECOND + 2
        if not urgent:
            assert all(other != key or time <= at - 1 + 1e-6 for other, time, _ in done[:index])


def test_in_the_long_run_both_kinds_together_are_twenty_a_second_and_the_urgent_ones_never_wait() -> None:
    pace, written, now = WriteLimiter(), {True: 0, False: 0}, 0.0
    waiting = dict.fromkeys(range(500), 0.0)
    for tick in range(60 * 100):
        now = tick / 100
        if tick % 7 == 0:  # 14 a second
            assert pace.wait_seconds(("urgent", tick), now, urgent=True) == 0
            written[True] += 1
        for key, due in waiting.items():
            if due <= now:
                wait = pace.wait_seconds(key, now, urgent=False)
                written[False] += wait == 0
                waiting[key] = now + (wait or 1.0)
    assert 55 * PER_SECOND <= sum(written.values()) <= 60 * PER_SECOND + SAVED_SECONDS * PER_SECOND + 2


def test_those_that_wait_have_their_turn_in_the_order_in_which_they_asked_and_do_not_ask_in_vain() -> None:
    pace, now, written, asked = WriteLimiter(), 0.0, [], 0
    due = dict.fromkeys(range(300), 0.0)
    while due:
        now = max(now, min(due.values()))
        key = min(due, key=lambda one: (due[one], one))
        asked += 1
        wait = pace.wait_seconds(key, now, urgent=False)
        if wait == 0:
            written.append(key)
            del due[key]
        else:
            due[key] = now + wait
    assert written == sorted(written)
    assert asked <= 2 * 300
    assert now == pytest.approx(300 / PER_SECOND - SAVED_SECONDS, abs=0.2)


def test_a_turn_that_nobody_takes_is_lost_and_holds_up_nobody() -> None:
    pace = WriteLimiter()
    while pace.wait_seconds("a", 0.0, urgent=True) == 0:
        pass
    for key in range(200):
        pace.wait_seconds(key, 0.0, urgent=False)
    # Long after, a second's worth may be written at once, and not all those whose turns are over.
    at_once = sum(pace.wait_seconds(key, 1000.0, urgent=False) == 0 for key in range(200))
    assert at_once <= SAVED_SECONDS * PER_SECOND + 1
    pace.forget(0)
    assert pace.wait_seconds("b", 2000.0, urgent=False) == 0


TASKS, TRANSITIONS_PER_SECOND, SECONDS = 2_000, 15, 60
PASS_SECONDS = 0.002


def test_transitions_are_never_starved_by_two_thousand_walks_that_want_their_figures_written() -> None:
    """Every walk has new figures all the time; a pass over one costs a processor that there is once."""
    pace, source, now = WriteLimiter(), random.Random(1), 0.0
    due = dict.fromkeys(range(TASKS), 0.0)
    waiting = [(0.0, key) for key in due]
    settled = 2 * TASKS * PASS_SECONDS  # all passes that a start brings take their time, before and after
    offered = [settled + number / TRANSITIONS_PER_SECOND for number in range(TRANSITIONS_PER_SECOND * SECONDS)]
    since: dict[int, float] = {}
    lags: list[float] = []
    routine = passes = 0
    while offered or since:
        while offered and offered[0] <= now:
            key = source.randrange(TASKS)
            since.setdefault(key, offered.pop(0))
            due[key] = now
            heapq.heappush(waiting, (now, key))
        at, key = waiting[0]
        if due[key] != at:
            heapq.heappop(waiting)  # it is wanted sooner
        elif at > now:
            now = min([at, *offered[:1]])
        else:
            heapq.heappop(waiting)
            now, passes = now + PASS_SECONDS, passes + 1
            wait = pace.wait_seconds(key, now, urgent=key in since)
            if wait == 0 and key in since:
                lags.append(now - since.pop(key))
            elif wait == 0:
                routine += now > settled
            due[key] = now + (wait or 1.0)
            heapq.heappush(waiting, (due[key], key))
    lags.sort()
    assert len(lags) >= 0.9 * TRANSITIONS_PER_SECOND * SECONDS
    assert lags[int(0.99 * len(lags))] <= 2.0
    # What is left, the others get, but for the turns of walks whose figures were told by a transition.
    assert routine / SECONDS >= 0.7 * (PER_SECOND - TRANSITIONS_PER_SECOND)
    assert passes / (now - settled) <= 200, "who waits is not looked at in vain"
