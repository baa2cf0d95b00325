"""The link to a VLN API, turn by turn, against a server that speaks the protocol."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from tests.stand_in_vln import StandInVln, new_record
from tests.unit.operator.nav_task.samples_nav import TASK_ID, UID, nav_task

from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.nav_task import vln_client
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks, Entry, Intent
from qwen3vl_operator.nav_task.record import Resume, assertion
from qwen3vl_operator.nav_task.vln_client import VlnClient
from qwen3vl_operator.nav_task.vln_sync import REFUSED_AGAIN_SECONDS, VlnSync

KEY = task_key("robots", "walk")


@dataclass
class Setting:
    vln: StandInVln
    link: VlnSync
    book: DesiredTasks
    told: list[Key] = field(default_factory=list)

    def want(self, want: Intent = Intent.ASSERT, *, resume: Resume | None = None, **spec: object) -> None:
        task = nav_task(**spec)
        self.book.put(KEY, Entry(UID, "m", task.spec.robot, want, task if want is Intent.ASSERT else None, resume))

    async def turn(self) -> list[str]:
        """Calls of one turn."""
        self.vln.calls.clear()
        await self.link.turn()
        return [call.partition("?")[0] for call in self.vln.calls]


@contextlib.asynccontextmanager
async def listening(vln: StandInVln) -> AsyncIterator[str]:
    runner = web.AppRunner(vln.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    vln, book, told = StandInVln("operator-key"), DesiredTasks(), []
    async with listening(vln) as url, aiohttp.ClientSession() as session:
        client = VlnClient(session, url, "operator-key")
        yield Setting(vln, VlnSync("robots", "m", client=client, book=book, notify=told.append), book, told)


READ, PUT, STOP = "GET /vln/tasks", f"PUT /vln/task/{TASK_ID}", f"POST /vln/task/{TASK_ID}/stop"


async def test_a_task_is_asserted_once_and_read_by_cursor(setting: Setting) -> None:
    setting.want()
    assert await setting.turn() == [READ, PUT]
    body = setting.vln.bodies[TASK_ID][0]
    assert body["owner"] == {"uid": UID, "namespace": "robots", "name": "walk", "generation": 1}
    assert (body["robot"], body["state"], body["limits"]["maxSteps"]) == ("go2-01", "Running", 500)
    assert "resume" not in body
    assert setting.told == [KEY, KEY]  # its record, and that the VLN API answers
    assert await setting.turn() == [READ]
    assert "since=" in setting.vln.calls[0]
    found = setting.link.record(TASK_ID)
    assert found is not None
    assert found.phase == "WaitingForRobot"


async def test_what_changes_there_wakes_the_navtask_and_nothing_else_does(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    await setting.turn()
    setting.told.clear()
    await setting.turn()
    assert setting.told == []
    setting.vln.change(TASK_ID, phase="Running", state="moving", reason="following_plan")
    await setting.turn()
    assert setting.told == [KEY]


async def test_an_edit_is_asserted(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.want(generation=2, instruction="To the blue door.")
    assert await setting.turn() == [READ, PUT]
    assert setting.vln.records[TASK_ID]["instruction"] == "To the blue door."
    assert await setting.turn() == [READ]


async def test_what_is_not_wanted_is_stopped_before_anything_else(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.book.remove(KEY)
    assert (await setting.turn())[0] == STOP
    assert setting.vln.records[TASK_ID]["verdict"] == "Cancelled"
    assert await setting.turn() == [READ]


async def test_stopped_is_stopped_and_never_asserted_again(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.want(Intent.STOP)
    assert await setting.turn() == [STOP, READ]
    setting.want(generation=3)
    assert await setting.turn() == [READ]


async def test_a_task_of_an_unknown_navtask_is_looked_up_first(setting: Setting) -> None:
    setting.vln.records[TASK_ID] = new_record(TASK_ID, assertion(nav_task(), None))
    setting.vln.change(TASK_ID)
    assert await setting.turn() == [READ]
    assert setting.told == [KEY, KEY]
    setting.book.remove(KEY)
    assert STOP in await setting.turn()


async def test_tasks_made_by_rest_are_left_alone(setting: Setting) -> None:
    setting.vln.records["t1"] = new_record("t1", assertion(nav_task(), None)) | {"owner": None}
    setting.vln.change("t1")
    assert await setting.turn() == [READ]
    assert setting.told == []


async def test_a_new_process_goes_on_where_the_former_one_was(setting: Setting) -> None:
    setting.want(resume=Resume(elapsed_seconds=20, steps=5))
    await setting.turn()
    assert setting.vln.bodies[TASK_ID][0]["resume"] == {"elapsedSeconds": 20, "steps": 5}
    setting.vln.change(TASK_ID, phase="Running", elapsed_seconds=31.5, steps={"done": 9, "limit": 500})
    await setting.turn()
    setting.vln.restart()
    assert await setting.turn() == [READ, PUT]
    assert setting.vln.bodies[TASK_ID][1]["resume"] == {"elapsedSeconds": 31.5, "steps": 9}


async def test_a_task_that_never_began_resumes_nothing(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.vln.restart()
    await setting.turn()
    assert "resume" not in setting.vln.bodies[TASK_ID][1]


async def test_a_refusal_is_told_once_and_tried_again_later(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    setting.vln.records["t1"] = new_record("t1", assertion(nav_task(), None)) | {"owner": None}
    setting.vln.change("t1")
    setting.want()
    assert await setting.turn() == [READ, PUT]
    refusal = setting.link.refusal(TASK_ID, 1)
    assert refusal is not None
    assert (refusal.code, "t1" in refusal.message) == ("robot_busy", True)
    assert setting.link.state.state == "Reachable"
    assert setting.told.count(KEY) == 1 + 1  # the refusal, and that it answers
    assert await setting.turn() == [READ]
    setting.vln.finish("t1", "Cancelled")
    now = setting.link._now()
    monkeypatch.setattr(setting.link, "_now", lambda: now + REFUSED_AGAIN_SECONDS)
    assert await setting.turn() == [READ, PUT]
    assert setting.link.refusal(TASK_ID, 1) is None


async def test_an_end_that_is_found_while_asserting_is_the_end(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.want(generation=2)
    setting.vln.records[TASK_ID] |= {"phase": "Finished", "verdict": "GoalReached"}  # after the read
    await setting.turn()
    found = setting.link.record(TASK_ID)
    assert found is not None
    assert found.verdict == "GoalReached"
    assert PUT not in await setting.turn()


async def test_a_vln_api_that_hangs_is_unreachable_after_two_turns(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vln_client, "CALL_SECONDS", 0.05)
    setting.want()
    await setting.turn()
    setting.told.clear()
    setting.vln.hang = True
    await setting.turn()
    assert setting.link.state.state == "Reachable"
    await setting.turn()
    assert (setting.link.state.state, setting.link.state.error) == ("Unreachable", "no answer within 0.05 s")
    assert setting.told == [KEY]
    assert setting.link.record(TASK_ID) is not None
    setting.vln.hang = False
    await setting.turn()
    assert setting.link.state.state == "Reachable"
    assert setting.told == [KEY, KEY]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((401, {"error": {"message": "the API key is not known"}}), "401: the API key is not known"),
        ((500, {}), "500: no reason given"),
        ((200, {"boot_id": "b"}), "2 fields are not as they should be"),
        ((200, {"boot_id": "b", "cursor": "c", "tasks": [{"task_id": 1}]}), "fields are not as they should be"),
    ],
)
async def test_nonsense_is_no_answer(setting: Setting, answer: tuple[int, dict[str, object]], says: str) -> None:
    setting.want()
    setting.vln.answer = answer
    await setting.turn()
    await setting.turn()
    assert setting.link.state.state == "Unreachable"
    assert says in setting.link.state.error
    assert "operator-key" not in setting.link.state.error


async def test_one_that_cannot_be_stopped_does_not_keep_others_from_it(setting: Setting) -> None:
    for name in ("a-1", "b-2"):
        setting.vln.records[name] = new_record(name, assertion(nav_task(), None))
        setting.vln.change(name)
    setting.want(Intent.STOP)
    setting.vln.refuse_stops = True
    stops = [f"POST /vln/task/{name}/stop" for name in ("a-1", "b-2")]
    assert await setting.turn() == [READ, *stops]
    assert await setting.turn() == [READ, *stops]
    assert setting.link.state.state == "Unreachable"
    setting.vln.refuse_stops = False
    assert await setting.turn() == [READ, *stops]
    assert {record["verdict"] for record in setting.vln.records.values()} == {"Cancelled"}


async def test_it_takes_turns_and_does_not_wait_for_the_next_when_woken(setting: Setting) -> None:
    running = asyncio.create_task(setting.link.run())
    try:
        async with asyncio.timeout(5):
            await _until(lambda: setting.link.state.state == "Reachable")
            began = setting.link._now()
            setting.want()
            setting.link.wake()
            await _until(lambda: TASK_ID in setting.vln.records)
            assert setting.link._now() - began < 0.4
            reads = len(setting.vln.calls)
            await _until(lambda: len(setting.vln.calls) >= reads + 2)
    finally:
        running.cancel()


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - the server of a test offers no event
        await asyncio.sleep(0.005)
