"""When a robot that is driven gets nowhere: it turns to and fro, turns round and round, sees no change, or its odometry
shows none of what it was told. Pure.

Such a robot stands for a while, then the model may try again; after some tries in vain only a person lets it go on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from qwen3vl_vln.motion.dead_reckoning import DeadReckoning
from qwen3vl_vln.waypoint import Waypoint

TURN_RADIANS = 0.1
"""A plan that turns less is no turn."""
DRIVE_METRES = 0.05
"""A plan that drives more is no turn in place."""
ALTERNATIONS = 6
ROUNDS_RADIANS = 4 * math.pi
"""Two whole rounds: one is a search."""
ADVANCED_METRES = 0.3
UNCHANGED_METRES, UNCHANGED_RADIANS = 0.5, 1.2
"""Driven so far, a camera that works shows another image."""
REST_SECONDS = 3.0
TRIES = 3
FORGIVEN_METRES = 2.0
"""Who came this far after having been stuck is so no more."""


@dataclass(slots=True)
class StuckDetector:
    """Keeps what tells that a robot gets nowhere. Times in seconds on a monotonic clock.

    Attributes:
        why: what was found last, as a sentence for people; empty if nothing.
        tries: how often it was found since the robot came forward.
    """

    why: str = ""
    tries: int = 0
    _until: float = -math.inf
    _turns: list[float] = field(default_factory=list)
    _yaw: float | None = None
    _turned: float = 0.0
    _metres: float = 0.0
    _advanced: tuple[float, float] = (0.0, 0.0)
    _changed: tuple[float, float] = (0.0, 0.0)
    _found_metres: float = 0.0
    _halts: int = 0
    _halted_metres: float = 0.0

    def holds(self, now: float) -> bool:
        """Whether the robot shall stand."""
        return now < self._until

    def observe(self, reckoning: DeadReckoning) -> None:
        """Count what the robot was told to do up to now."""
        yaw = reckoning.commanded_pose.yaw
        self._turned += 0.0 if self._yaw is None else abs(yaw - self._yaw)
        self._yaw, self._metres = yaw, reckoning.commanded_metres
        if self._metres - self._advanced[0] >= ADVANCED_METRES:
            self._advanced = self._metres, self._turned
            self._turns.clear()
        if self._metres - self._found_metres >= FORGIVEN_METRES:
            self.tries = 0

    def planned(self, waypoints: Sequence[Waypoint], now: float) -> bool:
        """Take the next plan; whether the robot gets nowhere with it."""
        if sum(math.hypot(point.dx, point.dy) for point in waypoints) >= DRIVE_METRES:
            self._turns.clear()
            return False
        turns = [point.dtheta for point in waypoints if abs(point.dtheta) >= TURN_RADIANS]
        for turn in turns:
            if self._turns and self._turns[-1] * turn > 0:
                self._turns.clear()
            self._turns.append(turn)
        if len(self._turns) > ALTERNATIONS:
            return self._found("the robot turns to and fro", now)
        if self._turned - self._advanced[1] >= ROUNDS_RADIANS:
            return self._found("the robot has turned round twice without coming forward", now)
        return False

    def on_decoded(self, *, changed: bool, now: float) -> bool:
        """An image was looked at; whether it shows that the robot gets nowhere.

        Args:
            changed: it is another one than the last that was.
        """
        if changed:
            self._changed = self._metres, self._turned
            return False
        metres, turned = self._metres - self._changed[0], self._turned - self._changed[1]
        if metres < UNCHANGED_METRES and turned < UNCHANGED_RADIANS:
            return False
        return self._found("the picture does not change though the robot is driven", now)

    def not_moving(self, odometry_metres: float, why: str, now: float) -> bool:
        """The odometry shows none of what the robot was told; whether that came so often that it is stuck.

        Args:
            odometry_metres: that the robot has come by it, in all.
        """
        if not self._halts or odometry_metres - self._halted_metres > ADVANCED_METRES:
            self._halts, self._halted_metres = 0, odometry_metres
        self._halts += 1
        if self._halts < TRIES:
            return False
        self._halts, self.tries = 0, TRIES - 1
        return self._found(f"the robot does not move: {why}", now)

    def _found(self, why: str, now: float) -> bool:
        self.why = why
        self.tries += 1
        self._until = math.inf if self.tries >= TRIES else now + REST_SECONDS
        self._turns.clear()
        self._advanced = self._changed = self._metres, self._turned
        self._found_metres = self._metres
        return True
