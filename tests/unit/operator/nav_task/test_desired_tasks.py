"""What the links are told to do."""

import time
from dataclasses import replace

from tests.unit.operator.nav_task.samples_nav import TASK_ID, UID, nav_task

from qwen3vl_common.navigation.record import Owner
from qwen3vl_operator.kube.key import task_key
from qwen3vl_operator.nav_task.desired_tasks import MOST_GONE, DesiredTasks, Entry, Intent

KEY = task_key("robots", "walk")
OTHER_UID = "89abcdef-0000-4000-8000-000000000002"


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
    book.put(KEY, entry(Intent.LEAVE))
    assert book.want(KEY, owner(), "m") is Intent.LEAVE
    book.put(KEY, entry(Intent.STOP))
    assert book.want(KEY, owner(), "m") is Intent.STOP
    book.remove(KEY)
    assert book.want(KEY, owner(), "m") is Intent.STOP
    book.put(KEY, entry(uid=OTHER_UID))
    assert book.want(KEY, owner(OTHER_UID), "m") is Intent.ASSERT


def test_a_stop_is_for_good_whatever_an_older_view_of_the_object_says() -> None:
    book = DesiredTasks()
    book.put(KEY, entry())
    assert book.stop(KEY) == replace(entry(Intent.STOP), session=True)
    assert not book.put(KEY, entry()), "a pass that began before the stop"
    assert book.want(KEY, owner(), "m") is Intent.STOP
    assert book.holder(task_key("robots", "other"), "r") is None


def test_a_stop_waits_until_it_is_confirmed_and_is_noted_once() -> None:
    book = DesiredTasks()
    assert book.stop(KEY) is None
    book.put(KEY, entry())
    book.stop(KEY)
    assert book.stops("robots", "m") == {TASK_ID: KEY}
    book.stopped("robots", "m", TASK_ID)
    book.stop(KEY)
    book.put(KEY, entry(Intent.STOP))
    book.remove(KEY)
    assert book.stops("robots", "m") == {}


def test_what_is_deleted_or_made_anew_under_its_name_is_to_be_stopped() -> None:
    for replaced in (False, True):
        book = DesiredTasks()
        book.put(KEY, entry())
        if replaced:
            book.put(KEY, entry(uid=OTHER_UID))
        else:
            book.remove(KEY)
        assert book.stops("robots", "m") == {TASK_ID: KEY}


def test_only_what_a_vln_api_may_have_is_to_be_stopped() -> None:
    book = DesiredTasks()
    book.put(KEY, entry(Intent.LEAVE))  # its robot is another's
    book.remove(KEY)
    book.put(KEY, entry(Intent.STOP))
    assert book.stops("robots", "m") == {}
    # One that was asserted before is remembered, and so is what an earlier operator said in the status.
    book.put(KEY, entry(uid=OTHER_UID))
    book.put(KEY, entry(Intent.LEAVE, uid=OTHER_UID))
    book.stop(KEY)
    assert list(book.stops("robots", "m")) == ["walk-89abcdef"]
    book.put(task_key("robots", "b"), replace(entry(Intent.STOP), session=True))
    assert len(book.stops("robots", "m")) == 2
    book.forget_stops("robots", "m")
    assert book.stops("robots", "m") == {}


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


def test_tasks_are_found_by_model_and_by_robot() -> None:
    book = DesiredTasks()
    for number in range(6):
        book.put(
            task_key("robots", f"t{number}"), entry(uid=f"{number:08}", model=f"m{number % 2}", robot=f"r{number}")
        )
    book.put(task_key("elsewhere", "t0"), entry(model="m0", robot="r0"))
    assert [key.name for key, _ in book.of_model("robots", "m0")] == ["t0", "t2", "t4"]
    book.remove(task_key("robots", "t2"))
    assert [key.name for key, _ in book.of_model("robots", "m0")] == ["t0", "t4"]
    book.put(task_key("robots", "t4"), entry(uid="another", model="m1", robot="r5"))
    assert [key.name for key, _ in book.of_model("robots", "m1")] == ["t1", "t3", "t5", "t4"]
    assert book.holder(task_key("robots", "t4"), "r5") == task_key("robots", "t5")
    assert book.holder(task_key("robots", "new"), "r4") is None
    for key, _ in list(book.of_model("robots", "m0")):
        book.remove(key)
    assert list(book.of_model("robots", "m0")) == []


def test_finding_a_robot_s_holder_costs_the_same_among_many() -> None:
    """Each pass over a NavTask asks: of 2,000 it looked at all of them, each time."""

    def seconds(tasks: int) -> float:
        book = DesiredTasks()
        for number in range(tasks):
            book.put(
                task_key("robots", f"t{number}"), entry(uid=f"{number:08}", model=f"m{number}", robot=f"r{number}")
            )
        tries = []
        for _ in range(5):
            began = time.perf_counter()
            for number in range(50):
                book.holder(KEY, f"r{number}")
                list(book.of_model("robots", f"m{number}"))
            tries.append(time.perf_counter() - began)
        return min(tries)

    assert seconds(2_000) < 10 * seconds(50)
