"""Robots that walk in processes of their own, beside a VLN API that can be killed, frozen and lied to."""

import asyncio
import contextlib
import itertools
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.vln.body import Body, Told
from tests.integration.vln.conftest import FORWARD, OPERATOR_KEY, ROBOT_KEY, Chain
from tests.integration.vln.matrix import Matrix, Row
from tests.integration.vln.robot_program import KEY_ENV
from tests.integration.vln.wire import Wire
from tests.support.figures import Figures
from tests.support.polling import until
from tests.support.processes import ENVIRONMENT

from qwen3vl_world import walkthrough

WALKING_MPS = 0.2
QUIET_SECONDS, PAUSE_SECONDS = 0.5, 0.3
KEY_FRAME_SECONDS = 0.5
METRES_BEYOND, RADIANS_BEYOND, RADIANS_A_METRE = 0.05, 0.1, 0.4
"""So much may be told under a plan beyond what it is long and turns."""


@dataclass
class Walker:
    """One robot's program and its base."""

    body: Body
    log: Path
    process: asyncio.subprocess.Process
    task_id: str
    robot: str

    async def until(self, wanted: Callable[[Told], object], meaning: str, seconds: float = 15.0) -> Told:
        """Wait for a command."""
        seen = max(0, len(self.body.told) - 1)

        def look() -> Told | None:
            nonlocal seen
            news = self.body.told[seen:]
            seen += len(news)
            return next(filter(wanted, news), None)

        found = await until(look, seconds, meaning, lambda: f"{self.body.last}\n{self.log.read_text()}")
        assert found is not None
        return found

    @property
    def last(self) -> Told:
        """The newest command; fails when there was none."""
        told = self.body.last
        assert told is not None, f"{self.robot} was never told anything"
        return told

    @property
    def plan_id(self) -> str:
        """Of the plan that it walks by."""
        return next(str(told.said["answer"]["plan_id"]) for told in reversed(self.body.told) if told.moves)

    async def walks(self) -> None:
        """Wait until it walks briskly."""
        await self.until(lambda told: told.v > WALKING_MPS, f"{self.robot} walks")

    async def told(self, reason: str, state: str | None = None, seconds: float = 15.0) -> Told:
        """Wait until it hears this."""
        return await self.until(
            lambda told: told.said["reason"] == reason and state in (None, told.said["state"]), reason, seconds
        )

    async def goes_on(self, seconds: float) -> None:
        """Wait until it has walked on for so long."""
        at = time.monotonic()
        await until(lambda: self.body.last_motion > at + seconds, seconds + 10, f"{self.robot} walks on")

    async def quiet(self, seconds: float = QUIET_SECONDS) -> None:
        """Wait until nothing but zero has come for some time."""
        await until(lambda: time.monotonic() - max(self.body.last_motion, self.body.rolled_at) >= seconds, 15, "quiet")

    def say(self, line: str) -> None:
        """A line to the program; see there."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@dataclass
class Ground:
    """Where robots walk.

    Attributes:
        wire: a network for a robot that is to be cut off; None with `no_wire`, the reason.
    """

    chain: Chain
    folder: Path
    matrix: Matrix
    figure: Figures
    wire: Wire | None = None
    no_wire: str = ""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.pictures = self.folder / "pictures"
        self.pictures.mkdir()
        for number, picture in enumerate(walkthrough.pictures(30)):
            (self.pictures / f"{number:02}.jpg").write_bytes(picture)

    async def assert_task(self, task_id: str, robot: str, **more: Any) -> dict[str, Any]:
        """What the operator says about a NavTask's task."""
        owner = {"uid": f"{task_id}-uid", "namespace": "robots", "name": task_id, "generation": 1}
        wish = {"owner": owner, "robot": robot, "instruction": "Walk on.", "state": "Running"}
        wish |= {"keyframes": {"maxIntervalSeconds": KEY_FRAME_SECONDS}}
        status, body = await self.chain.ask("PUT", f"/vln/task/{task_id}", wish | more, key=OPERATOR_KEY)
        assert status == 200, body
        return dict(body)

    @contextlib.asynccontextmanager
    async def program(
        self, task_id: str, robot: str, *, wire: Wire | None = None, **more: Any
    ) -> AsyncIterator[Walker]:
        """A robot's program for a task."""
        number = next(self._numbers)
        log = self.folder / f"robot-{number}.log"
        environment = ENVIRONMENT | {KEY_ENV: ROBOT_KEY} | more.pop("environment", {})
        arguments = {"--url": self.chain.socket_url(f"/vln/robot/{robot}"), "--writer": robot} | more.pop("options", {})
        arguments |= {"--base": self.folder / f"base-{number}", "--pictures": self.pictures}
        words = [str(word) for pair in arguments.items() for word in pair if word is not None]
        module = (sys.executable, "-m", "tests.integration.vln.robot_program", *words)
        with Body(self.folder / f"base-{number}") as body:
            with log.open("wb") as sink:
                process = await asyncio.create_subprocess_exec(
                    *(wire.prefix if wire else ()),
                    *module,
                    stdin=asyncio.subprocess.PIPE,
                    stderr=sink,
                    env=environment,
                    cwd=os.getcwd(),  # noqa: PTH109 - the root of the tests
                )
            walker = Walker(body, log, process, task_id, robot)
            try:
                yield walker
            finally:
                await walker.end()
        assert "Traceback" not in log.read_text(), log.read_text()

    @contextlib.asynccontextmanager
    async def walking(self, **more: Any) -> AsyncIterator[Walker]:
        """A robot that walks by a task of its own; the model says: forward."""
        number = next(self._numbers)
        task_id, robot = f"walk-{number}", f"go2-{number}"
        await self.chain.says(FORWARD)
        await self.assert_task(task_id, robot)
        async with self.program(task_id, robot, **more) as walker:
            await walker.walks()
            yield walker
        if self.chain.vln.process is not None and self.chain.vln.process.returncode is None:
            await self.chain.ask("POST", f"/vln/task/{task_id}/stop")

    def stood(
        self,
        fault: str,
        walker: Walker,
        at: float,
        bound: float,
        *,
        told: str,
        then: str,
        by: float | None = None,
        plan: dict[str, Any] = FORWARD,
        plan_since: float = -math.inf,
    ) -> None:
        """Note a fault after which the robot stood, and see that it did so in time.

        Args:
            at: when the fault happened, monotonic seconds.
            bound: the longest time in seconds from then to the last command that is not zero.
            by: when the last motion was, where that is not the newest command but zero.
        plan: what the model has said since `plan_since`; nothing beyond it may be told.
        """
        ended = walker.body.last_motion if by is None else by
        last = max(0.0, ended - at)
        stands = next((stop - at for stop in walker.body.stops if stop > max(at, ended)), None)
        self.matrix.rows.append(Row(fault, last, bound, stands, *_beyond(fault, walker, plan, plan_since), told, then))
        self.figure(f"{fault}: last motion at the base after", last, "s", bound)
        assert last <= bound, f"{fault}: the last motion came {last:.3f} s after it, at most {bound:.3f} s are allowed"

    def drove_on(self, fault: str, walker: Walker, at: float, *, told: str, then: str) -> None:
        """Note a fault that a robot walked through, and see that it did."""
        moving = [each.at for each in walker.body.since(at) if each.moves]
        gap = max((later - former for former, later in itertools.pairwise([at, *moving])), default=float("inf"))
        self.matrix.rows.append(Row(fault, None, None, None, *_beyond(fault, walker, FORWARD), told, then))
        self.figure(f"{fault}: longest time without motion", gap, "s", PAUSE_SECONDS)
        assert gap <= PAUSE_SECONDS, f"{fault}: the robot stood for {gap:.2f} s"


def _beyond(fault: str, walker: Walker, plan: dict[str, Any], since: float = -math.inf) -> tuple[float, float]:
    """Most metres and radians that were told under one plan beyond what it is long and turns."""
    metres = sum(math.hypot(point["dx"], point["dy"]) for point in plan["waypoints"])
    radians = sum(abs(point["dtheta"]) for point in plan["waypoints"])
    sums = walker.body.under_one_plan(since).values()
    beyond = (
        max(0.0, *(told_metres - metres for told_metres, _ in sums)),
        max(0.0, *(told_radians - radians for _, told_radians in sums)),
    )
    assert beyond[0] <= METRES_BEYOND and beyond[1] <= RADIANS_BEYOND + RADIANS_A_METRE * metres, (fault, beyond)
    return beyond
