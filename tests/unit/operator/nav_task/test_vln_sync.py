"""The link to a VLN API against a server that speaks the protocol: reads by hand, stops and assertions as they come."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from tests.support.stand_in_vln import StandInVln, new_record
from tests.unit.operator.nav_task.samples_nav import TASK_ID, UID, nav_task

from qwen3vl_common.navigation.requests import Resume
from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.nav_task import vln_assertions, vln_client, vln_stops
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks, Entry, Intent
from qwen3vl_operator.nav_task.record import assertion
from qwen3vl_operator.nav_task.vln_client import VlnClient
from qwen3vl_operator.nav_task.vln_sync import VlnSync

KEY = task_key("robots", "walk")
READ, PUT, STOP = "GET /vln/tasks", f"PUT /vln/task/{TASK_ID}", f"POST /vln/task/{TASK_ID}/stop"


@dataclass
class Setting:
    """A link whose stops and assertions run; it reads when it is told to.

    Attributes:
        told, figures: NavTasks about which something was known, and where it was figures alone.
    """

    vln: StandInVln
    link: VlnSync
    book: DesiredTasks
    told: list[Key] = field(default_factory=list)
    figures: list[Key] = field(default_factory=list)

    def want(self, want: Intent = Intent.ASSERT, *, resume: Resume | None = None, **spec: object) -> None:
        task = nav_task(**spec)
        self.book.put(KEY, Entry(UID, "m", task.spec.robot, want, task if want is Intent.ASSERT else None, resume))

    def stop(self) -> None:
        self.book.stop(KEY)
        self.link.wake()

    def has(self, name: str, **fields: object) -> None:
        """The VLN API has a task of the NavTask `walk` under this id."""
        self.vln.records[name] = new_record(name, assertion(nav_task(), None)) | fields
        self.vln.change(name)

    async def turn(self) -> list[str]:
        """What a read brings about, to the answer of the last call."""
        self.vln.calls.clear()
        await self.link.read()
        self.link.wake()
        await self.rest()
        return [call.partition("?")[0] for call in self.vln.calls]

    async def rest(self) -> None:
        """Until nothing is woken and no call is under way."""
        parts = self.link._stops, self.link._assertions
        await until(lambda: not (self.link.under_way or any(part._wake.is_set() for part in parts)))

    def phase(self) -> str | None:
        found = self.link.record(TASK_ID)
        return None if found is None else found.phase


async def until(holds: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - the server of a test offers no event
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def listening(vln: "StandInVln | _Words") -> AsyncIterator[str]:
    runner = web.AppRunner(vln.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def link_to(
    client: VlnClient, book: DesiredTasks, told: Callable[[Key], None], figures: Callable[[Key], None]
) -> VlnSync:
    """A link that speaks to its VLN API by one client."""
    more = {"notify": told, "notify_figures": figures}
    return VlnSync("robots", "m", client=client, stop_client=client, book=book, **more)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    vln, book, told, figures = StandInVln("operator-key"), DesiredTasks(), list[Key](), list[Key]()
    async with listening(vln) as url, aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        link = link_to(VlnClient(session, url, "operator-key"), book, told.append, figures.append)
        running = [group.create_task(part.run()) for part in (link._stops, link._assertions)]
        yield Setting(vln, link, book, told, figures)
        for one in running:
            one.cancel()


# Assertions and reads ------------------------------------------------------------------------------------------------


async def test_a_task_is_asserted_once_and_read_by_cursor(setting: Setting) -> None:
    setting.want()
    assert await setting.turn() == [READ, PUT]
    body = setting.vln.bodies[TASK_ID][0]
    assert body["owner"] == {"uid": UID, "namespace": "robots", "name": "walk", "generation": 1}
    assert (body["robot"], body["state"], body["limits"]["maxSteps"]) == ("go2-01", "Running", 500)
    assert "resume" not in body
    assert setting.told == [KEY, KEY]  # that the VLN API answers, and its record
    assert await setting.turn() == [READ]
    assert "since=" in setting.vln.calls[0]
    assert setting.phase() == "WaitingForRobot"


async def test_what_changes_there_wakes_the_navtask_and_nothing_else_does(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    await setting.turn()
    setting.told.clear()
    await setting.turn()
    assert setting.told == []
    setting.vln.change(TASK_ID, phase="Running", state="moving", reason="following_plan")
    await setting.turn()
    assert (setting.told, setting.figures) == ([KEY], [])


async def test_figures_of_a_walk_are_news_that_may_wait_and_ticking_counters_are_none(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.vln.change(TASK_ID, phase="Running", state="moving", reason="following_plan")
    await setting.turn()
    setting.told.clear()
    setting.vln.change(TASK_ID, elapsed_seconds=9.0, frames={"received": 270, "analysed": 9, "dropped": 0})
    await setting.turn()
    assert (setting.told, setting.figures) == ([], [])
    setting.vln.change(TASK_ID, steps={"done": 1, "limit": 500})
    await setting.turn()
    setting.vln.change(TASK_ID, elapsed_seconds=20.0)
    await setting.turn()
    assert (setting.told, setting.figures) == ([], [KEY, KEY])
    setting.vln.change(TASK_ID, reason="model_slow")
    await setting.turn()
    assert setting.told == [KEY]


async def test_an_edit_is_asserted(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.want(generation=2, instruction="To the blue door.")
    assert await setting.turn() == [READ, PUT]
    assert setting.vln.records[TASK_ID]["instruction"] == "To the blue door."
    assert await setting.turn() == [READ]


async def test_an_edit_that_comes_while_the_task_is_asserted_is_told_without_waiting_for_a_read(
    setting: Setting,
) -> None:
    setting.vln.slow["PUT"] = 0.1
    await setting.turn()
    setting.want()
    setting.link.wake()
    await until(lambda: PUT in setting.vln.calls)
    setting.want(generation=2, instruction="To the blue door.")
    setting.link.wake()
    await until(lambda: len(setting.vln.bodies.get(TASK_ID, ())) == 2)
    assert setting.vln.calls == [READ, PUT, PUT]


async def test_no_more_than_eight_assertions_are_under_way_and_edits_come_first(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.vln.slow["PUT"] = 0.05
    most = 0
    for number in range(60):
        task = nav_task(name=f"t{number}", uid=f"{number:08}-0000", robot=f"robot-{number}")
        entry = Entry(task.uid, "m", task.spec.robot, Intent.ASSERT, task)
        setting.book.put(task_key("robots", task.name), entry)
    setting.vln.calls.clear()
    setting.link.wake()
    await until(lambda: len(setting.vln.calls) >= vln_assertions.AT_ONCE)
    setting.want(generation=2, instruction="To the blue door.")
    while len(setting.vln.records) < 61:
        most = max(most, setting.link.under_way)
        await asyncio.sleep(0.005)
    assert most == vln_assertions.AT_ONCE
    # It had to wait for the turn that was begun, and not for all the others.
    assert setting.vln.calls.index(PUT) <= vln_assertions.PER_TURN


async def test_what_is_wanted_before_the_first_read_is_not_asserted_twice(setting: Setting) -> None:
    """A new operator must know what the VLN API has before it tells it anything."""
    setting.has(TASK_ID)
    setting.want()
    setting.link.wake()
    await asyncio.sleep(2 * vln_assertions.TURN_SECONDS)
    assert setting.vln.calls == []
    assert await setting.turn() == [READ]


async def test_tasks_made_by_rest_are_left_alone(setting: Setting) -> None:
    setting.has("t1", owner=None)
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


async def test_what_a_former_process_said_is_kept_only_for_what_may_be_asserted_again(setting: Setting) -> None:
    kept = setting.link._api.records._former
    setting.want(Intent.LEAVE)
    unknown = setting.vln.records["t2"] = new_record("t2", assertion(nav_task(name="t2", robot="r2"), None))
    setting.vln.change("t2")
    setting.has("t1", owner=None)
    setting.has(TASK_ID, phase="Running")
    await setting.turn()
    setting.vln.restart()
    setting.told.clear()
    await setting.turn()
    assert set(kept) == {TASK_ID, "t2"}, "nobody asserts again what was made by REST"
    setting.vln.records["t2"] = unknown
    setting.vln.change("t2")
    await setting.turn()
    assert set(kept) == {TASK_ID}, "the new process has it"
    setting.book.remove(KEY)
    setting.link._full_read_at = -math.inf
    await setting.turn()
    assert kept == {}


async def test_what_the_vln_api_does_not_know_any_more_leaves_nothing_of_a_former_process(setting: Setting) -> None:
    setting.want()
    setting.has(TASK_ID, phase="Running")
    await setting.turn()
    setting.want(Intent.LEAVE)
    setting.vln.restart()
    await setting.turn()
    kept = setting.link._api.records._former
    assert set(kept) == {TASK_ID}
    setting.stop()
    await setting.rest()
    assert kept == {}


async def test_a_refusal_is_told_once_and_tried_again_later(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    setting.has("t1", owner=None)
    setting.want()
    assert await setting.turn() == [READ, PUT]
    refusal = setting.link.refusal(TASK_ID, 1)
    assert refusal is not None
    assert (refusal.code, "t1" in refusal.message) == ("robot_busy", True)
    assert setting.link.state.state == "Reachable"
    assert setting.told.count(KEY) == 1 + 1  # that it answers, and the refusal
    assert await setting.turn() == [READ]
    setting.vln.finish("t1", "Cancelled")
    monkeypatch.setattr(vln_assertions, "AGAIN_SECONDS", 0.0)
    assert await setting.turn() == [READ, PUT]
    assert setting.link.refusal(TASK_ID, 1) is None


async def test_an_assertion_that_fails_is_told_by_its_navtask_alone(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vln_client, "ASSERT_SECONDS", 0.05)
    setting.want()
    setting.vln.hanging.add("PUT")
    assert await setting.turn() == [READ, PUT]
    assert setting.link.call_error(TASK_ID, 1) == "no answer within 0.05 s"
    assert await setting.turn() == [READ], "it is tried again after a while"
    assert setting.link.state.state == "Reachable"
    setting.vln.hanging.clear()
    monkeypatch.setattr(vln_assertions, "AGAIN_SECONDS", 0.0)
    assert await setting.turn() == [READ, PUT]
    assert setting.link.call_error(TASK_ID, 1) == ""


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


async def test_a_vln_api_that_hangs_is_unreachable_after_two_reads(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of what answers, a busy machine may be slow.
    monkeypatch.setattr(vln_client, "READ_SECONDS", 30.0)
    setting.want()
    await setting.turn()
    setting.told.clear()
    setting.vln.hang = True
    monkeypatch.setattr(vln_client, "READ_SECONDS", 0.05)
    await setting.turn()
    assert setting.link.state.state == "Reachable"
    await setting.turn()
    assert (setting.link.state.state, setting.link.state.error) == ("Unreachable", "no answer within 0.05 s")
    assert setting.told == [KEY]
    assert setting.link.record(TASK_ID) is not None
    setting.vln.hang = False
    monkeypatch.setattr(vln_client, "READ_SECONDS", 30.0)
    await setting.turn()
    assert setting.link.state.state == "Reachable"
    assert setting.told == [KEY, KEY]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((401, {"error": {"message": "the API key is not known"}}), "401: the API key is not known"),
        ((500, {}), "500: no reason given"),
        ((200, {"boot_id": "b"}), "2 fields are not as they should be"),
        ((200, {"boot_id": "b", "cursor": "c", "tasks": {"task_id": 1}}), "fields are not as they should be"),
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


WRONG: dict[str, dict[str, object]] = {
    "a phase of a newer version": {"phase": "Dancing"},
    "no number": {"elapsed_seconds": math.nan},
    "a number without end": {"latency": {"p50_ms": 1, "p95_ms": math.inf, "max_ms": 1}},
    "more than an apiserver keeps": {"latency": {"p50_ms": 1, "p95_ms": 1e300, "max_ms": 1}},
    "a time that no calendar has": {"finished_at": 1e15},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_record_that_is_wrong_is_told_by_its_navtask_alone(
    setting: Setting, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    setting.want()
    setting.has("t1", owner=None)
    setting.vln.records["t1"]["robot"] = "another"
    await setting.turn()
    await setting.turn()
    setting.told.clear()
    setting.vln.change(TASK_ID, **WRONG[wrong])
    setting.vln.change("t1", phase="Running")
    for full in (False, True, True):
        setting.link._full_read_at = -math.inf if full else setting.link._full_read_at
        await setting.turn()
    assert setting.link.state.state == "Reachable"
    other = setting.link.record("t1")
    assert other is not None
    assert other.phase == "Running"
    assert setting.phase() == "WaitingForRobot", "as last understood: it is not gone"
    (field,) = WRONG[wrong]
    assert f"task.{field}" in setting.link.unreadable(TASK_ID)
    assert setting.told == [KEY]
    assert [message for message in caplog.messages if field in message and TASK_ID in message] == [caplog.messages[-1]]
    well: dict[str, object] = {"elapsed_seconds": 1.0, "latency": None, "finished_at": None}
    setting.vln.change(TASK_ID, **{"phase": "Running"} | well)
    await setting.turn()
    assert (setting.phase(), setting.link.unreadable(TASK_ID)) == ("Running", "")


async def test_a_record_without_an_id_holds_up_no_other_and_makes_none_gone(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    del setting.vln.records[TASK_ID]["task_id"]
    setting.link._full_read_at = -math.inf
    await setting.turn()
    assert (setting.link.state.state, setting.phase()) == ("Reachable", "WaitingForRobot")


class _Words:
    """Something else that answers whatever is asked, at the address of a VLN API."""

    def __init__(self, words: bytes) -> None:
        self.words = words

    def app(self) -> web.Application:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(body=self.words, content_type="application/json")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        return app


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(b"[" * 200_000, "the answer is no JSON", id="nested without an end"),
        pytest.param(b" " * (vln_client.MOST_BYTES + 1), "longer than 8 MiB", id="long"),
        pytest.param(b"", "the answer is no JSON", id="empty"),
        pytest.param(b"\xff", "the answer is no JSON", id="no text"),
    ],
)
async def test_whatever_answers_in_its_place_ends_no_link_and_takes_no_memory(words: bytes, says: str) -> None:
    """A link that ends has the operator started anew, with all the others."""
    async with listening(_Words(words)) as url, aiohttp.ClientSession() as session:
        link = link_to(VlnClient(session, url, "operator-key"), DesiredTasks(), lambda _: None, lambda _: None)
        await link.read()
        await link.read()
        assert link.state.state == "Unreachable"
        assert says in link.state.error


# Stops ---------------------------------------------------------------------------------------------------------------


async def test_what_is_not_wanted_is_stopped_without_a_read(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.vln.calls.clear()
    setting.book.remove(KEY)
    setting.link.wake()
    await setting.rest()
    assert setting.vln.calls == [STOP]
    assert setting.vln.records[TASK_ID]["verdict"] == "Cancelled"
    assert await setting.turn() == [READ]
    assert setting.phase() == "Finished"


async def test_stopped_is_stopped_once_and_never_asserted_again(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.stop()
    setting.stop()
    assert setting.link.is_stopping(TASK_ID)
    assert sorted(await setting.turn()) == sorted([STOP, READ])
    assert not setting.link.is_stopping(TASK_ID)
    setting.want(generation=3)  # an older view of the object
    assert await setting.turn() == [READ]


async def test_a_task_of_an_unknown_navtask_is_looked_up_first(setting: Setting) -> None:
    setting.has(TASK_ID)
    assert await setting.turn() == [READ]
    assert setting.told == [KEY, KEY]
    setting.book.remove(KEY)
    assert STOP in await setting.turn()


async def test_a_stop_is_sent_while_reads_hang_and_no_record_was_ever_read(setting: Setting) -> None:
    """A new operator knows from the NavTask's status that a VLN API was told of it."""
    setting.has(TASK_ID)
    setting.vln.hanging.add("GET")
    reading = asyncio.create_task(setting.link.read())
    setting.book.put(KEY, Entry(UID, "m", "go2-01", Intent.STOP, session=True))
    setting.link.wake()
    await until(lambda: setting.vln.records[TASK_ID]["verdict"] == "Cancelled", 0.5)
    assert not reading.done()
    await reading


