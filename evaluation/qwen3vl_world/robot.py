"""The body: a round robot on two wheels that follows velocities late, slowly and not for ever.

It lives in ticks of equal length. What happens depends on what it is told and when, never on when anyone looks."""

import math
from collections import deque
from dataclasses import dataclass, field

from qwen3vl_world.plan import DISC_RADIUS, Building, Place, Pose

RADIUS = 0.25
LAG_SECONDS = 0.15
ACCELERATION = 1.0
ANGULAR_ACCELERATION = 4.0
ACTUATOR_SECONDS = 0.05
TIMEOUT_SECONDS = 0.25
"""The base stands when it has heard no command for this long."""
STEP_SECONDS = 0.005
"""One tick."""
PATH_METRES = 0.02
_STILL = 1e-6


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
    ticks: int = 0
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
    _free_metres: float = 0.0
    _seen: Reading = field(default_factory=lambda: Reading(0.0, 0.0, 0.0, 0.0, 0.0))

    def __post_init__(self) -> None:
        self.path.append((self.now, self.pose))

    @property
    def now(self) -> float:
        """Seconds that it has lived."""
        return self.ticks * STEP_SECONDS

    def command(self, now: float, v: float, w: float) -> None:
        """A command was given at `now`; it reaches the base a little later."""
        self._coming.append((now + ACTUATOR_SECONDS, v, w))

    def step(self, now: float) -> None:
        """Live all whole ticks up to `now`."""
        while (self.ticks + 1) * STEP_SECONDS <= now + 1e-9:
            self.tick()

    def tick(self, disc: Place | None = None) -> None:
        """Live one tick.

        Args:
            disc: where the middle of the walking disc is, if there is one.
        """
        now = self.now
        while self._coming and self._coming[0][0] <= now + 1e-9:
            self._heard_at, v, w = self._coming.popleft()
            self._wished = (v, w)
            if v or w:
                self.moved_by_command_at = self._heard_at
        wished_v, wished_w = self._wished if now - self._heard_at <= TIMEOUT_SECONDS else (0.0, 0.0)
        self.ticks += 1
        self.v += _limited((wished_v - self.v) * STEP_SECONDS / LAG_SECONDS, ACCELERATION * STEP_SECONDS)
        self.w += _limited((wished_w - self.w) * STEP_SECONDS / LAG_SECONDS, ANGULAR_ACCELERATION * STEP_SECONDS)
        if abs(self.v) < _STILL and abs(self.w) < _STILL:
            self.v = self.w = 0.0
            return
        turn, metres = self.w * STEP_SECONDS, self.v * STEP_SECONDS
        middle = self.pose.yaw + turn / 2
        x, y = self.pose.x + metres * math.cos(middle), self.pose.y + metres * math.sin(middle)
        if metres and self._runs_into_something(x, y, metres, disc):
            self.collisions += not self._touching
            self._touching, self.v, metres, x, y = True, 0.0, 0.0, self.pose.x, self.pose.y
        self.pose = Pose(x, y, self.pose.yaw + turn)
        self.driven_metres += abs(metres)
        self._reckon(metres, turn)
        if math.hypot(x - self.path[-1][1].x, y - self.path[-1][1].y) > PATH_METRES:
            self.path.append((self.now, self.pose))

    def _runs_into_something(self, x: float, y: float, metres: float, disc: Place | None) -> bool:
        here = self.pose
        if disc is not None:
            gap = math.dist(disc, (x, y)) - DISC_RADIUS
            if gap < RADIUS and gap < math.dist(disc, (here.x, here.y)) - DISC_RADIUS:
                return True
        else:
            gap = math.inf
        # Nothing can be touched before as much is driven as was free the last time.
        self._free_metres -= abs(metres)
        if self._free_metres > 0.0:
            self._touching = self._touching and gap < RADIUS + 0.01
            return False
        clearance = self.building.clearance(x, y)
        if clearance < RADIUS and clearance < self.building.clearance(here.x, here.y):
            return True
        self._free_metres = clearance - RADIUS - 0.01
        if min(gap, clearance) > RADIUS + 0.01:
            self._touching = False
        return False

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
    return max(-most, min(most, change))
