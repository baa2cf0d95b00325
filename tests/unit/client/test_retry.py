"""How soon a robot comes back, by what ended its connection."""

import pytest

from qwen3vl_client.retry import Retry


def pauses(code: int | None, times: int, *, answered: bool = False, lasted: float = 0.0) -> list[float]:
    retry = Retry()
    return [retry.next_pause(code, answered=answered, lasted_seconds=lasted) for _ in range(times)]


@pytest.mark.parametrize("code", [None, 500, 503, 404, 4004, 1011])
def test_the_network_and_a_task_that_is_not_there_yet_are_tried_again_soon(code: int | None) -> None:
    assert pauses(code, 8) == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


@pytest.mark.parametrize("code", [400, 401, 403, 4400, 4401, 4403])
def test_a_key_that_is_refused_is_not_hammered(code: int) -> None:
    assert pauses(code, 6) == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


@pytest.mark.parametrize("code", [409, 4409])
def test_a_busy_task_is_asked_for_about_as_often_as_its_lease_can_end(code: int) -> None:
    assert pauses(code, 5) == [1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize("code", [429, 4429, 4410])
def test_who_lost_the_task_does_not_take_it_in_turns_with_the_other(code: int) -> None:
    assert pauses(code, 6, answered=True, lasted=3.0) == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_connection_that_worked_starts_anew() -> None:
    retry = Retry()
    for _ in range(5):
        retry.next_pause(None, answered=False, lasted_seconds=0.0)
    assert retry.next_pause(None, answered=True, lasted_seconds=0.1) == 0.05
    for _ in range(5):
        retry.next_pause(4410, answered=True, lasted_seconds=1.0)
    assert retry.next_pause(4410, answered=True, lasted_seconds=90.0) == 2.0


def test_a_thousand_failures_overflow_nothing() -> None:
    assert pauses(None, 2000)[-1] == 2.0
