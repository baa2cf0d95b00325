"""The robot's own watchdog: whatever is not surely fresh is zero."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_client.freshness import FRESH_SECONDS, Freshness


def moving(sequence: int, **more: Any) -> dict[str, Any]:
    body = {"seq": sequence, "state": "moving", "reason": "following_plan", "plan_id": "boot-t-1", "valid_ms": 250}
    return body | {"linear_vel": 0.5, "angular_vel": 0.1} | more


def fresh(sequence: int = 1, at: float = 10.0, **more: Any) -> Freshness:
    freshness = Freshness(boot_id="boot")
    freshness.sent(sequence, at)
    freshness.answered(moving(sequence, **more), at + 0.05)
    return freshness


def still(freshness: Freshness, now: float) -> bool:
    told = freshness.command(now)
    return told.linear_mps == 0.0 and told.angular_rps == 0.0


def test_a_fresh_answer_is_driven() -> None:
    told = fresh().command(10.1)
    assert (told.linear_mps, told.angular_rps, told.fresh) == (0.5, 0.1, True)


def test_an_answer_is_as_old_as_the_sending_of_its_frame() -> None:
    freshness = fresh(at=10.0)
    assert not still(freshness, 10.0 + FRESH_SECONDS - 0.001)
    assert still(freshness, 10.0 + FRESH_SECONDS + 0.001)
    late = Freshness(boot_id="boot")
    late.sent(1, 10.0)
    late.answered(moving(1), 10.3)
    assert still(late, 10.3), "it came too late to be driven at all"


def test_the_server_may_shorten_it() -> None:
    assert still(fresh(valid_ms=100), 10.15) and not still(fresh(valid_ms=100), 10.09)


@pytest.mark.parametrize(
    "more",
    [
        {"linear_vel": math.nan},
        {"linear_vel": "0.5"},
        {"angular_vel": None},
        {"linear_vel": True},
        {"plan_id": "other-t-1"},
        {"plan_id": None},
        {"valid_ms": 0},
        {"valid_ms": None},
        {"valid_ms": "soon"},
        {"valid_ms": math.nan},
        {"valid_ms": 10**400},
        {"valid_ms": -1},
        {"linear_vel": 10**400},
        {"plan_id": "-t-1"},
        {"state": "hold"},
        {"state": None},
    ],
)
def test_what_is_not_right_stands(more: dict[str, Any]) -> None:
    assert still(fresh(**more), 10.06)


def test_without_a_greeting_nothing_is_driven() -> None:
    freshness = fresh(plan_id="-t-1")
    freshness.boot_id = ""
    assert still(freshness, 10.06)


def test_nothing_is_driven_a_second_after_the_last_picture() -> None:
    freshness = fresh(at=10.0)
    at = 10.0
    while at < 11.5:
        at += 0.05
        freshness.sent(round(at * 100), at, image=False)
        freshness.answered(moving(round(at * 100)), at + 0.01)
        assert still(freshness, at + 0.02) == (at + 0.02 > 11.0)
    assert freshness.command(at + 0.02).reason == "no_image"


def test_an_answer_from_before_the_button_was_pressed_is_not_driven() -> None:
    freshness = fresh(at=10.0)
    freshness.distrust(10.06)
    assert still(freshness, 10.07)
    freshness.sent(2, 10.08)
    freshness.answered(moving(2), 10.09)
    assert not still(freshness, 10.1)


def test_an_answer_to_nothing_that_was_sent_is_ignored() -> None:
    freshness = Freshness(boot_id="boot")
    assert not freshness.answered(moving(7), 10.0) and still(freshness, 10.0)


def test_an_older_answer_does_not_replace_a_newer_one() -> None:
    freshness = Freshness(boot_id="boot")
    freshness.sent(1, 10.0)
    freshness.sent(2, 10.03)
    freshness.answered(moving(2, linear_vel=0.2), 10.05)
    assert not freshness.answered(moving(1, linear_vel=0.6), 10.06)
    assert freshness.command(10.07).linear_mps == 0.2


def test_what_is_never_answered_is_counted() -> None:
    freshness = Freshness()
    freshness.sent(1, 10.0)
    freshness.sent(2, 10.03)
    assert freshness.answered(moving(2), 10.05) == pytest.approx(0.02) and freshness.unanswered == 1
    freshness.sent(3, 10.06)
    freshness.ended()
    assert freshness.unanswered == 2


def test_two_unanswered_are_enough() -> None:
    freshness = Freshness()
    freshness.sent(1, 10.0)
    assert freshness.may_send()
    freshness.sent(2, 10.03)
    assert not freshness.may_send()
    freshness.answered(moving(2), 10.04)
    assert freshness.may_send()


def test_silence_is_noticed_after_half_a_second() -> None:
    freshness = Freshness()
    assert not freshness.silent(99.0), "nothing was asked"
    freshness.sent(1, 10.0)
    assert not freshness.silent(10.45) and freshness.silent(10.55)


@pytest.mark.parametrize("sequence", [7, None, "1", [1]])
def test_answers_to_what_was_never_sent_are_silence_too(sequence: Any) -> None:
    freshness = Freshness()
    freshness.sent(1, 10.0)
    freshness.answered({"seq": sequence, "state": "hold"}, 10.4)
    assert freshness.silent(10.55)


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(-1e6, 1e6), st.floats(0, 5))
def test_never_a_velocity_that_is_no_number_and_never_one_beyond_its_time(v: float, valid: float, later: float) -> None:
    told = fresh(linear_vel=v, valid_ms=valid).command(10.0 + later)
    assert math.isfinite(told.linear_mps)
    if later > FRESH_SECONDS:
        assert told.linear_mps == 0.0 and told.angular_rps == 0.0
