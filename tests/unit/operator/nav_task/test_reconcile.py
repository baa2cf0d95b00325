"""Reconciling NavTasks against a dictionary of objects: what is noted for the links, and what is written when."""

import asyncio
from typing import Any

import pytest
from tests.support.virtual_time import run
from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube
from tests.unit.operator.nav_task.samples_nav import REACHABLE, TASK_ID, WALKING, model_body, nav_body, record

from qwen3vl_common.navigation.record import Record
from qwen3vl_common.navigation.requests import Resume
from qwen3vl_operator.indexes import INDEXES
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError
from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.kube.trim import trim
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks, Intent
from qwen3vl_operator.nav_task.reconcile import LOOK_AGAIN_SECONDS, LOOK_SOON_SECONDS, TaskReconciler
from qwen3vl_operator.nav_task.record import Refusal
from qwen3vl_operator.nav_task.status import Link
from qwen3vl_operator.nav_task.vln_sync_pool import VlnSyncPool

KEY = task_key("robots", "walk")
OTHER_UID = "89abcdef-0000-4000-8000-000000000002"


class Seen:
    """A link that a test fills in."""

    def __init__(self) -> None:
        self.state: Link = REACHABLE
        self.records: dict[str, Record] = {}
        self.refusals: dict[str, Refusal] = {}
        self.stopping: set[str] = set()
        self.errors: dict[str, str] = {}
        self.woken = 0

    def record(self, task_id: str) -> Record | None:
        return self.records.get(task_id)

    def refusal(self, task_id: str, generation: int) -> Refusal | None:
        return self.refusals.get(task_id)

    def is_stopping(self, task_id: str) -> bool:
        return task_id in self.stopping

    def call_error(self, task_id: str, generation: int) -> str:
        return self.errors.get(task_id, "")

    def unreadable(self, task_id: str) -> str:
        return ""

    def wake(self) -> None:
        self.woken += 1


class SeenLinks(VlnSyncPool):
    """VlnSyncPool of which one is there, and it speaks to nobody."""

    def __init__(self) -> None:
        super().__init__(DesiredTasks(), address=lambda *_: "", key=lambda *_: "", notify=lambda _: None)
        self.seen: Seen | None = Seen()

    def get(self, namespace: str, model: str) -> Any:
        return self.seen if (namespace, model) == ("robots", "m") else None


class Setting:
    def __init__(self, *tasks: Object, model: Object | None = None) -> None:
        self.kube, self.links, self.time = FakeKube(), SeenLinks(), samples.NOW
        self.kube.put(api.VISION_MODELS, model or model_body())
        for task in tasks or [nav_body()]:
            self.kube.put(api.NAV_TASKS, task)
        self.store = Store(INDEXES, trim)
        self.reconciler = self.new_reconciler()

    def new_reconciler(self) -> TaskReconciler:
        return TaskReconciler(self.kube, self.store, self.links, lambda: self.time, lambda _: None)

    async def look(self, key: Key = KEY) -> float | None:
        for place in [place for place in self.kube.objects if place[0] in ("navtasks", "visionmodels")]:
            resource = api.NAV_TASKS if place[0] == "navtasks" else api.VISION_MODELS
            self.kube.touch(resource, *place[1:])  # tests change objects in place
        self.kube.fill(self.store)
        return await self.reconciler.reconcile(key)

    def body(self, name: str = "walk") -> Object:
        return self.kube.objects["navtasks", "robots", name]

    def status(self, name: str = "walk") -> Object:
        found: Object = self.body(name)["status"]
        return found

    def accepted(self, name: str = "walk") -> tuple[str, str]:
        found = next(one for one in self.status(name)["conditions"] if one["type"] == "Accepted")
        return found["status"], found["reason"]

    def seen(self, **fields: Any) -> None:
        assert self.links.seen is not None
        self.links.seen.records[TASK_ID] = record(**fields)

    async def break_the_spec_of_a_walk(self) -> None:
        """It has begun when somebody makes its spec one that does not parse."""
        self.seen(**WALKING)
        await self.look()
        self.body()["spec"]["limits"] = {"maxSteps": "many"}
        self.body()["metadata"]["generation"] = 2
        await self.look()

    def want(self, key: Key = KEY) -> Intent | None:
        entry = self.links.book.get(key)
        return None if entry is None else entry.want


