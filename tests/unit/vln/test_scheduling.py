"""Who may ask the model, and when: hours of it on a virtual clock, with a model that takes its time."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.images import jpeg
from tests.support.virtual_time import run

from qwen3vl_common.navigation.settings import Keyframes
from qwen3vl_vln.ipc.to_edge import CallBegan, CallFailed, CallResult, FrameDecoded, ToEdge, WantFrame
from qwen3vl_vln.worker.call_queue import FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS
from qwen3vl_vln.worker.model_client import ModelError, Reply
from qwen3vl_vln.worker.scheduler import InferenceScheduler

from .bench import PLAN, Bench, camera_frame, task_update

IMAGE_SECONDS = 0.1


@dataclass
class Engine:
    """A model that answers after some time, a little more or less each time, or fails at once."""

    seconds: float = 1.0
    fails: bool = False
    asked: list[tuple[float, str]] = field(default_factory=list)
    jitter: random.Random = field(default_factory=lambda: random.Random(1))
    at_once: int = 0
    most_at_once: int = 0

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        text = body["messages"][-1]["content"][-1]["text"]
        self.asked.append((asyncio.get_running_loop().time(), text.rpartition("Instruction: ")[2]))
        if self.fails:
            raise ModelError("HTTP 503")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.seconds * self.jitter.uniform(0.9, 1.1))
        finally:
            self.at_once -= 1
        return Reply(PLAN, "stop")

    def of(self, name: str) -> list[float]:
        return [at for at, asked in self.asked if asked == name]


class Office:
    """An scheduler and cameras: whenever it wants a picture of a task, the task's next one comes."""

    def __init__(self, engine: Engine, calls: int) -> None:
        self.engine, self.calls = engine, calls
        self.sent: list[tuple[float, ToEdge]] = []
        self.shown: dict[int, tuple[float, str]] = {}
        self.numbers = itertools.count(1)
        self.scheduler = InferenceScheduler("m", engine, self._hear, self._read, calls=calls)

    def _read(self, slot: int, size: int) -> bytes:
        return jpeg(64, 48, slot % 7)

    def _hear(self, message: ToEdge) -> None:
        loop = asyncio.get_running_loop()
        self.sent.append((loop.time(), message))
        if isinstance(message, WantFrame):
            loop.call_later(IMAGE_SECONDS, self._show, message.task_id, message.epoch)

    def _show(self, task: str, epoch: int) -> None:
        number = next(self.numbers)
        self.shown[number] = asyncio.get_running_loop().time(), task
        self.scheduler.take(camera_frame(task, number, epoch=epoch))

    def task(self, name: str, keyframes: Keyframes) -> None:
        self.scheduler.take(task_update(name, instruction=name, keyframes=keyframes))

    def waits(self) -> dict[str, list[float]]:
        """Of each task: seconds from the arrival of a picture to the question about it."""
        found: dict[str, list[float]] = {}
        for at, message in self.sent:
            if isinstance(message, CallBegan):
                shown, task = self.shown[message.frame]
                found.setdefault(task, []).append(at - shown)
        return found


def worked(engine: Engine, tasks: dict[str, Keyframes], *, calls: int, seconds: float) -> Office:
    """So long an scheduler worked for these tasks."""

    async def work() -> Office:
        office = Office(engine, calls)
        for name, keyframes in tasks.items():
            office.task(name, keyframes)
        await asyncio.sleep(seconds)
        await office.scheduler.close()
        return office

    return run(work())


OFTEN = Keyframes(threshold=0.0, min_interval_seconds=0.05, max_interval_seconds=0.1)
SELDOM = Keyframes(threshold=1.0, min_interval_seconds=2.0, max_interval_seconds=4.0)
SELDOMER = Keyframes(threshold=0.9, min_interval_seconds=3.0, max_interval_seconds=4.0)


@pytest.mark.parametrize("calls", [1, 2, 4])
def test_tasks_share_the_model_evenly(calls: int) -> None:
    engine = Engine(seconds=1.0)
    worked(engine, {f"t{number}": OFTEN for number in range(6)}, calls=calls, seconds=30)
    counts = Counter(name for _, name in engine.asked)
    assert len(counts) == 6 and max(counts.values()) - min(counts.values()) <= 2
    assert engine.most_at_once == calls
    assert sum(counts.values()) >= 0.9 * 30 * calls, "the model never idles while somebody waits"


