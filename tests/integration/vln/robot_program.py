"""A robot's program in a process of its own, so that it can be killed, cut off and lied to about the time of day: the
real client at 30 Hz with pictures at 10 Hz. Each command goes to the base as one datagram, as JSON:
`python -m tests.integration.vln.robot_program`.

Lines on its standard input: `stop` stops the task, `cut` loses the connection, `lag SECONDS GROWTH` makes the camera
late, by more and more where GROWTH is not 0, `odometry healthy|frozen|mirrored|jumps` sends odometry from now on, made
from what the base is told, and wrong in that."""

import argparse
import asyncio
import json
import math
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen3vl_client import Odometry, Robot, boot_time

HZ, TICKS_PER_IMAGE = 30.0, 3
JUMP_METRES = 2.0
KEY_ENV = "QWEN3VL_ROBOT_KEY"
TOLD = ("task_id", "plan_id", "age_ms", "inference_time", "captured_at", "valid_until", "lease_epoch")


@dataclass
class Camera:
    """How late its pictures are."""

    lag_seconds: float = 0.0
    growth: float = 0.0
    since: float = 0.0

    def captured_seconds(self) -> float:
        """When the picture was taken that comes out of it now."""
        now = boot_time()
        return now - self.lag_seconds - self.growth * (now - self.since)


@dataclass
class Legs:
    """Odometry of a robot that does what it is told, and what is wrong with it; metres and radians.

    Attributes:
        fault: "" where none is sent.
    """

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0
    epoch: int = 1
    fault: str = ""
    _shown: Odometry | None = None

    def step(self, v: float, w: float) -> None:
        """One turn of the loop goes by."""
        self.yaw += w / HZ
        self.x += v * math.cos(self.yaw) / HZ
        self.y += v * math.sin(self.yaw) / HZ

    def become(self, fault: str) -> None:
        """From now on it is wrong in this, or well again, which begins it anew."""
        self.epoch += bool(self.fault) and fault == "healthy"
        self.fault = fault
        self._shown = None
        if fault == "mirrored":
            self.x = self.y = self.yaw = 0.0
            self.epoch += 1
        if fault == "jumps":
            self.y += JUMP_METRES

    @property
    def odometry(self) -> Odometry | None:
        """What is sent."""
        if not self.fault:
            return None
        if self.fault != "frozen" or self._shown is None:
            sign = -1.0 if self.fault == "mirrored" else 1.0
            self._shown = Odometry(self.x, sign * self.y, sign * self.yaw, epoch=self.epoch)
        return self._shown


async def drive(options: argparse.Namespace) -> None:
    """Drive until killed."""
    pictures = [path.read_bytes() for path in sorted(options.pictures.glob("*.jpg"))]
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as base:
        base.setblocking(False)
        base.connect(str(options.base))
        robot = Robot(options.url, key=os.environ[KEY_ENV], writer=options.writer, takeover=options.takeover)
        async with robot:
            camera, legs = Camera(), Legs()
            loop.add_reader(sys.stdin, _listen, robot, camera, legs)
            began = loop.time()
            for turn in range(1, sys.maxsize):
                await asyncio.sleep(max(0.0, began + turn / HZ - loop.time()))
                if turn % TICKS_PER_IMAGE == 0:
                    picture = pictures[turn // TICKS_PER_IMAGE % len(pictures)]
                    robot.send(picture, captured_seconds=camera.captured_seconds(), odometry=legs.odometry)
                else:
                    robot.tick(odometry=legs.odometry)
                told = _told(robot)
                legs.step(told["v"], told["w"])
                base.send(json.dumps(told).encode())


def _listen(robot: Robot, camera: Camera, legs: Legs) -> None:
    line = sys.stdin.readline()
    if line == "stop\n":
        robot.request_stop()
        _listen.stopping = asyncio.ensure_future(robot.stop_confirmed(10.0))  # type: ignore[attr-defined]  # kept alive
    elif line == "cut\n":
        robot.cut()
    elif line.startswith("lag "):
        lag, growth = map(float, line.split()[1:])
        camera.lag_seconds, camera.growth, camera.since = lag, growth, boot_time()
    elif line.startswith("odometry "):
        legs.become(line.split()[1])
    elif not line:
        asyncio.get_running_loop().remove_reader(sys.stdin)


def _told(robot: Robot) -> dict[str, Any]:
    command, answer = robot.command(), robot.answer or {}
    return {
        "at": time.monotonic(),
        "v": command.linear_mps,
        "w": command.angular_rps,
        "state": command.state,
        "reason": command.reason,
        "refusal": robot.refusal,
        "connections": robot.connections,
        "clock": time.time(),
        "answer": {name: answer.get(name) for name in TOLD},
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--writer", required=True)
    parser.add_argument("--takeover", action="store_true")
    parser.add_argument("--base", type=Path, required=True, help="socket of the base")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of .jpg")
    asyncio.run(drive(parser.parse_args()))


if __name__ == "__main__":
    main()
