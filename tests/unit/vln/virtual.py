"""The whole loop on a virtual clock: the world's robot, the client's freshness, the task, and a model that takes time.

No process, no socket, no sleeping: a minute of walking takes seconds, and repeats bit for bit."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_client.freshness import STAND, Command, Freshness
from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.motion.limits import Limits
from qwen3vl_vln.motion.reckoning import Odometry
from qwen3vl_vln.task.answer import answer
from qwen3vl_vln.task.events import Frame, Result
from qwen3vl_vln.task.task import Settings, Task
from qwen3vl_world.world import World

BOOT = "b00710ad"
TICK_HZ = 30.0

Think = Callable[[bytes | None], Result | None]
"""Looks at a picture and says what the model would; the epoch and frame of the result are filled in."""


@dataclass
class Loop:
    """One walk.

    Attributes:
        image_hz: pictures a second; ticks fill up to `hz`.
        latency: seconds that the model takes.
        uplink, downlink: seconds on the way to the server and back.
    """

    world: World
    think: Think
    limits: Limits = field(default_factory=Limits)
    hz: float = TICK_HZ
    image_hz: float = 10.0
    latency: float = 0.3
    uplink: float = 0.02
    downlink: float = 0.02
    odometry: bool = True
    draws: bool = True
    watchdog: bool = True
    instruction: str = "Walk to the red door."
    now: float = 0.0
    answers: list[dict[str, Any]] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _thinking: bool = False
    _last_key: float = -9.0
    _sequence: int = 0

    def __post_init__(self) -> None:
        self.task = Task("t", BOOT, Settings("robot", self.instruction, self.limits), 0.0)
        self.freshness = Freshness(boot_id=BOOT)
        self.command: Command = STAND

    def run(self, seconds: float, until: Callable[["Loop"], bool] = lambda loop: False) -> None:
        """Let time pass."""
        begin = self.now
        for turn in itertools.count(1):
            due = begin + turn / self.hz
            if due > begin + seconds or until(self):
                break
            self._happen(due)
            self.now = due
            self._tick(due, image=turn % max(1, round(self.hz / self.image_hz)) == 0 or turn == 1)

    def _happen(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            at, _, event = heapq.heappop(self._events)
            event(at)

    def _later(self, at: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (at, next(self._order), event))

    def _tick(self, now: float, *, image: bool) -> None:
        self.world.step(now)
        self.command = self.freshness.command(now)
        self.world.command(now, self.command.linear_mps, self.command.angular_rps)
        self._sequence += 1
        self.freshness.sent(self._sequence, now, image=image)
        odometry = None
        if self.odometry:
            seen = self.world.odometry(now)
            odometry = Odometry(Pose(seen.x, seen.y, seen.yaw), 1, seen.v, seen.w)
        jpeg = None
        if image:
            jpeg = self.world.frame(now)[0] if self.draws else b"%d" % self._sequence
        sent = {"sequence": self._sequence, "captured": now, "image": jpeg, "odometry": odometry}
        self._later(now + self.uplink, lambda at: self._arrive(at, sent))

    def _arrive(self, now: float, sent: dict[str, Any]) -> None:
        frame = Frame(now, watchdog=self.watchdog, **sent)
        offered = self.task.frame(frame)
        body = answer(self.task, now, now, sequence=frame.sequence)
        self.answers.append(body)
        if offered and not self._thinking and (now - self._last_key >= 0.2 or self.task.wants_key_frame(now)):
            self._thinking, self._last_key = True, now
            number, epoch = self.task.seen(frame), self.task.epoch
            self.task.call_began(epoch, now)
            self._later(now + self.latency, lambda at: self._say(at, frame.image, number, epoch))
        self._later(now + self.downlink, lambda at: self.freshness.answered(body, at))

    def _say(self, now: float, picture: bytes | None, number: int, epoch: int) -> None:
        self._thinking = False
        result = self.think(picture)
        if result is not None:
            said = {name: getattr(result, name) for name in result.__slots__}
            said |= {"epoch": epoch, "frame": number, "model_seconds": self.latency}
            self.task.result(Result(**said), now, now)
