"""Pictures that take long to decode hold up their own robot and no other."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from tests.support.polling import until

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.ipc.to_edge import CallBegan, Fault, FrameDecoded, FrameFault, WantFrame
from qwen3vl_vln.worker.decoding import Decoder

from .bench import Bench
from .samples import FORWARD, Walk, navigation_without_worker


class Processor:
    """Time that decoding takes, picture by picture; a thread asks before and after."""

    def __init__(self, *seconds: float) -> None:
        self._times = [time for each in seconds for time in (0.0, each)]

    def __call__(self) -> float:
        return self._times.pop(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.scheduler.close()


async def test_a_picture_that_took_long_is_told_and_not_asked_about(bench: Bench) -> None:
    bench.scheduler.decoder = Decoder(Processor(0.21, 0.19))
    bench.task("a")
    bench.frame("a")
    assert [message.fault for message in await bench.until(FrameFault)] == [Fault.COSTLY_PICTURE]
    await bench.until(WantFrame, 2)
    bench.frame("a")
    await bench.until(CallBegan)
    assert len(bench.model.asked) == 1


async def test_of_one_task_one_picture_is_decoded_at_a_time() -> None:
    decoder, running, most, go = Decoder(), set[bytes](), 0, threading.Event()

    def look(jpeg: bytes) -> bytes:
        nonlocal most
        running.add(jpeg)
        most = max(most, len(running & {b"a1", b"a2", b"a3"}))
        assert go.wait(10)
        running.discard(jpeg)
        return jpeg

    async def decode(task: str, jpeg: bytes) -> bytes | None:
        async with decoder.turn(task):
            return (await decoder.decode(look, jpeg)).seen

    async with asyncio.TaskGroup() as group:
        done = [group.create_task(decode("a", jpeg)) for jpeg in (b"a1", b"a2", b"a3")]
        done.append(group.create_task(decode("b", b"b1")))
        await until(lambda: running == {b"a1", b"b1"}, 5, "one of each task", lambda: str(running))
        go.set()
    assert [each.result() for each in done] == [b"a1", b"a2", b"a3", b"b1"] and most == 1
    decoder.close()


async def test_a_picture_of_before_takes_no_thread_from_its_task(bench: Bench) -> None:
    bench.task("a")
    async with bench.scheduler.decoder.turn("a"):
        bench.frame("a")
        bench.task("a", epoch=2)
        bench.frame("a", epoch=2)
    await bench.until(FrameDecoded)
    assert [message.epoch for message in bench.told(FrameDecoded)] == [2]


def test_the_tasks_pictures_are_put_aside_for_ten_seconds() -> None:
    walk = Walk()
    walk.frame()
    walk.result("plan", FORWARD)
    assert walk.run(0.5)[-1]["linear_vel"] > 0
    walk.task.costly_picture(walk.now)
    for body in walk.run(9.9, hz=10):
        assert (body["state"], body["reason"], body["linear_vel"]) == ("error", "costly_picture", 0.0)
        assert not walk.offered
    walk.now += 0.2
    walk.frame()
    assert walk.offered
    walk.task.on_decoded(walk.now, changed=True)
    assert walk.frame()["state"] == "hold", "until the model has seen it"


def test_what_it_has_cost_counts_also_when_the_task_has_begun_anew() -> None:
    navigation = navigation_without_worker()
    task = navigation.create(Walk().task.settings).task
    told = FrameFault(task_id=task.task_id, epoch=task.epoch, fault=Fault.COSTLY_PICTURE)
    task.pause()
    navigation.on_message(told)
    assert task.camera_monitor.fault is Reason.COSTLY_PICTURE and task.camera_monitor.aside_until > navigation.now()


async def test_a_fault_of_this_software_is_an_image_that_cannot_be_decoded(caplog: pytest.LogCaptureFixture) -> None:
    """Else the robot's next image is never asked for."""

    def look(jpeg: bytes) -> None:
        raise MemoryError("no room")

    decoder = Decoder()
    assert (await decoder.decode(look, b"")).seen is None
    assert "looking at an image failed" in caplog.text
    decoder.close()