def test_one_task_with_many_pictures_starves_no_other() -> None:
    engine = Engine(seconds=1.0)
    tasks = {"greedy": OFTEN} | {f"t{number}": SELDOM for number in range(5)}
    office = worked(engine, tasks, calls=2, seconds=60)
    counts = Counter(name for _, name in engine.asked)
    assert all(counts[name] >= 60 / 4.2 - 1 for name in tasks if name != "greedy"), counts
    # Whoever comes waits at most for a call of each other one, two of which run at once.
    assert max(max(waits) for name, waits in office.waits().items() if name != "greedy") <= 3.3 + IMAGE_SECONDS


def test_the_model_is_asked_about_a_picture_of_now() -> None:
    """While a slow call is under way newer key frames take the place of older ones."""
    office = worked(Engine(seconds=5.0), {"a": OFTEN}, calls=4, seconds=60)
    waits = office.waits()["a"]
    assert len(waits) >= 11 and max(waits) <= 0.5 + IMAGE_SECONDS


def test_pauses_after_failures_grow_and_are_bounded() -> None:
    engine = Engine(fails=True)
    worked(engine, {"a": OFTEN}, calls=4, seconds=60)
    pauses = [later - former for former, later in itertools.pairwise(engine.of("a"))]
    expected = [min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2**turn) for turn in range(len(pauses))]
    assert len(pauses) >= 10
    for pause, least in zip(pauses, expected, strict=True):
        # After the pause it is a new picture that is asked about.
        assert least - 1e-9 <= pause <= least + 2 * IMAGE_SECONDS + 0.05


def test_a_model_that_answers_again_ends_the_pauses() -> None:
    async def work() -> Engine:
        engine = Engine(seconds=0.2, fails=True)
        office = Office(engine, 4)
        office.task("a", OFTEN)
        await asyncio.sleep(30.0)
        engine.fails = False
        await asyncio.sleep(LONGEST_RETRY_SECONDS + 1.0)
        engine.asked.clear()
        await asyncio.sleep(10.0)
        await office.scheduler.close()
        return engine

    assert len(run(work()).of("a")) >= 20


def test_a_failing_task_takes_nobody_s_place() -> None:
    class Picky(Engine):
        async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
            self.fails = body["messages"][-1]["content"][-1]["text"].endswith("bad")
            return await super().ask(body, heard)

    engine = Picky(seconds=1.0)
    worked(engine, {"bad": OFTEN, "good": OFTEN}, calls=1, seconds=30)
    assert len(engine.of("good")) >= 25


async def test_a_call_cancelled_before_it_began_gives_its_place_back() -> None:
    bench = Bench(calls=1)
    try:
        for name in ("a", "b", "c"):
            bench.task(name)
            bench.frame(name)
            await bench.until(FrameDecoded, "abc".index(name) + 1)
        # In one turn of the loop: a's answer comes, which lets b begin, and b is stopped.
        bench.model.asked[0][1].set_result(Reply(PLAN, "stop"))
        asyncio.get_running_loop().call_soon(lambda: bench.task("b", epoch=2, active=False))
        assert (await bench.until(CallBegan, 2))[1].task_id == "c"
        assert [name for name, _ in bench.model.asked] == ["a/1", "c/1"]
    finally:
        await bench.scheduler.close()


async def test_another_limit_cancels_no_call() -> None:
    """Only another epoch does: the limits of a task may be edited while the model thinks."""
    bench = Bench()
    try:
        bench.task("a")
        bench.frame("a")
        await bench.until(CallBegan)
        await bench.until(WantFrame, 2)
        bench.task("a", history_frames=0, keyframes=SELDOMER)
        await asyncio.sleep(0.01)
        assert not bench.model.asked[0][1].cancelled()
        bench.model.asked[0][1].set_result(Reply(PLAN, "stop"))
        assert (await bench.until(CallResult))[0].outcome == "plan"
        bench.frame("a")
        assert not (await bench.until(FrameDecoded, 2))[1].key, "the new limits hold"
        assert len(bench.told(WantFrame)) == 2, "each picture is wanted once"
    finally:
        await bench.scheduler.close()


async def test_a_paused_task_s_call_is_cancelled() -> None:
    """A pause is told as another epoch that is not active."""
    bench = Bench()
    try:
        bench.task("a")
        bench.frame("a")
        await bench.until(CallBegan)
        bench.task("a", epoch=2, active=False)
        await asyncio.sleep(0.01)
        assert bench.model.asked[0][1].cancelled()
        assert not [*bench.told(CallResult), *bench.told(CallFailed)]
    finally:
        await bench.scheduler.close()