async def test_a_stop_is_repeated_until_it_is_confirmed(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vln_stops, "FIRST_PAUSE_SECONDS", 0.01)
    setting.want()
    await setting.turn()
    setting.told.clear()
    setting.vln.refuse_stops = True
    setting.stop()
    await until(lambda: setting.vln.calls.count(STOP) >= 3)
    assert setting.link.is_stopping(TASK_ID)
    assert setting.link.call_error(TASK_ID, 2).endswith("answers 500: it failed")
    assert setting.told == [KEY], "the same failure is no news"
    setting.vln.refuse_stops = False
    await until(lambda: not setting.link.is_stopping(TASK_ID))
    assert setting.told == [KEY, KEY]
    assert setting.link.call_error(TASK_ID, 2) == ""
    assert setting.link.state.state == "Reachable", "a stop that fails says nothing of the reads"


async def test_a_stop_that_waits_is_tried_when_the_vln_api_answers_again(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vln_stops, "FIRST_PAUSE_SECONDS", 60.0)
    setting.want()
    await setting.turn()
    setting.vln.answer = 503, {}
    setting.stop()
    await until(lambda: setting.link.call_error(TASK_ID, 1) != "")
    await setting.link.read()
    setting.vln.answer = None
    await setting.link.read()
    await until(lambda: setting.vln.records[TASK_ID]["verdict"] == "Cancelled", 1)


