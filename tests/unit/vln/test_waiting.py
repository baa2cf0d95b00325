"""Those who wait for the model's word about their picture: woken by the right one, and not for ever."""

import asyncio
from typing import Any

import pytest
from tests.support.images import jpeg

from qwen3vl_vln.edge import waiters
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.edge.waiters import SYNC_SECONDS, WAITERS_MOST
from qwen3vl_vln.errors import EndedError, SyncTimeoutError, TooManyWaitersError
from qwen3vl_vln.ipc.to_edge import Fault, FrameFault
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.tasks import Entry

from .samples import call_result, navigation_without_worker


def begun() -> tuple[Navigation, Entry]:
    navigation = navigation_without_worker()
    return navigation, navigation.create(Settings(robot="go2", instruction="Walk on."))


def wait(navigation: Navigation, entry: Entry, seed: int) -> "asyncio.Task[dict[str, Any]]":
    frame = Frame(navigation.now(), image=jpeg(64, 48, seed), size=(64, 48), force_key=True)
    return asyncio.create_task(navigation.frame_sync(entry, frame))


def told(navigation: Navigation, entry: Entry, frame: int) -> None:
    navigation.on_message(call_result(entry.task, frame, "hold"))


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SYNC_SECONDS == 60.0 and WAITERS_MOST == 8
    monkeypatch.setattr(waiters, "SYNC_SECONDS", 0.02)
    navigation, entry = begun()
    with pytest.raises(SyncTimeoutError) as late:
        await wait(navigation, entry, 1)
    assert late.value.status == 504
    assert navigation._waiters.count(entry.task.task_id) == 0, "who has gone takes no place"


@pytest.mark.parametrize("change", [{"instruction": "Go back.", "paused": None}, {"instruction": None, "paused": True}])
async def test_what_is_asked_no_more_is_waited_for_no_more(change: dict[str, Any]) -> None:
    navigation, entry = begun()
    waiting = wait(navigation, entry, 1)
    await asyncio.sleep(0)
    assert not waiting.done()
    navigation.change(entry, **change)
    answer = await asyncio.wait_for(waiting, 1)
    assert answer["linear_vel"] == 0.0 and answer["state"] in ("waiting", "hold")


@pytest.mark.parametrize("fault", [Fault.CORRUPT_FRAME, Fault.COSTLY_PICTURE])
async def test_a_picture_that_is_not_looked_at_is_waited_for_no_more(fault: Fault) -> None:
    navigation, entry = begun()
    waiting = wait(navigation, entry, 1)
    await asyncio.sleep(0)
    navigation.on_message(FrameFault(task_id=entry.task.task_id, epoch=entry.task.epoch, fault=fault))
    assert (await asyncio.wait_for(waiting, 1))["linear_vel"] == 0.0


async def test_a_result_wakes_all_whose_picture_is_no_newer() -> None:
    navigation, entry = begun()
    waiting = []
    for seed in (1, 2, 3):
        waiting.append(wait(navigation, entry, seed))
        await asyncio.sleep(0)
    told(navigation, entry, 2)
    done, still = await asyncio.wait(waiting, timeout=0.05)
    assert done == set(waiting[:2]) and still == {waiting[2]}
    told(navigation, entry, 3)
    assert (await waiting[2])["state"] == "hold"


async def test_who_waited_long_for_a_plan_may_drive_it() -> None:
    """No picture comes while a client waits; that must not void the plan for which it waits."""
    navigation, entry = begun()
    now = [navigation.now()]
    navigation.now = lambda: now[0]  # type: ignore[method-assign]
    waiting = wait(navigation, entry, 1)
    await asyncio.sleep(0)
    now[0] += 3.0
    navigation.on_message(call_result(entry.task, 1, "plan", (0.5, 0.0, 0.0), action="forward", seconds=3.0))
    body = await waiting
    assert body["state"] == "moving" and body["linear_vel"] > 0
    assert navigation.answer_now(entry, None)["reason"] == "no_image", "but no second answer without a picture"


async def test_a_lost_worker_leaves_nobody_waiting() -> None:
    navigation, entry = begun()
    waiting = wait(navigation, entry, 1)
    await asyncio.sleep(0)
    navigation.worker_lost(entry)
    body = await asyncio.wait_for(waiting, 1)
    assert body["linear_vel"] == 0.0 and body["state"] != "moving"


async def test_a_deleted_task_leaves_nobody_waiting() -> None:
    navigation, entry = begun()
    waiting = wait(navigation, entry, 1)
    await asyncio.sleep(0)
    navigation.delete(entry)
    with pytest.raises(EndedError):
        await waiting
    assert navigation._waiters.count(entry.task.task_id) == 0


async def test_who_gives_up_makes_room() -> None:
    navigation, entry = begun()
    crowd = [wait(navigation, entry, seed) for seed in range(WAITERS_MOST)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaitersError):
        await wait(navigation, entry, 20)
    crowd[0].cancel()
    await asyncio.wait(crowd[:1])
    late = wait(navigation, entry, 21)
    await asyncio.sleep(0)
    assert not late.done()
    navigation.stop(entry, "enough")
    await asyncio.gather(late, *crowd, return_exceptions=True)


def test_a_stop_after_the_end_keeps_nothing_of_a_deleted_task() -> None:
    """A WebSocket of it may still be open, and say stop."""
    navigation, entry = begun()
    navigation.delete(entry)
    navigation.stop(entry, "once more")
    assert len(navigation.link.frames) == 0
