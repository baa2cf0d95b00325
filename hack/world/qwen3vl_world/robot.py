"""The body: a round robot on two wheels that follows velocities late, slowly and not for ever. Time is an argument."""

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from qwen3vl_world.plan import Building, Pose

RADIUS = 0.25
LAG_SECONDS = 0.15
ACCELERATION = 1.0
ANGULAR_ACCELERATION = 4.0
ACTUATOR_SECONDS = 0.05
TIMEOUT_SECONDS = 0.25
"""The base stands when it has heard no command for this long."""
STEP_SECONDS = 0.005


@dataclass(frozen=True)
class Reading:
    """What the odometry says: pose in a frame of its own, measured velocities."""

    x: float
    y: float
    yaw: float
    v: float
    w: float


@dataclass
class Robot:
    """One robot in a building.

    Attributes:
        scale: what the odometry says of a metre; 1.03 is 3 % too much.
        drift: radians of yaw that the odometry adds with every metre.
        collisions: times that it ran into something; it stands then until it is told another way.
        moved_by_command_at: when the last velocity that is not zero reached the base.
    """

    building: Building
    pose: Pose
    scale: float = 1.0
    drift: float = 0.0
    now: float = 0.0
    v: float = 0.0
    w: float = 0.0
    driven_metres: float = 0.0
    collisions: int = 0
    moved_by_command_at: float = -math.inf
    path: list[tuple[float, Pose]] = field(default_factory=list)
    _wished: tuple[float, float] = (0.0, 0.0)
    _heard_at: float = -math.inf
    _coming: deque[tuple[float, float, float]] = field(default_factory=deque)
    _touching: bool = False
    _seen: Reading = field(default_factory=lambda: Reading(0.0, 0.0, 0.0, 0.0, 0.0))

    def __post_init__(self) -> None:
        self.path.append((self.now, self.pose))

    def command(self, now: float, v: float, w: float) -> None:
        """A command was given at `now`; it reaches the base a little later."""
        self._coming.append((now + ACTUATOR_SECONDS, v, w))

    def step(self, now: float) -> None:
        """Move on to `now`, in steps of at most 5 ms."""
        steps = max(0, math.ceil((now - self.now) / STEP_SECONDS - 1e-9))
        each = (now - self.now) / steps if steps else 0.0
        for _ in range(steps):
            self._move(each)
        self.now = max(self.now, now)

    def _move(self, seconds: float) -> None:
        while self._coming and self._coming[0][0] <= self.now:
            self._heard_at, v, w = self._coming.popleft()
            self._wished = (v, w)
            if v or w:
                self.moved_by_command_at = self._heard_at
        wished_v, wished_w = self._wished if self.now - self._heard_at <= TIMEOUT_SECONDS else (0.0, 0.0)
        self.v += _limited((wished_v - self.v) * seconds / LAG_SECONDS, ACCELERATION * seconds)
        self.w += _limited((wished_w - self.w) * seconds / LAG_SECONDS, ANGULAR_ACCELERATION * seconds)
        yaw = self.pose.yaw + self.w * seconds
        middle = self.pose.yaw + self.w * seconds / 2
        metres = self.v * seconds
        x, y = self.pose.x + metres * math.cos(middle), self.pose.y + metres * math.sin(middle)
        clearance = self.building.clearance(x, y)
        if clearance < RADIUS and clearance < self.building.clearance(self.pose.x, self.pose.y):
            self.collisions += not self._touching
            self._touching, self.v, metres, x, y = True, 0.0, 0.0, self.pose.x, self.pose.y
        elif clearance > RADIUS + 0.01:
            self._touching = False
        self.pose = Pose(x, y, yaw)
        self.driven_metres += abs(metres)
        self.now += seconds
        self._reckon(metres, self.w * seconds)
        if math.hypot(x - self.path[-1][1].x, y - self.path[-1][1].y) > 0.02:
            self.path.append((self.now, self.pose))

    def _reckon(self, metres: float, turn: float) -> None:
        seen = self._seen
        yaw = seen.yaw + turn + self.drift * metres
        x = seen.x + self.scale * metres * math.cos(yaw)
        y = seen.y + self.scale * metres * math.sin(yaw)
        self._seen = Reading(x, y, yaw, self.scale * self.v, self.w)

    @property
    def odometry(self) -> Reading:
        """What the wheels say now."""
        return self._seen


def _limited(change: float, most: float) -> float:
    return float(np.clip(change, -most, most))
