"""A stop and an assertion of one task under way at once: whichever comes first, the task does not walk."""

import pytest

from qwen3vl_vln.edge.navigation import Assertion, Navigation
from qwen3vl_vln.errors import FinishedError, UnknownTaskError
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.tasks import STOPPED_EARLY_MOST

from .samples import navigation_without_worker

TASK_ID = "walk-0123abcd"


def wish(generation: int = 1) -> Assertion:
    owner = Owner("0123abcd-0000-4000-8000-000000000001", "robots", "walk", generation)
    return Assertion(owner, Settings(robot="go2-01", instruction="Walk on."), "Running")


@pytest.fixture
def navigation() -> Navigation:
    return navigation_without_worker()


def test_an_assertion_that_comes_after_the_stop_does_not_revive_the_task(navigation: Navigation) -> None:
    navigation.assert_task(TASK_ID, wish())
    navigation.stop_asserted(TASK_ID)
    with pytest.raises(FinishedError) as refused:
        navigation.assert_task(TASK_ID, wish(generation=2))
    assert refused.value.record["verdict"] == "Cancelled"


def test_a_stop_that_overtakes_the_first_assertion_ends_the_task_as_it_begins(navigation: Navigation) -> None:
    """The assertion lies in a socket while the stop comes by another connection: the task was not there, and walked."""
    with pytest.raises(UnknownTaskError):
        navigation.stop_asserted(TASK_ID)
    with pytest.raises(FinishedError) as refused:
        navigation.assert_task(TASK_ID, wish())
    assert (refused.value.record["phase"], refused.value.record["verdict"]) == ("Finished", "Cancelled")
    assert navigation.tasks.of_robot("go2-01") is None, "its robot is free"


def test_early_stops_are_remembered_within_bounds(navigation: Navigation) -> None:
    for number in range(STOPPED_EARLY_MOST + 1):
        navigation.tasks.stop_early(f"t{number}")
    assert not navigation.tasks.was_stopped_early("t0")
    assert navigation.tasks.was_stopped_early(f"t{STOPPED_EARLY_MOST}")