async def test_one_that_cannot_be_stopped_does_not_keep_others_from_it(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vln_stops, "FIRST_PAUSE_SECONDS", 60.0)
    for name in ("a-1", "b-2"):
        setting.has(name)
    setting.want(Intent.STOP)
    setting.vln.refuse_stops = True
    await setting.link.read()
    await until(lambda: len(setting.vln.calls) == 3)
    assert setting.vln.calls == [READ, *(f"POST /vln/task/{name}/stop" for name in ("a-1", "b-2"))]
    await until(lambda: all(setting.link._stops.error(name) for name in ("a-1", "b-2")))
    setting.vln.refuse_stops = False
    setting.link._stops.hope()
    await setting.rest()
    assert {record["verdict"] for record in setting.vln.records.values()} == {"Cancelled"}


async def test_what_the_vln_api_does_not_know_is_confirmed_and_what_lies_between_confirms_nothing(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vln_stops, "FIRST_PAUSE_SECONDS", 0.01)
    setting.book.put(KEY, Entry(UID, "m", "go2-01", Intent.STOP, session=True))
    setting.vln.answer = 404, {"detail": "an Ingress has no such path"}
    setting.link.wake()
    await until(lambda: setting.vln.calls.count(STOP) >= 2)
    assert setting.link.is_stopping(TASK_ID)
    setting.vln.answer = None
    await setting.rest()
    assert not setting.link.is_stopping(TASK_ID)


