"""What a robot was commanded to do, summed up: where that leads, how far, how much it turns, and when that was.

A command counts until the next one and at most as long as the robot may follow it."""

import math
from collections import deque
from dataclasses import dataclass, field

from qwen3vl_vln.motion.geometry import Pose

KEPT_SECONDS = 4.0
"""How far back it can be said when something was commanded."""
IN_PLACE = 0
"""A turn in place, among the directions of driving: 1 forward, -1 backward."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What was commanded up to one moment: the pose it leads to, metres (sum of |v|·dt), radians (sum of |w|·dt)."""

    pose: Pose = field(default_factory=Pose)
    metres: float = 0.0
    radians: float = 0.0

    def driven(self, v: float, w: float, seconds: float) -> "Mark":
        """The mark after these velocities."""
        pose = self.pose.driven(v, w, seconds)
        return Mark(pose, self.metres + abs(v) * seconds, self.radians + abs(w) * seconds)


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: float
    end: float
    v: float
    w: float
    before: Mark


@dataclass(slots=True)
class CommandedMotion:
    """Commands in the order in which they were sent. Times in seconds on the server's monotonic clock.

    Attributes:
        mark: what was commanded up to now.
        v: m/s, the newest command's.
        w: rad/s, the newest command's.
        turned_way_since: when a turn of the present sign was commanded first.
    """

    mark: Mark = field(default_factory=Mark)
    v: float = 0.0
    w: float = 0.0
    turning_sign: float = 0.0
    turned_way_since: float = -math.inf
    _now: float = 0.0
    _until: float = 0.0
    _stretches: deque[_Stretch] = field(default_factory=deque)

    def command(self, v: float, w: float, now: float, hold_seconds: float) -> None:
        """These velocities were sent to the robot and end the command before; it follows them so long at most."""
        self.advance(now)
        self.v, self.w, self._until = v, w, now + hold_seconds
        if w and math.copysign(1.0, w) != self.turning_sign:
            self.turning_sign, self.turned_way_since = math.copysign(1.0, w), now

    def advance(self, now: float) -> None:
        """Bring the sums up to now."""
        start, self._now = self._now, max(now, self._now)
        while self._stretches and self._stretches[0].end < self._now - KEPT_SECONDS:
            self._stretches.popleft()
        seconds = min(now, self._until) - start
        if seconds > 0 and (self.v or self.w):
            self._stretches.append(_Stretch(start, start + seconds, self.v, self.w, self.mark))
            self.mark = self.mark.driven(self.v, self.w, seconds)

    def at(self, time: float) -> Mark:
        """What was commanded up to a moment; exact for the last seconds."""
        for stretch in reversed(self._stretches):
            if time >= stretch.end:
                return stretch.before.driven(stretch.v, stretch.w, stretch.end - stretch.start)
            if time >= stretch.start:
                return stretch.before.driven(stretch.v, stretch.w, time - stretch.start)
        return self._stretches[0].before if self._stretches else self.mark

    def after(self, pose: Pose, since: float) -> Pose:
        """A pose moved on by what was commanded since a moment."""
        for stretch in self._since(since):
            pose = pose.driven(stretch.v, stretch.w, stretch.end - max(stretch.start, since))
        return pose

    def fastest(self, since: float) -> tuple[float, float]:
        """The highest speeds commanded since a moment: m/s and rad/s."""
        commanded = [(abs(stretch.v), abs(stretch.w)) for stretch in self._since(since)]
        return max((v for v, _ in commanded), default=0.0), max((w for _, w in commanded), default=0.0)

    def ways(self, since: float) -> set[int]:
        """What was commanded since a moment: 1 forward, -1 backward, IN_PLACE; empty for nothing."""
        return {(stretch.v > 0) - (stretch.v < 0) for stretch in self._since(since)}

    def turned(self, since: float) -> bool:
        """Whether a turn was commanded since a moment."""
        return any(stretch.w for stretch in self._since(since))

    def _since(self, since: float) -> list[_Stretch]:
        newest: list[_Stretch] = []
        for stretch in reversed(self._stretches):
            if stretch.end <= since:
                break
            newest.append(stretch)
        return newest[::-1]
