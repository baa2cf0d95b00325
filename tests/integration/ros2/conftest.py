"""The example node as its user runs it, a robot in ROS 2 around it, and the real VLN API before it; all on loopback."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hack.devtools.venv import ROS_EXTRAS, ensure
from tests.integration.vln.conftest import FORWARD, ROBOT_KEY, Chain, running
from tests.support.polling import until

from qwen3vl_world.walkthrough import pictures

ROOT = Path(__file__).resolve().parents[3]
DOMAIN = 1 + os.getpid() % 100
"""Of DDS: two test runs on one machine do not hear each other."""
ROBOT_SECONDS = 30.0


@dataclass
class Base:
    """What the base was told.

    Attributes:
        commands: (seconds on the monotonic clock, m/s, rad/s), as they came.
    """

    commands: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def moves(self) -> bool:
        return bool(self.commands) and any(self.commands[-1][1:])

    def last_motion(self) -> float:
        """When it was last told to move; minus infinity for never."""
        return max((at for at, v, w in self.commands if v or w), default=float("-inf"))


@dataclass
class Ros:
    """The node, its robot and its server."""

    chain: Chain
    task: str
    base: Base
    body: asyncio.subprocess.Process
    node: asyncio.subprocess.Process
    log: Path

    async def trouble(self, name: str) -> None:
        """Begin a trouble of the robot."""
        assert self.body.stdin is not None
        self.body.stdin.write(f"{name}\n".encode())
        await self.body.stdin.drain()

    async def walks(self) -> None:
        await until(lambda: self.base.moves, ROBOT_SECONDS, "the robot drives")

    async def stands(self, seconds: float) -> None:
        await until(lambda: not self.base.moves, seconds, "the robot stands")


@pytest.fixture(scope="session")
def ros_python() -> Path:
    return ensure(ROS_EXTRAS)


def ros_environment() -> dict[str, str]:
    folders = (ROOT / "client", ROOT / "examples/ros2/qwen3vl_robot")
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONUNBUFFERED": "1",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_DOMAIN_ID": str(DOMAIN),
        "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp",
    }


async def start_node(
    python: Path, log: Path, parameters: dict[str, Any], environment: dict[str, str]
) -> asyncio.subprocess.Process:
    arguments: Sequence[str] = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    command = (str(python), "-m", "qwen3vl_robot.node", "--ros-args", *arguments)
    with log.open("ab") as sink:
        return await asyncio.create_subprocess_exec(*command, stdout=sink, stderr=sink, env=environment)


@contextlib.asynccontextmanager
async def body(python: Path, folder: Path, environment: dict[str, str]) -> AsyncIterator[tuple[Any, Base]]:
    """The robot around the node, until the end."""
    shown = folder / "pictures"
    shown.mkdir()
    for number, jpeg in enumerate(pictures(20)):
        (shown / f"{number:03}.jpg").write_bytes(jpeg)
    pipe, base = asyncio.subprocess.PIPE, Base()
    command = (str(python), str(Path(__file__).with_name("ros_robot.py")), "--pictures", str(shown))
    with (folder / "body.log").open("wb") as sink:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=sink, env=environment)

    async def hear() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            told = json.loads(line)
            base.commands.append((told["at"], told["v"], told["w"]))

    hearing = asyncio.create_task(hear())
    try:
        yield process, base
    finally:
        process.kill()
        await process.wait()
        await hearing


@pytest.fixture
async def ros(tmp_path: Path, ros_python: Path) -> AsyncIterator[Ros]:
    environment = ros_environment() | {"ROS_LOG_DIR": str(tmp_path / "ros")}
    key = tmp_path / "key"
    key.write_text(ROBOT_KEY)
    async with running(tmp_path) as chain, body(ros_python, tmp_path, environment) as (robot, base):
        await chain.says(FORWARD)
        task = await chain.create(robot="ros-1")
        parameters = {
            "url": chain.socket_url("/vln/robot/ros-1"),
            "key_file": key,
            "base_timeout_seconds": 0.25,
        }
        log = tmp_path / "node.log"
        node = await start_node(ros_python, log, parameters, environment)
        try:
            yield Ros(chain, task, base, robot, node, log)
        finally:
            with contextlib.suppress(ProcessLookupError):
                node.send_signal(signal.SIGKILL)
            await node.wait()
            sys.stdout.write(log.read_text())
