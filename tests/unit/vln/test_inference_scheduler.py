"""The worker's order of things: newest key frame only, fair turns, cancelled only when nobody wants the answer."""

import asyncio
from typing import Any

import pytest
from tests.support.images import jpeg

from qwen3vl_vln.ipc.to_edge import (
    CallBegan,
    CallFailed,
    CallResult,
    EarlyPlan,
    FrameDecoded,
    FrameFault,
    SlotLeft,
    WantFrame,
)
from qwen3vl_vln.ipc.to_worker import ForgetTask, LeaveSlot
from qwen3vl_vln.waypoint import Waypoint
from qwen3vl_vln.worker.model_client import ModelDeadlineError, ModelError, Reply

from .bench import PLAN, Bench


@pytest.fixture
async def bench() -> Any:
    bench = Bench()
    yield bench
    await bench.scheduler.close()


async def test_a_picture_becomes_a_question_and_a_plan(bench: Bench) -> None:
    bench.task("a")
    assert bench.sent == [WantFrame(task_id="a", epoch=1)]
    number = bench.frame("a")
    await bench.until(CallBegan)
    bench.model.asked[0][1].set_result(Reply(PLAN, "stop"))
    result = (await bench.until(CallResult))[0]
    assert (result.task_id, result.epoch, result.frame, result.outcome) == ("a", 1, number, "plan")
    assert result.waypoints == (Waypoint(0.5, 0.0, 0.0),)
    assert len(await bench.until(WantFrame, 2)) == 2, "the next picture is asked for"


async def test_only_the_newest_key_frame_waits(bench: Bench) -> None:
    bench.task("a")
    bench.frame("a")
    await bench.until(CallBegan)
    for turn in range(2, 5):
        await bench.until(WantFrame, turn)
        newest = bench.frame("a")
        await bench.until(FrameDecoded, turn)
    bench.model.asked[0][1].set_result(Reply(PLAN, "stop"))
    assert (await bench.until(CallBegan, 2))[1].frame == newest
    assert len(bench.model.asked) == 2


async def test_tasks_take_turns(bench: Bench) -> None:
    bench.scheduler.queue.calls = 1
    for name in ("a", "b", "c"):
        bench.task(name)
        bench.frame(name)
        await bench.until(FrameDecoded, "abc".index(name) + 1)
    await bench.until(WantFrame, 6)
    bench.frame("a")
    await bench.until(FrameDecoded, 4)
    for _ in range(4):
        next(answer for _, answer in bench.model.asked if not answer.done()).set_result(Reply(PLAN, "stop"))
        await asyncio.sleep(0.05)
    assert [asked for asked, _ in bench.model.asked] == ["a/1", "b/1", "c/1", "a/1"]


async def test_a_call_is_cancelled_by_another_instruction_and_not_by_a_newer_picture(bench: Bench) -> None:
    bench.task("a")
    bench.frame("a")
    await bench.until(CallBegan)
    await bench.until(WantFrame, 2)
    bench.frame("a")
    await bench.until(FrameDecoded, 2)
    assert not bench.model.asked[0][1].cancelled()
    bench.task("a", epoch=2)
    await asyncio.sleep(0.01)
    assert bench.model.asked[0][1].cancelled()
    bench.frame("a", epoch=2)
    await bench.until(CallBegan, 2)
    assert bench.model.asked[1][0] == "a/2"


@pytest.mark.parametrize("kind", ["task", "forget"])
async def test_a_call_is_cancelled_by_the_end(bench: Bench, kind: str) -> None:
    bench.task("a")
    bench.frame("a")
    await bench.until(CallBegan)
    if kind == "task":
        bench.task("a", epoch=2, active=False)
    else:
        bench.scheduler.take(ForgetTask(task_id="a"))
    await asyncio.sleep(0.01)
    assert bench.model.asked[0][1].cancelled()


@pytest.mark.parametrize(("error", "deadline"), [(ModelError("HTTP 503"), False), (ModelDeadlineError("late"), True)])
async def test_a_failure_is_told_and_tried_again_later(bench: Bench, error: ModelError, deadline: bool) -> None:
    bench.task("a")
    bench.frame("a")
    await bench.until(CallBegan)
    bench.model.asked[0][1].set_exception(error)
    failed = (await bench.until(CallFailed))[0]
    assert failed.deadline is deadline and failed.message == str(error)
    await bench.until(WantFrame, 2)
    bench.frame("a")
    await bench.until(CallBegan, 2)


