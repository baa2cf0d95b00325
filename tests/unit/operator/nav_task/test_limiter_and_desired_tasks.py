"""How often is written, and what the links are told to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operator.nav_task.samples_nav import UID, nav_task

from qwen3vl_operator.kube.key import task_key
from qwen3vl_operator.nav_task.desired_tasks import MOST_GONE, DesiredTasks, Entry, Intent
from qwen3vl_operator.nav_task.record import Owner
from qwen3vl_operator.nav_task.write_limiter import PER_SECOND, WriteLimiter

KEY = task_key("robots", "walk")


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
        assert 0 <= wait <= 2
        if wait == 0:
            done.append((key, now, urgent))
    for index, (key, at, urgent) in enumerate(done):
        window = [one for one in done[index:] if one[1] < at + 1]
        # A full second's worth may have been saved up, and as much be overdrawn by what is urgent.
        assert len(window) <= 3 * PER_SECOND + 1
        if not urgent:
            assert all(other != key or time <= at - 1 + 1e-6 for other, time, _ in done[:index])


def entry(want: Intent = Intent.ASSERT, *, uid: str = UID, model: str = "m", robot: str = "r") -> Entry:
    return Entry(uid, model, robot, want, nav_task() if want is Intent.ASSERT else None)


def owner(uid: str = UID) -> Owner:
    return Owner(uid=uid, namespace="robots", name="walk", generation=1)


def test_a_task_is_stopped_only_when_its_navtask_was_looked_at() -> None:
    book = DesiredTasks()
    assert book.want(KEY, owner(), "m") is None
    book.put(KEY, entry())
    assert book.want(KEY, owner(), "m") is Intent.ASSERT
    assert book.want(KEY, owner("of-a-former-one"), "m") is Intent.STOP
    assert book.want(KEY, owner(), "another-model") is Intent.STOP
    book.put(KEY, entry(Intent.STOP))
    assert book.want(KEY, owner(), "m") is Intent.STOP
    book.remove(KEY)
    assert book.want(KEY, owner(), "m") is Intent.STOP
    book.put(KEY, entry(Intent.LEAVE))
    assert book.want(KEY, owner(), "m") is Intent.LEAVE


def test_only_what_is_new_for_the_vln_api_is_worth_a_turn() -> None:
    book = DesiredTasks()
    assert book.put(KEY, entry())
    assert not book.put(KEY, entry())
    assert book.put(KEY, entry(Intent.STOP))


def test_the_holder_of_a_robot() -> None:
    book, other = DesiredTasks(), task_key("robots", "other")
    book.put(KEY, entry())
    assert book.holder(other, "r") == KEY
    assert book.holder(KEY, "r") is None
    assert book.holder(task_key("elsewhere", "other"), "r") is None
    book.put(KEY, entry(Intent.STOP))
    assert book.holder(other, "r") is None


def test_what_is_gone_is_not_remembered_for_ever() -> None:
    book = DesiredTasks()
    for number in range(MOST_GONE + 5):
        book.remove(task_key("robots", f"t{number}"))
    assert book.want(task_key("robots", "t0"), owner(), "m") is None
    assert book.want(task_key("robots", f"t{MOST_GONE}"), owner(), "m") is Intent.STOP
