"""The ROS 2 example with ROS: it walks, and it stands when its camera, its odometry or its program ends."""

import asyncio
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
from tests.integration.ros2.conftest import Ros, ros_environment, start_node

STANDS_SECONDS = 2.0
"""The longest that a trouble may go on driving: no picture for a second, and what a busy machine adds."""


async def test_it_walks_and_what_the_base_is_told_is_never_late(ros: Ros) -> None:
    await ros.walks()
    await asyncio.sleep(2.0)
    times = [at for at, _, _ in ros.base.commands]
    gaps = [after - before for before, after in pairwise(times)]
    assert len(times) > 30 and sorted(gaps)[len(gaps) // 2] < 0.1, "about 30 Hz"
    record = await ros.chain.task(ros.task)
    assert record["frame_count"] > 20


@pytest.mark.parametrize(
    "trouble", ["no_odometry", "no_image", "old_stamps", "future_stamps", "not_jpeg", "emergency_stop"]
)
async def test_it_stands_when_something_ends_and_goes_on_when_it_is_back(ros: Ros, trouble: str) -> None:
    await ros.walks()
    await ros.trouble(trouble)
    began = time.monotonic()
    await asyncio.sleep(STANDS_SECONDS)
    stood = len(ros.base.commands)
    await asyncio.sleep(1.5)
    assert not any(v or w for _, v, w in ros.base.commands[stood:]), f"it drives on with {trouble}"
    assert len(ros.base.commands) > stood, "zero is said, not silence"
    assert ros.base.last_motion() - began < STANDS_SECONDS
    await ros.trouble("none")
    await ros.walks()


async def test_odometry_that_jumps_ends_the_plan_and_a_new_one_is_driven(ros: Ros) -> None:
    await ros.walks()
    plan = (await ros.chain.task(ros.task))["last_step"]
    await ros.trouble("jumping_odometry")
    await asyncio.sleep(1.0)
    await ros.walks()
    assert (await ros.chain.task(ros.task))["last_step"] != plan


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_told_to_end_it_says_zero_before_anything_else(ros: Ros, number: int) -> None:
    await ros.walks()
    ros.node.send_signal(number)
    assert await asyncio.wait_for(ros.node.wait(), 10) == 0, ros.log.read_text()
    await asyncio.sleep(0.3)
    assert not ros.base.moves, "the last that the base heard is zero"
    assert "Error" not in ros.log.read_text() and "Traceback" not in ros.log.read_text()


@pytest.mark.parametrize("seconds", ["0.0", "5.0"])
async def test_without_a_time_out_of_the_base_it_does_not_start(tmp_path: Path, ros_python: Path, seconds: str) -> None:
    environment = ros_environment() | {"ROS_LOG_DIR": str(tmp_path / "ros")}
    log = tmp_path / "node.log"
    parameters = {"url": "ws://127.0.0.1:1/vln/robot/r", "base_timeout_seconds": seconds}
    node = await start_node(ros_python, log, parameters, environment)
    assert await asyncio.wait_for(node.wait(), 30) == 1
    assert "does not start" in log.read_text() and "needs its own time-out" in log.read_text()