async def test_a_fault_of_this_software_is_a_failure_too(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever breaks, the robot does not wait for an answer that nobody gives."""
    bench.task("a")
    number = bench.frame("a")
    await bench.until(CallBegan)
    bench.model.asked[0][1].set_exception(AttributeError("'str' object has no attribute 'get'"))
    failed = (await bench.until(CallFailed))[0]
    assert (failed.frame, failed.deadline, failed.context_too_small) == (number, False, False)
    assert failed.message == "the worker failed: AttributeError"
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True]
    await bench.until(WantFrame, 2)
    bench.frame("a")
    await bench.until(CallBegan, 2)


async def test_what_waits_during_a_failing_task_s_pause_is_others_turn(bench: Bench) -> None:
    bench.scheduler.queue.calls = 1
    bench.task("a")
    bench.task("b")
    bench.frame("a")
    await bench.until(CallBegan)
    bench.frame("b")
    await bench.until(FrameDecoded, 2)
    bench.model.asked[0][1].set_exception(ModelError("HTTP 500"))
    assert (await bench.until(CallBegan, 2))[1].task_id == "b"


@pytest.mark.parametrize(
    ("image", "reason"),
    [(jpeg(320, 240)[:500] + b"\xff\xd9", "corrupt_frame"), (b"\xff\xd8 no picture", "corrupt_frame")],
)
async def test_a_damaged_picture_is_told(bench: Bench, image: bytes, reason: str) -> None:
    bench.task("a")
    bench.frame("a", image=image)
    assert (await bench.until(FrameFault))[0].fault in (reason, "covered_camera")
    await bench.until(WantFrame, 2)


async def test_history_is_earlier_key_frames_oldest_first_then_the_newest(bench: Bench) -> None:
    bench.task("a")
    for turn in range(1, 5):
        bench.frame("a")
        await bench.until(CallBegan, turn)
        bench.model.asked[-1][1].set_result(Reply(PLAN, "stop"))
        await bench.until(CallResult, turn)
        await bench.until(WantFrame, turn + 1)
    pictures = [part for part in bench.model.bodies[-1]["messages"][-1]["content"] if part["type"] == "image_url"]
    assert len(pictures) == 3, "two of history and the newest"
    assert len({part["image_url"]["url"] for part in pictures}) == 3


async def test_waypoints_are_told_once_as_soon_as_their_array_is_closed(bench: Bench) -> None:
    bench.task("a")
    number = bench.frame("a")
    await bench.until(CallBegan)
    assert bench.model.heard is not None
    for end in range(0, len(PLAN) + 1, 7):
        bench.model.heard(PLAN[:end])
    early = (await bench.until(EarlyPlan))[0]
    assert (early.frame, early.epoch, early.waypoints) == (number, 1, (Waypoint(0.5, 0.0, 0.0),))
    assert len(bench.told(EarlyPlan)) == 1


async def test_answers_that_no_schema_holds_are_heard_to_their_end(bench: Bench) -> None:
    bench.task("a", profile="actions")
    bench.frame("a")
    await bench.until(CallBegan)
    assert bench.model.heard is None


async def test_another_camera_begins_another_history(bench: Bench) -> None:
    for epoch, camera, pictures in ((1, 1, 1), (2, 1, 2), (3, 2, 1)):
        bench.task("a", epoch, camera_number=camera)
        bench.frame("a", epoch)
        await bench.until(CallBegan, epoch)
        bench.model.asked[-1][1].set_result(Reply(PLAN, "stop"))
        await bench.until(CallResult, epoch)
        shown = [part for part in bench.model.bodies[-1]["messages"][-1]["content"] if part["type"] == "image_url"]
        assert len(shown) == pictures


async def test_a_picture_that_shows_the_same_is_told_as_such(bench: Bench) -> None:
    bench.task("a")
    same, other = jpeg(320, 240, 1), jpeg(320, 240, 2)
    for turn, image in enumerate((same, same, other), 1):
        bench.frame("a", image=image)
        await bench.until(FrameDecoded, turn)
        await bench.until(WantFrame, turn + 1)
    assert [message.changed for message in bench.told(FrameDecoded)] == [True, False, True]


async def test_a_place_is_left_behind_what_was_read_from_it(bench: Bench) -> None:
    """The next task's picture must not be written where an older one is still to be read."""
    bench.task("a")
    number = bench.frame("a")
    bench.scheduler.take(LeaveSlot(slot=number))
    bench.slots[number] = b"another robot's picture"
    assert bench.sent[-1] == SlotLeft(slot=number)
    await bench.until(CallBegan)