def test_an_accepted_task_is_noted_and_the_link_is_woken_once() -> None:
    async def scenario() -> None:
        setting = Setting()
        assert await setting.look() == LOOK_AGAIN_SECONDS
        assert setting.want() is Intent.ASSERT
        assert setting.accepted() == ("True", "Valid")
        assert setting.links.seen is not None
        assert setting.links.seen.woken == 1
        await setting.look()
        assert setting.links.seen.woken == 1
        assert setting.kube.writes == ["status walk"]

    run(scenario())


def test_a_new_reconciler_writes_nothing_when_nothing_is_new() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.seen(**WALKING)
        await setting.look()
        setting.links = SeenLinks()
        assert setting.links.seen is not None
        setting.links.seen.state = Link("Unknown")
        setting.time = "2026-03-01T23:00:00Z"
        setting.reconciler = setting.new_reconciler()
        setting.kube.writes.clear()
        await setting.look()
        setting.links.seen.state = REACHABLE
        setting.seen(**WALKING)
        await setting.look()
        assert setting.kube.writes == []
        entry = setting.links.book.get(KEY)
        assert entry is not None
        assert entry.resume == Resume(elapsed_seconds=30.0, steps=12)

    run(scenario())


def test_figures_wait_for_their_second_and_transitions_do_not() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.seen(**WALKING)
        await setting.look()
        setting.kube.writes.clear()
        await asyncio.sleep(0.4)
        setting.seen(**WALKING | {"action": "left"})
        wait = await setting.look()
        assert wait == pytest.approx(0.6)
        assert setting.kube.writes == []
        await asyncio.sleep(0.6)
        await setting.look()
        assert setting.status()["action"] == "left"
        setting.seen(**WALKING | {"state": "error", "reason": "model_failed"})
        await setting.look()
        assert setting.kube.writes == ["status walk", "status walk"]
        running = setting.status()["conditions"][2]
        assert (running["status"], running["reason"]) == ("False", "ModelFailed")

    run(scenario())


def test_of_two_tasks_for_one_robot_the_older_has_it_until_its_end() -> None:
    async def scenario() -> None:
        younger = nav_body("later", uid=OTHER_UID)
        younger["metadata"]["creationTimestamp"] = "2026-03-01T11:30:00Z"
        setting, later = Setting(nav_body(), younger), task_key("robots", "later")
        assert await setting.look(later) == LOOK_SOON_SECONDS
        assert setting.accepted("later") == ("False", "RobotBusy")
        assert setting.want(later) is Intent.LEAVE
        await setting.look()
        assert setting.want() is Intent.ASSERT
        setting.seen(**WALKING | {"phase": "Finished", "verdict": "GoalReached"})
        await setting.look()
        await setting.look(later)
        assert setting.accepted("later") == ("True", "Valid")

    run(scenario())


def test_a_task_that_was_given_the_robot_keeps_it() -> None:
    """Ages have a resolution of a second: of two of one age the uid decides, but not against one that walks."""

    async def scenario() -> None:
        setting = Setting(nav_body("walk", uid=OTHER_UID))
        await setting.look()
        assert setting.accepted() == ("True", "Valid")
        setting.kube.put(api.NAV_TASKS, nav_body("twin"))
        await setting.look(task_key("robots", "twin"))
        assert setting.accepted("twin") == ("False", "RobotBusy")
        await setting.look()
        assert setting.accepted() == ("True", "Valid")

    run(scenario())


def test_two_that_are_looked_at_at_once_are_not_both_given_the_robot() -> None:
    async def scenario() -> None:
        setting = Setting(nav_body("walk", uid=OTHER_UID), nav_body("twin"))
        # Neither sees the other in the list, as when both were made after it.
        listed = setting.kube.list

        async def nothing(*arguments: Any, **more: Any) -> list[Object]:
            await listed(*arguments, **more)
            return []

        setting.kube.list = nothing  # type: ignore[method-assign]  # the race, made certain
        await asyncio.gather(setting.look(), setting.look(task_key("robots", "twin")))
        given = [setting.accepted("walk"), setting.accepted("twin")]
        assert sorted(given) == [("False", "RobotBusy"), ("True", "Valid")]

    run(scenario())


def test_a_robot_of_a_task_made_by_rest_is_tried_again() -> None:
    async def scenario() -> None:
        setting = Setting()
        assert setting.links.seen is not None
        setting.links.seen.refusals[TASK_ID] = Refusal(code="robot_busy", message="robot has task t1")
        assert await setting.look() == LOOK_SOON_SECONDS
        assert setting.accepted() == ("False", "RobotBusy")
        assert setting.want() is Intent.ASSERT
        setting.links.seen.refusals.clear()
        setting.seen()
        await setting.look()
        assert setting.accepted() == ("True", "Valid")

    run(scenario())


