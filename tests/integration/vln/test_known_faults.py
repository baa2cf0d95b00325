"""The faults of the system that this one took its protocol from, as far as only real processes show them.

The others are in `tests/unit/vln/test_known_faults.py`; a clock set back while a robot walks, and a stop while the
model thinks, are in `test_fault_matrix.py`."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.vln.conftest import FORWARD, ROBOT_KEY, Chain, child_of, frame
from tests.support.figures import Figures
from tests.support.polling import until

SLOW_SECONDS = 5.0
QUICK_SECONDS = 0.1
"""Of an answer that waits for no model; a few milliseconds, with room for a loaded machine."""
MEMORY_MIB = 48.0
TASKS = 1000
HEADERS = {"authorization": f"Bearer {ROBOT_KEY}"}


async def thinks_for(chain: Chain, seconds: float) -> None:
    """The model says forward, that late."""
    await chain.fault(fault="reply", text=json.dumps(FORWARD), seconds=seconds)


async def timed(work: Awaitable[Any], times: list[float]) -> Any:
    began = time.monotonic()
    result = await work
    times.append(time.monotonic() - began)
    return result


async def test_timestamps_of_frame_number_by_rate_are_all_stale(chain: Chain) -> None:
    """A client that sends frame number / rate as its time stamp was answered 300 times with the default command."""
    await chain.says(FORWARD)
    task = await chain.create()
    states: list[str] = []
    for number in range(90):
        status, body = await chain.ask("POST", "/vln/frame", frame(task, number % 30, timestamp=number / 30))
        assert status == 200
        states.append(body["state"])
        await asyncio.sleep(1 / 30)
    assert "moving" in states and states[0] == "waiting"
    assert (await chain.task(task))["frames"]["analysed"] >= 3


async def test_one_model_call_freezes_every_robot(chain: Chain, figure: Figures) -> None:
    """With a model of 5 s a frame of any robot took 4,986 ms: one blocking call held the event loop."""
    await thinks_for(chain, SLOW_SECONDS)
    # A plan that is as old as this at its birth would be void.
    patient = {"maxPlanAgeSeconds": 2 * SLOW_SECONDS}
    waiting, other = [await chain.create(robot=robot, limits=patient) for robot in ("a", "b")]
    began = time.monotonic()
    sync = asyncio.create_task(chain.ask("POST", "/vln/frame/sync", frame(waiting)))
    frames: list[float] = []
    others: list[float] = []
    while time.monotonic() - began < SLOW_SECONDS - 0.5:
        _, body = await timed(chain.ask("POST", "/vln/frame", frame(other, len(frames) % 30)), frames)
        assert body["linear_vel"] == 0.0
        await timed(chain.ask("GET", "/health", key=None), others)
        await timed(chain.ask("GET", f"/vln/task/{waiting}"), others)
        await asyncio.sleep(0.03)
    assert not sync.done() and len(frames) > 50
    figure("model of 5 s: longest answer to another robot's frame", 1000 * max(frames), "ms", 1000 * QUICK_SECONDS)
    figure("model of 5 s: longest answer to any other request", 1000 * max(others), "ms", 1000 * QUICK_SECONDS)
    assert statistics.quantiles(frames, n=50)[-1] < QUICK_SECONDS
    assert statistics.quantiles(others, n=50)[-1] < QUICK_SECONDS
    status, body = await sync
    assert status == 200 and body["plan_id"] is not None
    await until(lambda: _has_plan(chain, other), what="the other robot has its own answer of the model")


async def _has_plan(chain: Chain, task: str) -> bool:
    return bool((await chain.task(task))["steps"]["done"] or (await chain.task(task))["current_waypoints"])


async def test_the_websocket_blocks_for_the_model(chain: Chain, figure: Figures) -> None:
    """With a model of 5 s the WebSocket gave 0.2 answers a second, the first of zeros, the next 5 s old."""
    await thinks_for(chain, SLOW_SECONDS)
    task = await chain.create()
    times: list[float] = []
    began = time.monotonic()
    async with chain.http.ws_connect(chain.socket_url(f"/vln/stream/{task}"), headers=HEADERS) as socket:

        async def asked(number: int) -> dict[str, Any]:
            await socket.send_json(frame(task, number % 30))
            return dict(await socket.receive_json())

        while time.monotonic() - began < SLOW_SECONDS - 0.5:
            body = await timed(asked(len(times)), times)
            assert body["state"] == "waiting" and body["linear_vel"] == 0.0
            await asyncio.sleep(0.03)
    figure("model of 5 s: longest answer on the WebSocket", 1000 * max(times), "ms", 1000 * QUICK_SECONDS)
    assert len(times) > 50 and statistics.quantiles(times, n=50)[-1] < QUICK_SECONDS


async def test_sync_fails_with_two_robots(chain: Chain) -> None:
    """While one robot was served, the other one's request was dropped as stale and answered 500 after 60 s."""
    await thinks_for(chain, 1.0)
    tasks = [await chain.create(robot=robot) for robot in ("a", "b")]
    for turn in range(3):
        began = time.monotonic()
        asked = [chain.ask("POST", "/vln/frame/sync", frame(task, turn)) for task in tasks]
        answers = await asyncio.gather(*asked)
        assert [status for status, _ in answers] == [200, 200], answers
        assert [body["task_id"] for _, body in answers] == tasks
        assert all(body["plan_id"].partition("-")[2].startswith(body["task_id"]) for _, body in answers)
        assert time.monotonic() - began < 2 * 1.0 + 1.0


