"""The way that a robot has come by its odometry: poses by the time of their capture, metres by chords, and jumps."""

import math
from collections import deque
from dataclasses import dataclass, field

from qwen3vl_vln.motion.geometry import Pose, wrapped

CHORD_METRES = 0.10
"""A legged robot sways: the way is made of chords this long, and of the one that is not finished yet."""
JUMP_SHARE, JUMP_METRES, JUMP_RADIANS = 1.5, 0.15, 0.25
"""Nothing moves faster than so many times what it may; and this much beside is the sensor's."""
WINDOW_SECONDS = 1.0
SLOWEST_UPDATE_SECONDS = 0.4
"""A pose that is repeated may have been measured so long before the one that differs from it."""
ANOTHER_CLOCK_SECONDS = 1.0
"""An image is sent much younger than this: an older one is of a clock that was set back."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """What a robot may do, or was commanded: m/s and rad/s."""

    linear: float
    angular: float


@dataclass(frozen=True, slots=True)
class _Sample:
    captured: float
    pose: Pose


@dataclass(slots=True)
class Track:
    """Poses of one origin. `captured` is in seconds by the robot's clock.

    Attributes:
        pose: the newest by capture time; None before the first.
        captured: of it.
    """

    pose: Pose | None = None
    captured: float = -math.inf
    _metres: float = 0.0
    _chord: Pose = field(default_factory=Pose)
    _samples: deque[_Sample] = field(default_factory=deque)

    @property
    def metres(self) -> float:
        """Length of the way, by its chords."""
        return self._metres + (0.0 if self.pose is None else self.pose.distance(self._chord))

    def newer(self, captured: float) -> bool:
        """Whether a pose of that time is the newest."""
        return captured >= self.captured

    def of_another_clock(self, captured: float) -> bool:
        """Whether the robot's clock was set back before that time was taken."""
        return captured < self.captured - ANOTHER_CLOCK_SECONDS

    def jumps(self, pose: Pose, captured: float, fastest: Speeds) -> bool:
        """Whether the newest pose is further from the one before, or from that of a second ago, than a robot comes."""
        if self.pose is None or pose == self.pose:
            return False
        repeated = max(self._samples[-1].captured, min(self.captured, captured - SLOWEST_UPDATE_SECONDS))
        if _too_far(self.pose, pose, captured - repeated, fastest):
            return True
        if len(self._samples) < 2:
            return False
        oldest, following = self._samples[0], self._samples[1]
        seconds = min(captured - oldest.captured, max(WINDOW_SECONDS, captured - following.captured))
        return _too_far(oldest.pose, pose, seconds, fastest)

    def take(self, pose: Pose, captured: float) -> None:
        """Go on to the newest pose."""
        if self.pose is None:
            self._chord = pose
        elif (metres := pose.distance(self._chord)) >= CHORD_METRES:
            self._metres += metres
            self._chord = pose
        if pose != self.pose:
            self._samples.append(_Sample(captured, pose))
        while len(self._samples) > 1 and self._samples[1].captured < captured - WINDOW_SECONDS:
            self._samples.popleft()
        self.pose, self.captured = pose, captured

    def restart(self) -> None:
        """Poses that come from now on are of another origin, or of another clock; the metres go on."""
        self._metres = self.metres
        self.pose, self.captured = None, -math.inf
        self._samples.clear()


def _too_far(before: Pose, pose: Pose, seconds: float, fastest: Speeds) -> bool:
    metres = JUMP_SHARE * fastest.linear * seconds + JUMP_METRES
    radians = JUMP_SHARE * fastest.angular * seconds + JUMP_RADIANS
    return before.distance(pose) > metres or abs(wrapped(pose.yaw - before.yaw)) > radians