async def test_a_task_that_is_known_to_have_ended_is_not_stopped(setting: Setting) -> None:
    setting.want()
    await setting.turn()
    setting.vln.finish(TASK_ID, "GoalReached")
    await setting.turn()
    setting.stop()
    assert await setting.turn() == [READ]
    assert not setting.link.is_stopping(TASK_ID)


async def test_a_stop_that_overtakes_its_assertion_is_sent_again_after_it(setting: Setting) -> None:
    """An assertion that is under way while its task is stopped would bring it to life behind the stop."""
    await setting.turn()
    setting.vln.slow["PUT"] = 0.2
    setting.want()
    setting.link.wake()
    await until(lambda: PUT in setting.vln.calls)
    setting.stop()
    await setting.rest()
    assert setting.vln.calls == [READ, PUT, STOP, STOP]
    assert setting.vln.records[TASK_ID]["verdict"] == "Cancelled"


async def test_an_assertion_without_an_answer_that_takes_effect_later_is_stopped_by_the_next_read(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vln_client, "ASSERT_SECONDS", 0.05)
    await setting.turn()
    setting.vln.hanging.add("PUT")
    setting.want()
    setting.link.wake()
    await until(lambda: PUT in setting.vln.calls)
    setting.stop()
    await setting.rest()
    assert not setting.link.is_stopping(TASK_ID)
    setting.has(TASK_ID)  # a server that hung goes on where it was
    assert await setting.turn() == [READ, STOP]
    assert setting.vln.records[TASK_ID]["verdict"] == "Cancelled"


async def test_it_reads_again_and_again_and_asserts_without_waiting_for_a_read() -> None:
    vln, book = StandInVln("operator-key"), DesiredTasks()
    async with listening(vln) as url, aiohttp.ClientSession() as session:
        link = link_to(VlnClient(session, url, "operator-key"), book, lambda _: None, lambda _: None)
        running = asyncio.create_task(link.run())
        try:
            await until(lambda: link.state.state == "Reachable")
            began = link._now()
            book.put(KEY, Entry(UID, "m", "go2-01", Intent.ASSERT, nav_task()))
            link.wake()
            await until(lambda: TASK_ID in vln.records)
            assert link._now() - began < 0.4
            reads = vln.calls.count(READ)
            await until(lambda: len(vln.calls) >= reads + 2)
        finally:
            running.cancel()
