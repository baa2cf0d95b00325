"""What the client and the server agree on: stops that come late, and one task after another."""

import asyncio
import json

from tests.integration.vln.conftest import FORWARD, ROBOT_KEY, Chain, base
from tests.support.polling import until

from qwen3vl_client import Robot, boot_time


async def verdict(chain: Chain, task: str, wanted: str) -> None:
    await until(lambda: chain.ended(task, wanted))


async def test_a_stop_is_confirmed_and_the_next_task_is_walked(chain: Chain) -> None:
    await chain.says(FORWARD)
    first = await chain.create(robot="go2")
    async with base(chain, "/vln/robot/go2") as driven:
        await driven.moves()
        assert await driven.robot.stop()
        await verdict(chain, first, "Cancelled")
        second = await chain.create(robot="go2")
        await driven.moves()
        assert (await chain.task(second))["verdict"] is None, "only the first one was stopped"


async def test_a_stop_before_the_first_connection(chain: Chain) -> None:
    task = await chain.create()
    robot = Robot(chain.socket_url(f"/vln/ws/{task}"), key=ROBOT_KEY)
    robot.request_stop()
    async with robot:
        assert await robot.stop_confirmed(5)
    assert (await chain.task(task))["verdict"] == "Cancelled"


async def test_a_stop_is_confirmed_to_a_writer_whom_another_one_keeps_out(chain: Chain) -> None:
    task = await chain.create()
    await chain.says(FORWARD)
    async with base(chain, f"/vln/ws/{task}", writer="first") as driven:
        await driven.moves()
        second = Robot(chain.socket_url(f"/vln/ws/{task}"), key=ROBOT_KEY, writer="second")
        second.request_stop()
        async with second:
            assert await second.stop_confirmed(5)
        await driven.until(lambda told: told.state == "stopped")


async def test_a_program_that_was_started_anew_is_not_driven_by_what_was_asked_before(chain: Chain) -> None:
    """The model needs 3 s: the answer to a picture of the run before comes when the new one drives already."""
    await chain.fault(fault="reply", text=json.dumps(FORWARD), seconds=3.0)
    task = await chain.create(keyframes={"minIntervalSeconds": 0.2, "maxIntervalSeconds": 0.5})
    path = f"/vln/ws/{task}"
    async with base(chain, path, writer="robot"):
        await asyncio.sleep(1.8)  # the picture that was asked about is this old when the program ends
    restarted = boot_time()
    async with base(chain, path, writer="robot") as driven:
        await driven.moves()
        answer = driven.robot.answer
        assert answer is not None and answer["captured_at"] >= restarted
        assert boot_time() - restarted > 2.5
        assert all(told.reason != "not_connected" for _, told in driven.log[30:]), "it waited for no lease"


async def test_a_task_that_comes_after_the_goal_of_another(chain: Chain) -> None:
    await chain.says({"reached_goal": True, "waypoints": [], "action": "stop"})
    await chain.create(robot="go2")
    async with base(chain, "/vln/robot/go2") as driven:
        await driven.until(lambda told: told.state == "goal")
        await chain.says(FORWARD)
        await chain.create(robot="go2")
        await driven.moves()