async def test_closing_one_websocket_wipes_what_others_read(chain: Chain) -> None:
    """The end of one connection removed the task's results for every other client."""
    await chain.says(FORWARD)
    tasks = [await chain.create(robot=robot) for robot in ("a", "b")]
    urls = [chain.socket_url(f"/vln/stream/{task}") for task in tasks]

    async def moves(socket: Any, task: str) -> dict[str, Any]:
        for number in range(150):
            await socket.send_json(frame(task, number % 30))
            body = dict(await socket.receive_json())
            if body["linear_vel"]:
                return body
            await asyncio.sleep(0.03)
        raise AssertionError(f"{task} does not move: {body}")

    async with chain.http.ws_connect(urls[0], headers=HEADERS) as first:
        async with chain.http.ws_connect(urls[1], headers=HEADERS) as second:
            await moves(second, tasks[1])
            before = await moves(first, tasks[0])
        assert (await chain.task(tasks[1]))["current_waypoints"], "its own last plan can still be read"
        await first.send_json(frame(tasks[0], 7))
        after = await first.receive_json()
        assert after["state"] == "moving" and after["frame_id"] == before["frame_id"] + 1
    assert (await chain.task(tasks[0]))["frame_count"] == after["frame_id"]


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


async def test_memory_grows_with_every_task(chain: Chain, figure: Figures) -> None:
    """Tasks, pictures and results were kept for ever. A thousand that have ended leave only their records."""
    assert chain.vln.process is not None
    edge = chain.vln.process.pid
    worker = child_of(edge)

    async def one(number: int) -> None:
        task = await chain.create(robot=f"go2-{number}")
        assert (await chain.ask("POST", "/vln/frame", frame(task, number % 10)))[0] == 200
        assert (await chain.ask("POST", f"/vln/task/{task}/stop"))[0] == 200

    for number in range(50):
        await one(number)
    before = resident_mib(edge), resident_mib(worker)
    for start in range(50, 50 + TASKS, 10):
        await asyncio.gather(*(one(number) for number in range(start, start + 10)))
    for name, pid, was in (("edge", edge, before[0]), ("worker", worker, before[1])):
        grown = resident_mib(pid) - was
        figure(f"{name}: memory that {TASKS} finished tasks leave, of {was:.0f} MiB", grown, "MiB", MEMORY_MIB)
        assert grown < MEMORY_MIB

    async def kept() -> bool:
        return len((await chain.ask("GET", "/vln/tasks?status=completed"))[1]["tasks"]) == TASKS

    await until(kept, what="the newest thousand can be read, and no others")
    assert child_of(edge) == worker, "nothing was restarted"


@pytest.mark.parametrize("path", ["/vln/frame", "/vln/frame/sync"])
async def test_a_finished_task_makes_every_later_frame_an_error_without_an_answer(chain: Chain, path: str) -> None:
    """A goal that was none made every later frame an HTTP 400 without a command. It is 400 with a whole zero answer."""
    task = await chain.create()
    await chain.ask("POST", f"/vln/task/{task}/stop")
    status, body = await chain.ask("POST", path, frame(task))
    assert status == 400 and (body["state"], body["linear_vel"], body["angular_vel"]) == ("stopped", 0.0, 0.0)
