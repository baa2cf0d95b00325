"""All links together, on real connections: a stop waits for nobody, and nobody for a VLN API that hangs."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from tests.support.stand_in_vln import StandInVln, new_record
from tests.support.virtual_time import run
from tests.unit.operator.nav_task.samples_nav import nav_task

from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks, Entry, Intent
from qwen3vl_operator.nav_task.figures_pace import PER_SECOND, FiguresPace
from qwen3vl_operator.nav_task.record import assertion
from qwen3vl_operator.nav_task.spec import NavTask
from qwen3vl_operator.nav_task.vln_assertions import AT_ONCE
from qwen3vl_operator.nav_task.vln_sync_pool import VlnSyncPool

ASSERTED, ANSWER_SECONDS, STOP_SECONDS = 500, 0.9, 1.0


def walk(name: str, model: str = "m") -> NavTask:
    uid = f"{sum(map(ord, name)):08}-0000-4000-8000-000000000000"
    return nav_task(name=name, uid=uid, robot=name, modelRef={"name": model})


def key_of(task: NavTask) -> Key:
    return task_key(task.namespace, task.name)


@dataclass
class Setting:
    """A pool with a stand-in for each model."""

    vlns: dict[str, StandInVln]
    pool: VlnSyncPool
    told: list[Key] = field(default_factory=list)

    def want(self, *tasks: NavTask, want: Intent = Intent.ASSERT, session: bool = False) -> None:
        """As a pass over each of them notes it."""
        for task in tasks:
            model = task.spec.model_ref.name
            asserted = task if want is Intent.ASSERT else None
            self.pool.book.put(key_of(task), Entry(task.uid, model, task.spec.robot, want, asserted, session=session))
            if (link := self.pool.get(task.namespace, model)) is not None:
                link.wake()

    def walks(self, task: NavTask) -> None:
        """The VLN API has it, and its robot walks."""
        vln = self.vlns[task.spec.model_ref.name]
        vln.records[task.task_id] = new_record(task.task_id, assertion(task, None))
        vln.change(task.task_id, phase="Running", state="moving", reason="following_plan")

    def reachable(self, model: str) -> bool:
        link = self.pool.get("robots", model)
        return link is not None and link.state.state == "Reachable"

    async def stop_seconds(self, task: NavTask, begin: Callable[[], object]) -> float:
        """From now to the arrival of the task's first stop."""
        call = f"POST /vln/task/{task.task_id}/stop"
        arrivals, began = self.vlns[task.spec.model_ref.name].arrivals, time.monotonic()
        begin()
        await until(lambda: any(what == call for _, what in arrivals))
        return next(at for at, what in arrivals if what == call) - began


