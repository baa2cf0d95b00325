"""The base of the world's robot on the real clock: takes commands as datagrams, notes when each came, and drives in a
thread of its own, so that no test delays it."""

import itertools
import json
import math
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from qwen3vl_world import buildings
from qwen3vl_world.robot import ACTUATOR_SECONDS, TIMEOUT_SECONDS, Robot

STEP_SECONDS = 0.005
ROLLING_MPS, ROLLING_RPS = 0.02, 0.05
"""A base that is slower than this stands."""


@dataclass(frozen=True)
class Told:
    """One command: when it came (monotonic seconds), and what the robot's program said with it."""

    at: float
    v: float
    w: float
    said: dict[str, Any]

    @property
    def moves(self) -> bool:
        return bool(self.v or self.w)


class Body:
    """One base.

    Attributes:
        path: the socket that it listens on.
        told: all commands, the oldest first.
        rolled_at: when it was last seen rolling.
        stops: the times at which it had braked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[Told] = []
        self.rolled_at = -math.inf
        self.stops: list[float] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(STEP_SECONDS)
        hall = buildings.empty_hall()
        self.robot = Robot(hall, hall.start)
        self._born = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                said = json.loads(self._socket.recv(65536))
            except TimeoutError:
                said = None
            now = time.monotonic()
            if said is not None:
                # The world counts the datagram's own way as part of the 50 ms to the base.
                self.robot.command(said["at"] - self._born, said["v"], said["w"])
                self.told.append(Told(now, said["v"], said["w"], said))
            self.robot.step(now - self._born)
            if abs(self.robot.v) > ROLLING_MPS or abs(self.robot.w) > ROLLING_RPS:
                self.rolled_at = now
            elif not self.stops or self.rolled_at > self.stops[-1]:
                self.stops.append(now)

    @property
    def last(self) -> Told | None:
        """The newest command."""
        return self.told[-1] if self.told else None

    @property
    def last_motion(self) -> float:
        """When the last command that is not zero reached the base, its way there included."""
        return self._born + self.robot.moved_by_command_at

    def last_motion_before(self, at: float) -> float:
        """The same of the commands that came before a time."""
        own = [told.at for told in list(self.told) if told.moves and told.at < at]
        return max(own, default=-math.inf) + ACTUATOR_SECONDS

    def under_one_plan(self, since: float = -math.inf) -> dict[str, tuple[float, float]]:
        """Metres and radians that the base was told under each plan that began after a time, whatever way they went:
        each command until the next one, and no longer than the base's own time-out."""
        before = {each.said["answer"]["plan_id"] for each in list(self.told) if each.at < since}
        sums: dict[str, tuple[float, float]] = {}
        for now, later in itertools.pairwise(list(self.told)):
            plan = str(now.said["answer"]["plan_id"])
            if now.moves and plan not in before:
                seconds = min(TIMEOUT_SECONDS, later.at - now.at)
                metres, radians = sums.get(plan, (0.0, 0.0))
                sums[plan] = metres + abs(now.v) * seconds, radians + abs(now.w) * seconds
        return sums

    def since(self, at: float) -> list[Told]:
        """Commands that came after a time."""
        return [told for told in list(self.told) if told.at >= at]
