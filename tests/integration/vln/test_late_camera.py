"""A camera whose pictures come later and later, on the real processes: nothing is driven by what is too old."""

import asyncio
import time

import pytest
from tests.integration.vln.conftest import FORWARD, ROBOT_KEY, Chain
from tests.support.images import jpeg
from tests.support.polling import until

from qwen3vl_client import Command, Robot, boot_time
from qwen3vl_client.images import OLD_IN_A_ROW, YOUNG_SECONDS

HZ, GROWTH, SECONDS = 30.0, 0.5, 10.0


async def greeted(robot: Robot) -> None:
    """Wait until the server has said who it is."""
    await until(lambda: robot._link is not None and robot._link.greeted)


async def drive(robot: Robot, began: float, growth: float, log: list[tuple[float, float, Command]]) -> None:
    """Pictures at 10 Hz among ticks; logs the lag of the camera and the command at each turn."""
    for turn in range(int(SECONDS * HZ)):
        await asyncio.sleep(max(0.0, began + turn / HZ - time.monotonic()))
        lag = growth * (time.monotonic() - began)
        if turn % 3 == 0:
            robot.send(jpeg(320, 240, seed=turn % 40), captured_seconds=boot_time() - lag)
        else:
            robot.tick()
        log.append((time.monotonic(), lag, robot.command()))


async def test_a_lag_that_grows_by_half_a_second_a_second(chain: Chain) -> None:
    await chain.says(FORWARD)
    task = await chain.create(limits={"blindMeters": 5.0})
    log: list[tuple[float, float, Command]] = []
    async with Robot(chain.socket_url(f"/vln/ws/{task}"), key=ROBOT_KEY) as robot:
        await greeted(robot)
        await drive(robot, time.monotonic(), GROWTH, log)
        moved = [(at, lag) for at, lag, told in log if told.linear_mps or told.angular_rps]
        assert moved, "it never walked"
        # The pictures after the last young one: three in a row at 10 Hz, and a turn of the loop.
        assert max(lag for _, lag in moved) <= YOUNG_SECONDS + GROWTH * (OLD_IN_A_ROW / 10 + 0.25)
        told = log[-1][2]
        assert (told.state, told.reason) == ("stale", "picture_too_old") and "s old" in told.message
        assert robot.statistics.withheld > 50 and robot.connections == 1
        record = await chain.task(task)
        assert (record["state"], record["reason"]) == ("stale", "picture_too_old") and "s old" in record["message"]
        assert record["untimed"] is False


@pytest.mark.parametrize("lag", [5.0, 20.0])
async def test_a_constant_lag_is_not_laundered_by_a_new_connection(chain: Chain, lag: float) -> None:
    await chain.says(FORWARD)
    task = await chain.create()
    for _ in range(2):
        async with Robot(chain.socket_url(f"/vln/ws/{task}"), key=ROBOT_KEY, writer="robot") as robot:
            await greeted(robot)
            for turn in range(45):
                robot.send(jpeg(320, 240, seed=turn), captured_seconds=boot_time() - lag)
                await asyncio.sleep(1 / HZ)
                assert robot.command().linear_mps == 0.0
            assert robot.command().reason == "picture_too_old"
    assert (await chain.task(task))["frames"]["analysed"] == 0
