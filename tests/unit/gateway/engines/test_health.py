"""Who is left out, for how long, and that somebody is always left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_server.gateway.engines.health import (
    CALM_SECONDS,
    CONNECTS,
    FAILURES,
    LONGEST_SECONDS,
    WINDOW_SECONDS,
    Health,
)

BOTH = ("a:1", "b:1")


def eject(health: Health, address: str, now: float, endpoints: tuple[str, ...] = BOTH) -> float:
    found = [health.failed(address, endpoints, now) for _ in range(FAILURES)]
    assert found[:-1] == [None] * (FAILURES - 1)
    assert found[-1] is not None
    return found[-1]


def test_five_failures_within_the_window_eject() -> None:
    health = Health()
    for number in range(FAILURES - 1):
        assert health.failed("a:1", BOTH, number) is None
    assert health.usable(BOTH) == BOTH
    assert health.failed("a:1", BOTH, WINDOW_SECONDS) == 1
    assert health.usable(BOTH) == ["b:1"]


def test_five_failures_over_a_longer_time_do_not() -> None:
    health = Health()
    for number in range(20):
        assert health.failed("a:1", BOTH, number * (WINDOW_SECONDS / (FAILURES - 1) + 0.1)) is None


def test_three_failed_connects_in_a_row_eject_however_far_apart() -> None:
    health = Health()
    assert [health.connect_failed("a:1", BOTH, now) for now in (0, 40, 80)] == [None, None, 1]


def test_an_answer_between_them_begins_the_row_anew() -> None:
    health = Health()
    for now in range(10):
        for _ in range(CONNECTS - 1):
            assert health.connect_failed("a:1", BOTH, now) is None
        health.answered("a:1")


def test_the_time_doubles_up_to_a_minute_while_probes_fail_and_after_each_return() -> None:
    health = Health()
    assert eject(health, "a:1", 0) == 1
    assert [health.probe_failed("a:1", 1 + now) for now in range(7)] == [2, 4, 8, 16, 32, 60, LONGEST_SECONDS]
    health.probe_passed("a:1", 200)
    assert health.usable(BOTH) == BOTH
    assert eject(health, "a:1", 200 + CALM_SECONDS) == LONGEST_SECONDS
    health.probe_passed("a:1", 300)
    assert eject(health, "a:1", 301 + CALM_SECONDS) == 1


def test_the_last_one_is_never_ejected() -> None:
    health = Health()
    eject(health, "a:1", 0)
    for now in range(10):
        assert health.failed("b:1", BOTH, now) is None
        assert health.connect_failed("b:1", BOTH, now) is None
    assert [health.failed("c:1", ("c:1",), now) for now in range(10)] == [None] * 10


def test_when_the_well_ones_leave_the_least_bad_of_the_ejected_stays() -> None:
    health = Health()
    three = (*BOTH, "c:1")
    eject(health, "a:1", 0, three)
    health.probe_failed("a:1", 1)
    eject(health, "b:1", 1, three)
    assert health.usable(three) == ["c:1"]
    assert health.usable(BOTH) == ["b:1"]
    assert health.usable(()) == []


def test_nothing_is_kept_of_endpoints_whose_failures_are_long_ago() -> None:
    health = Health()
    for number in range(10_000):
        health.failed(f"10.0.0.{number}:1", BOTH, number * 100.0)
    assert len(health._records) < 10


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["failed", "connect", "answered", "passed", "probe", "forget"]),
        st.sampled_from(["a:1", "b:1", "c:1"]),
        st.sampled_from([0.0, 0.1, 5.0, 40.0, 200.0]),
    ),
    max_size=120,
)


@given(STEPS, st.sampled_from([1, 2, 3]))
def test_whatever_happens_one_is_usable_and_the_counts_add_up(steps: list[tuple[str, str, float]], many: int) -> None:
    endpoints = ("a:1", "b:1", "c:1")[:many]
    health, now, ejections, ends = Health(), 0.0, 0, 0
    for step, address, seconds in steps:
        now += seconds
        if address not in endpoints:
            continue
        was = address in health.ejected
        ejected: float | None = None
        match step:
            case "failed":
                ejected = health.failed(address, endpoints, now)
            case "connect":
                ejected = health.connect_failed(address, endpoints, now)
            case "answered":
                health.answered(address)
            case "passed" if was:
                health.probe_passed(address, now)
                ends += 1
            case "probe" if was:
                assert 2 <= health.probe_failed(address, now) <= LONGEST_SECONDS
            case "forget":
                health.forget(address)
                ends += was
        if ejected is not None:
            assert not was
            assert 1 <= ejected <= LONGEST_SECONDS
            ejections += 1
        assert len(health.ejected) == ejections - ends
        usable = health.usable(endpoints)
        assert usable
        assert set(usable) == set(endpoints) - health.ejected


@pytest.mark.parametrize("endpoints", [(), ("a:1",), BOTH])
def test_without_failures_all_are_usable(endpoints: tuple[str, ...]) -> None:
    assert Health().usable(endpoints) == endpoints