def test_a_status_that_lost_a_race_is_written_again_and_one_of_an_object_that_is_gone_is_not() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.kube.refuse["NavTask/status"] = ApiError(409, "the object has been modified; please apply your changes")
        with pytest.raises(ApiError):
            await setting.look()
        setting.kube.refuse["NavTask/status"] = ApiError(404, "not found")
        assert await setting.look() is not None

    run(scenario())


def test_a_deleted_task_is_noted_as_gone_and_the_link_is_woken() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.seen(**WALKING)
        await setting.look()
        setting.kube.lose(api.NAV_TASKS, "robots", "walk")
        assert await setting.look() is None
        owner = record().owner
        assert owner is not None
        assert setting.links.book.want(KEY, owner, "m") is Intent.STOP
        assert setting.links.seen is not None
        assert setting.links.seen.woken == 2

    run(scenario())


def test_a_finished_task_is_never_asserted_again_and_answers_edits() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.seen(**WALKING | {"phase": "Finished", "verdict": "GoalReached", "finished_at": 1_772_366_430.0})
        await setting.look()
        setting.body()["spec"]["instruction"] = "On to the blue door."
        setting.body()["metadata"]["generation"] = 2
        setting.links = SeenLinks()
        setting.reconciler = setting.new_reconciler()
        setting.kube.writes.clear()
        await setting.look()
        assert (setting.want(), setting.accepted()) == (Intent.STOP, ("False", "Finished"))
        assert setting.status()["phase"] == "Succeeded"
        await setting.look()
        assert setting.kube.writes == ["status walk"]

    run(scenario())


def test_a_finished_task_is_deleted_when_its_time_is_over() -> None:
    async def scenario() -> None:
        setting = Setting(nav_body(ttlSecondsAfterFinished=60))
        setting.seen(**WALKING | {"phase": "Finished", "verdict": "Cancelled", "finished_at": 1_772_366_430.0})
        await setting.look()
        setting.time = "2026-03-01T12:01:00Z"
        assert await setting.look() == 30
        setting.time = "2026-03-01T12:01:30Z"
        assert await setting.look() is None
        assert ("navtasks", "robots", "walk") not in setting.kube.objects

    run(scenario())


def test_stopped_is_wanted_even_when_nothing_else_fits() -> None:
    async def scenario() -> None:
        setting = Setting(nav_body(state="Stopped", modelRef={"name": "unknown"}))
        await setting.look()
        assert (setting.want(), setting.status()["verdict"]) == (Intent.STOP, "Cancelled")

    run(scenario())


def test_a_stop_is_noted_also_where_only_the_status_knows_of_the_task() -> None:
    """An operator that has just begun, and a VLN API that cannot be read: it may have the task."""

    async def scenario() -> None:
        setting = Setting()
        setting.seen(**WALKING)
        await setting.look()
        setting.body()["spec"]["state"] = "Stopped"
        setting.links = SeenLinks()
        assert setting.links.seen is not None
        setting.links.seen.state, setting.links.seen.stopping = Link("Unknown"), {TASK_ID}
        setting.reconciler = setting.new_reconciler()
        await setting.look()
        assert setting.links.book.stops("robots", "m") == {TASK_ID: KEY}
        assert setting.status()["conditions"][2]["reason"] == "Stopping"

    run(scenario())


def test_a_spec_that_does_not_parse_leaves_what_runs() -> None:
    async def scenario() -> None:
        setting = Setting()
        await setting.break_the_spec_of_a_walk()
        assert (setting.want(), setting.accepted()) == (Intent.LEAVE, ("False", "InvalidSpec"))
        assert setting.status()["steps"]["done"] == 12

    run(scenario())


def test_a_walk_whose_spec_does_not_parse_any_more_is_told_its_end() -> None:
    async def scenario() -> None:
        setting = Setting()
        await setting.break_the_spec_of_a_walk()
        end = {"phase": "Finished", "verdict": "GoalReached", "finished_at": 1_772_366_430.0, "message": "there"}
        setting.seen(**WALKING | end)
        await setting.look()
        status = setting.status()
        assert (status["phase"], status["verdict"], status["reason"]) == ("Succeeded", "GoalReached", "GoalReached")
        assert (status["finishedAt"], status["observedGeneration"]) == ("2026-03-01T12:00:30Z", 2)
        told = [(one["type"], one["status"], one["reason"]) for one in status["conditions"]]
        assert told == [
            ("Accepted", "False", "InvalidSpec"),
            ("ModelReady", "True", "Ready"),
            ("Running", "False", "GoalReached"),
            ("Complete", "True", "GoalReached"),
        ]
        assert setting.want() is Intent.STOP, "its robot is free"

    run(scenario())