async def until(holds: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - the server of a test offers no event
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def listening(*models: str) -> AsyncIterator[Setting]:
    vlns, addresses, told = {model: StandInVln("operator-key") for model in models}, dict[str, str](), list[Key]()
    async with contextlib.AsyncExitStack() as stack:
        for model, vln in vlns.items():
            runner = web.AppRunner(vln.app(), handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            addresses[model] = f"http://127.0.0.1:{runner.addresses[0][1]}"
        pool = VlnSyncPool(
            DesiredTasks(),
            address=lambda _, model: addresses[model],
            key=lambda *_: "operator-key",
            notify=told.append,
        )
        stack.push_async_callback(pool.close)
        for model in models:
            pool.serve("robots", model)
        yield Setting(vlns, pool, told)
        assert pool.ended == []


async def test_a_stop_reaches_a_vln_api_that_is_told_of_five_hundred_others_within_a_second() -> None:
    """60 tasks asserted one after another, 0.4 s each, and a stop came after 23.9 s (O8)."""
    async with listening("m") as setting:
        stopped, deleted, forgotten = walks = [walk("stopped"), walk("deleted"), walk("forgotten")]
        for task in walks:
            setting.walks(task)
        await until(lambda: setting.reachable("m"))
        setting.vlns["m"].slow |= {"PUT": ANSWER_SECONDS, "POST": ANSWER_SECONDS, "GET": ANSWER_SECONDS}
        setting.want(*walks, *(walk(f"new{number}") for number in range(ASSERTED)))
        await until(lambda: setting.vlns["m"].told > 0)
        seconds = await setting.stop_seconds(stopped, lambda: setting.pool.stop(key_of(stopped)))
        assert seconds <= STOP_SECONDS
        seconds = await setting.stop_seconds(forgotten, lambda: setting.want(forgotten, want=Intent.STOP))
        assert seconds <= STOP_SECONDS

        def delete() -> None:
            setting.pool.stop(key_of(deleted))
            setting.pool.book.remove(key_of(deleted))

        assert await setting.stop_seconds(deleted, delete) <= STOP_SECONDS
        await until(lambda: all(setting.vlns["m"].records[task.task_id]["verdict"] for task in walks))
        assert setting.vlns["m"].told < ASSERTED / 2, "they were still being told"


async def test_sixty_robots_are_stopped_at_once_while_others_are_told() -> None:
    async with listening("m") as setting:
        walks = [walk(f"w{number}") for number in range(60)]
        for task in walks:
            setting.walks(task)
        await until(lambda: setting.reachable("m"))
        setting.vlns["m"].slow |= {"PUT": ANSWER_SECONDS, "POST": ANSWER_SECONDS}
        setting.want(*walks, *(walk(f"new{number}") for number in range(ASSERTED)))
        began = time.monotonic()
        for task in walks:
            setting.pool.stop(key_of(task))
        arrivals = setting.vlns["m"].arrivals
        await until(lambda: len({what for _, what in arrivals if what.startswith("POST")}) == len(walks))
        assert max(at for at, what in arrivals if what.startswith("POST")) - began <= STOP_SECONDS


async def test_a_stop_is_carried_out_while_everything_else_hangs() -> None:
    async with listening("m") as setting:
        task = walk("walk")
        setting.walks(task)
        await until(lambda: setting.reachable("m"))
        setting.vlns["m"].hanging |= {"GET", "PUT"}
        setting.want(task, *(walk(f"new{number}") for number in range(20)))
        await until(lambda: setting.vlns["m"].told >= AT_ONCE)
        assert await setting.stop_seconds(task, lambda: setting.pool.stop(key_of(task))) <= STOP_SECONDS
        await until(lambda: setting.vlns["m"].records[task.task_id]["verdict"] == "Cancelled")


async def test_one_vln_api_that_hangs_holds_up_none_of_many() -> None:
    """More calls that hang than a client keeps connections to all servers together."""
    sick = [f"sick{number}" for number in range(13)]
    async with listening(*sick, "m") as setting:
        await until(lambda: all(setting.reachable(model) for model in sick))
        for model in sick:
            setting.vlns[model].hanging |= {"GET", "PUT", "POST"}
            setting.want(*(walk(f"{model}-{number}", model) for number in range(9)))
        await until(lambda: all(setting.vlns[model].told >= AT_ONCE for model in sick))
        task = walk("walk")
        began = time.monotonic()
        setting.want(task)
        await until(lambda: task.task_id in setting.vlns["m"].records)
        assert time.monotonic() - began <= 1.0
        assert await setting.stop_seconds(task, lambda: setting.pool.stop(key_of(task))) <= STOP_SECONDS
        assert setting.reachable("m")


async def test_a_stop_of_something_unknown_does_nothing_and_saying_it_again_neither() -> None:
    async with listening("m") as setting:
        task = walk("walk")
        setting.walks(task)
        await until(lambda: setting.reachable("m"))
        setting.pool.stop(key_of(task))
        assert setting.vlns["m"].records[task.task_id]["verdict"] is None
        setting.want(task)
        setting.pool.stop(key_of(task))
        await until(lambda: setting.vlns["m"].records[task.task_id]["verdict"] == "Cancelled")
        link = setting.pool.get("robots", "m")
        assert link is not None
        await until(lambda: not link.is_stopping(task.task_id))
        setting.pool.stop(key_of(task))
        setting.want(task, want=Intent.STOP, session=True)
        reads = len(setting.vlns["m"].calls)
        await until(lambda: len(setting.vlns["m"].calls) >= reads + 2)
        assert sum(call.startswith("POST") for call in setting.vlns["m"].calls) == 1


async def test_a_model_without_a_vln_api_has_nothing_to_stop() -> None:
    async with listening("m") as setting:
        task = walk("walk")
        setting.want(task)
        setting.pool.end("robots", "m")
        assert setting.told.count(key_of(task)) >= 1
        setting.want(task, want=Intent.STOP)
        setting.pool.stop(key_of(task))
        assert setting.pool.get("robots", "m") is None
        setting.pool.serve("robots", "m")
        # It was asserted once, so that a new VLN API is asked, which does not know it.
        await until(lambda: setting.pool.book.stops("robots", "m") == {})
        assert setting.vlns["m"].calls.count(f"POST /vln/task/{task.task_id}/stop") == 1


async def test_a_model_that_goes_after_its_vln_api_takes_the_stops_with_it() -> None:
    async with listening("m") as setting:
        task = walk("walk")
        setting.want(task)
        setting.pool.end("robots", "m")
        setting.pool.stop(key_of(task))
        assert setting.pool.book.stops("robots", "m") == {task.task_id: key_of(task)}
        setting.pool.end("robots", "m")
        assert setting.pool.book.stops("robots", "m") == {}


@pytest.fixture
def keys() -> Iterator[list[Key]]:
    yield [task_key("robots", f"t{number}") for number in range(2_000)]


def test_figures_of_two_thousand_walks_are_handed_on_at_a_pace_and_each_in_its_turn(keys: list[Key]) -> None:
    handed: list[Key] = []

    async def scenario() -> None:
        pace = FiguresPace(handed.append)
        running = asyncio.create_task(pace.run())
        for _ in range(2 * 90):  # twice a second all of them have changed
            for key in keys:
                pace.add(key)
            await asyncio.sleep(0.5)
        running.cancel()

    run(scenario())
    assert len(handed) == pytest.approx(90 * PER_SECOND, rel=0.02)
    assert handed[: len(keys)] == keys


def test_figures_of_a_few_walks_are_handed_on_at_once(keys: list[Key]) -> None:
    async def scenario() -> None:
        loop, handed = asyncio.get_running_loop(), list[float]()
        pace = FiguresPace(lambda _: handed.append(loop.time()))
        running = asyncio.create_task(pace.run())
        await asyncio.sleep(10)
        for key in keys[:5]:
            pace.add(key)
        await asyncio.sleep(1)
        assert handed[0] == pytest.approx(10)
        assert handed[-1] <= 10.2
        running.cancel()

    run(scenario())
