"""What the client and the server agree on: stops that come late, and one task after another."""

from tests.integration.vln.conftest import FORWARD, ROBOT_KEY, Chain, base
from tests.support.polling import until

from qwen3vl_client import Robot


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


async def test_a_task_that_comes_after_the_goal_of_another(chain: Chain) -> None:
    await chain.says({"reached_goal": True, "waypoints": [], "action": "stop"})
    await chain.create(robot="go2")
    async with base(chain, "/vln/robot/go2") as driven:
        await driven.until(lambda told: told.state == "goal")
        await chain.says(FORWARD)
        await chain.create(robot="go2")
        await driven.moves()