def test_a_stop_is_wanted_also_of_a_spec_that_does_not_parse() -> None:
    """An operator that has just begun: nothing but the object says so."""

    async def scenario() -> None:
        setting = Setting(nav_body(state="Stopped", limits={"maxSteps": "many"}) | {"status": {"session": {"id": "x"}}})
        await setting.look()
        assert setting.want() is Intent.STOP
        assert setting.links.book.stops("robots", "m") == {TASK_ID: KEY}

    run(scenario())


def test_a_vln_api_that_was_switched_off_and_still_runs_has_to_confirm_a_stop() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.seen(**WALKING)
        await setting.look()
        del setting.kube.objects["visionmodels", "robots", "m"]["spec"]["navigation"]
        setting.body()["spec"]["state"] = "Stopped"
        assert setting.links.seen is not None
        setting.links.seen.stopping = {TASK_ID}
        await setting.look()
        assert setting.status()["conditions"][2]["reason"] == "Stopping"
        setting.links.seen = None
        await setting.look()
        assert setting.status()["verdict"] == "Cancelled"

    run(scenario())


def test_a_model_that_is_not_there_is_waited_for() -> None:
    async def scenario() -> None:
        setting = Setting(nav_body(modelRef={"name": "unknown"}))
        assert await setting.look() == LOOK_SOON_SECONDS
        assert (setting.want(), setting.accepted()) == (Intent.LEAVE, ("False", "ModelNotFound"))

    run(scenario())


def _mistake(*_: object) -> str:
    raise KeyError("x")


def test_a_pass_that_breaks_by_a_mistake_of_ours_is_told_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.seen(**WALKING)
        await setting.look()
        before = setting.status()
        assert setting.links.seen is not None
        with monkeypatch.context() as patch:
            patch.setattr(setting.links.seen, "record", _mistake)
            for _ in range(2):
                with pytest.raises(KeyError):
                    await setting.look()
        assert setting.kube.writes == ["status walk"] * 2, "it is told once"
        running = setting.status()["conditions"][2]
        assert (running["type"], running["status"], running["reason"]) == ("Running", "Unknown", "ApplyFailed")
        assert "KeyError" in running["message"]
        assert setting.status()["conditions"][:2] == before["conditions"][:2]
        assert setting.status()["steps"] == before["steps"]
        setting.links.seen.state = Link("Unknown")
        setting.links.seen.records.clear()
        await setting.look()
        assert setting.status()["conditions"][2]["reason"] == "Asserting", "a pass that works does not carry it on"
        setting.links.seen.state = REACHABLE
        setting.seen(**WALKING)
        await setting.look()
        assert setting.status() == before

    run(scenario())


def test_a_pass_that_breaks_after_the_end_changes_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.seen(**WALKING | {"phase": "Finished", "verdict": "GoalReached", "finished_at": 1_772_366_430.0})
        await setting.look()
        setting.kube.writes.clear()
        monkeypatch.setattr(setting.links.book, "put", _mistake)
        with pytest.raises(KeyError):
            await setting.look()
        assert setting.kube.writes == []

    run(scenario())


@pytest.mark.parametrize("how", ["deleted", "deleted after its stop", "stopped", "made anew for another model"])
def test_stops_are_not_kept_for_a_model_that_is_gone_with_its_vln_api(how: str) -> None:
    async def scenario() -> None:
        setting = Setting()
        await setting.look()
        setting.links.seen = None
        setting.kube.lose(api.VISION_MODELS, "robots", "m")
        if how != "deleted":
            setting.links.stop(KEY)
            assert setting.links.book.stops("robots", "m") == {TASK_ID: KEY}
        if how == "stopped":
            setting.body()["spec"]["state"] = "Stopped"
        else:
            setting.kube.lose(api.NAV_TASKS, "robots", "walk")
        if how == "made anew for another model":
            setting.kube.put(api.NAV_TASKS, nav_body(uid=OTHER_UID, modelRef={"name": "other"}))
        await setting.look()
        assert setting.links.book.stops("robots", "m") == {}

    run(scenario())


def test_stops_are_kept_while_the_model_is_there_and_its_vln_api_is_to_come() -> None:
    async def scenario() -> None:
        setting = Setting()
        await setting.look()
        setting.links.seen = None
        setting.kube.lose(api.NAV_TASKS, "robots", "walk")
        await setting.look()
        assert setting.links.book.stops("robots", "m") == {TASK_ID: KEY}

    run(scenario())
