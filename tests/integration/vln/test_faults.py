"""What a robot does when something fails: for each fault the time until the last velocity that was not zero."""

import asyncio
import os
import signal
import time
from typing import Any

import pytest
from tests.integration.vln.conftest import FORWARD, Base, Chain, base, child_of
from tests.support.figures import Figures
from tests.support.polling import until

GOAL = {"reached_goal": True, "waypoints": [], "action": "stop"}
LINK_SECONDS = 0.3
PLAN_SECONDS = 5.0
"""A plan's longest age: what a failing model leaves to drive."""


async def walking(chain: Chain, driven: Base) -> None:
    await chain.says(FORWARD)
    await driven.moves()


WORDS = {
    "empty": ("", "invalid_result"),
    "NaN": (
        '{"reached_goal": false, "waypoints": [{"dx": NaN, "dy": 0, "dtheta": 0}], "action": "forward"}',
        "invalid_result",
    ),
    "refusing": ("I cannot help with steering a robot.", "invalid_result"),
    "negated": ("Do not move forward.", None),
    "truncated": (
        '{"reached_goal": false, "waypoints": [' + '{"dx": 0.5, "dy": 0.0, "dtheta": 0.0}, ' * 40,
        "invalid_result",
    ),
    "hold": ('{"reached_goal": false, "waypoints": [], "action": "hold"}', "hold_result"),
}


@pytest.mark.parametrize("name", WORDS)
async def test_words_that_are_no_plan(chain: Chain, figure: Figures, name: str) -> None:
    text, reason = WORDS[name]
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        switched = time.monotonic()
        await chain.says(text)
        await driven.stands(reason, 3.0)
        figure(f"model says {name}: last motion after", max(0.0, driven.last_motion() - switched), "s", 3.0)
        record = await chain.task(task)
        assert record["state"] == "hold" and record["reason"] in (
            reason,
            "invalid_result",
            "stop_result",
            "hold_result",
        )
        quiet = len(driven.log)
        await asyncio.sleep(1.0)
        assert not any(told.linear_mps or told.angular_rps for _, told in driven.log[quiet:])
        await walking(chain, driven)


@pytest.mark.parametrize("fault", ["500", "hang", "dead"])
async def test_a_model_that_does_not_answer(chain: Chain, figure: Figures, fault: str) -> None:
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        switched = time.monotonic()
        if fault == "dead":
            await chain.engine.kill()
        else:
            await chain.fault(fault=fault)
        reason = "model_slow" if fault == "hang" else "model_failed"
        at = await driven.until(lambda told: told.reason == reason, 5.0)
        figure(f"model {fault}: the answer says why after", at - switched, "s", 3.0)
        assert (await chain.task(task))["reason"] == reason
        await asyncio.sleep(1.0)
        figure(f"model {fault}: last motion after", driven.last_motion() - switched, "s", PLAN_SECONDS)
        assert driven.last_motion() - switched <= PLAN_SECONDS
        if fault == "dead":
            await chain.engine.start()
        await chain.says(FORWARD)
        await driven.until(lambda told: told.linear_mps > 0.05, 35.0)


async def test_a_goal_claimed_once_by_mistake(chain: Chain) -> None:
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        await chain.fault(fault="reply", text=str(GOAL).replace("'", '"').replace("True", "true"), count=1)
        await driven.until(lambda told: told.state != "moving")
        await chain.says(FORWARD)
        await driven.moves()
        assert (await chain.task(task))["verdict"] is None


async def test_a_goal_claimed_twice_ends_the_task(chain: Chain) -> None:
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        await chain.says('{"reached_goal": true, "waypoints": [], "action": "stop"}')
        await driven.until(lambda told: told.state == "goal")
        record = await chain.task(task)
        assert record["verdict"] == "GoalReached" and record["status"] == "completed"


async def test_the_server_killed(chain: Chain, figure: Figures) -> None:
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        killed = time.monotonic()
        await chain.vln.kill()
        await asyncio.sleep(1.0)
        late = max(0.0, driven.last_motion() - killed)
        figure("VLN API killed: last motion after", late, "s", LINK_SECONDS)
        assert late <= LINK_SECONDS


async def test_the_link_dead_and_back(chain: Chain, figure: Figures) -> None:
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        frozen = time.monotonic()
        chain.vln.signal(signal.SIGSTOP)
        await asyncio.sleep(1.5)
        late = max(0.0, driven.last_motion() - frozen)
        figure("VLN API silent: last motion after", late, "s", LINK_SECONDS)
        assert late <= LINK_SECONDS
        chain.vln.signal(signal.SIGCONT)
        await driven.moves()
        assert driven.robot.connections > 1


async def test_the_worker_killed(chain: Chain, figure: Figures) -> None:
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        assert chain.vln.process is not None
        worker = child_of(chain.vln.process.pid)
        killed = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        await driven.until(lambda told: told.reason == "worker_silent", 3.0)
        figure("worker killed: last motion after", max(0.0, driven.last_motion() - killed), "s", 1.5)
        await driven.moves()


async def test_a_stop_stands_at_once_and_stays(chain: Chain, figure: Figures) -> None:
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        stopped = time.monotonic()
        status, body = await chain.ask("POST", f"/vln/task/{task}/stop", key="stop-key")
        assert (status, body) == (200, {"task_id": task, "status": "stopped"})
        await driven.until(lambda told: told.state == "stopped")
        figure("stop by another key: last motion after", max(0.0, driven.last_motion() - stopped), "s", LINK_SECONDS)
        assert driven.last_motion() - stopped <= LINK_SECONDS
        await asyncio.sleep(0.5)
        assert driven.last.state == "stopped"


async def test_a_stop_through_the_robot_s_own_connection(chain: Chain) -> None:
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        await driven.robot.stop()
        assert driven.robot.command().linear_mps == 0.0
        await until(lambda: chain.ended(task, "Cancelled"), 5)


async def test_a_corrupt_picture_behind_a_good_header(chain: Chain) -> None:
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as driven:
        await walking(chain, driven)
        good = driven.robot.send

        def damaged(picture: bytes | None, **more: Any) -> None:
            good(None if picture is None else picture[:700] + bytes(2000) + b"\xff\xd9", **more)

        driven.robot.send = damaged  # type: ignore[method-assign, assignment]  # the camera's cable is loose
        await driven.until(lambda told: told.reason in ("corrupt_frame", "covered_camera"), 3.0)
        driven.robot.send = good  # type: ignore[method-assign]
        await driven.moves()
