"""Where the robot is, as far as anyone knows: by its odometry, else by what it was told.

A command counts until the next one and at most as long as the robot may follow it. A robot that was told 0 has not
moved.
"""

from collections import deque
from dataclasses import dataclass, field

from qwen3vl_vln.motion.geometry import Pose, unwrapped

HOLD_SECONDS = 0.25
"""How long a robot with a watchdog follows one answer."""
DEAD_TIME_SECONDS = 0.35
"""A command this recent may not show in the odometry yet: camera, network and actuator delay, and the drive's lag."""
TOLD_SECONDS = 1.0
"""For so long back is known what was told when: longer than any picture may be under way."""
STEP_METRES = 0.01
"""Odometry trembles while a robot stands; shorter displacements are not summed up as distance."""


@dataclass(frozen=True, slots=True)
class Odometry:
    """What the robot says about itself: pose in its own frame, velocities (m/s, rad/s) where it has them, and the
    number of that frame's origin."""

    pose: Pose
    origin: int
    v: float | None = None
    w: float | None = None


@dataclass(frozen=True, slots=True)
class Fix:
    """Where the robot was at one moment, by both ways of reckoning, so that motion since then can be told."""

    told: Pose
    told_metres: float
    odometry: Pose | None
    origin: int
    odometry_metres: float
    place: int


@dataclass(slots=True)
class Reckoning:
    """Keeps both ways of reckoning up to date.

    Attributes:
        hold_seconds: how long the robot follows one answer at most.
        place: raised whenever poses by odometry from before cannot be compared with later ones.
    """

    hold_seconds: float = HOLD_SECONDS
    told: Pose = field(default_factory=Pose)
    told_metres: float = 0.0
    odometry: Pose | None = None
    origin: int = 0
    odometry_metres: float = 0.0
    place: int = 0
    v: float | None = None
    w: float | None = None
    _summed: Pose | None = None
    _ahead: float | None = None
    _now: float = 0.0
    _until: float = 0.0
    told_v: float = 0.0
    told_w: float = 0.0
    _recent: deque[tuple[float, float, float, float]] = field(default_factory=deque)

    def command(self, v: float, w: float, now: float) -> None:
        """The robot was told these velocities at `now`, which ends the command before."""
        self.advance(now)
        self.told_v, self.told_w, self._until = v, w, now + self.hold_seconds

    def advance(self, now: float) -> None:
        """Bring what was told up to `now`."""
        start, self._now = self._now, max(now, self._now)
        while self._recent and self._recent[0][1] < self._now - TOLD_SECONDS:
            self._recent.popleft()
        seconds = min(now, self._until) - start
        v, w = self.told_v, self.told_w
        if seconds <= 0 or not (v or w):
            return
        self.told = self.told.driven(v, w, seconds)
        self.told_metres += abs(v) * seconds
        self._recent.append((start, start + seconds, v, w))

    def observe(self, odometry: Odometry | None) -> None:
        """Take the odometry that came with a frame, or its absence."""
        if odometry is None:
            self.odometry = None
            self.v = self.w = None
            return
        if odometry.origin != self.origin:
            self.forget()
            self.origin = odometry.origin
        if self.odometry is None:
            self._summed = None
        # By what it was told meanwhile, also over frames without odometry: how often it has turned round is kept.
        near = odometry.pose.yaw if self._ahead is None else self.told.yaw + self._ahead
        pose = Pose(odometry.pose.x, odometry.pose.y, unwrapped(odometry.pose.yaw, near))
        self._ahead = pose.yaw - self.told.yaw
        if self._summed is None:
            self._summed = pose
        elif (metres := pose.distance(self._summed)) >= STEP_METRES:
            self.odometry_metres += metres
            self._summed = pose
        self.odometry, self.v, self.w = pose, odometry.v, odometry.w

    def forget(self) -> None:
        """Odometry that comes from now on counts from elsewhere."""
        self.odometry = self._ahead = None
        self.place += 1

    def fix(self, *, at: float | None = None) -> Fix:
        """Where the robot is now; or was at a picture taken `at`, whose odometry, where it has any, is the newest."""
        told, metres = self._told_at(self._now if at is None else at)
        return Fix(told, metres, self.odometry, self.origin, self.odometry_metres, self.place)

    def _told_at(self, at: float) -> tuple[Pose, float]:
        """Pose and metres by what was told, at a moment of the last second."""
        told, metres = self.told, self.told_metres
        for start, end, v, w in reversed(self._recent):
            seconds = end - max(start, at)
            if seconds <= 0:
                break
            told = told.driven(-v, -w, seconds)
            metres -= abs(v) * seconds
        return told, metres

    def since(self, fix: Fix) -> tuple[Pose, Pose, float]:
        """Motion since a moment: pose now in the frame of then, the pose it will come to stand at, and metres driven.

        By odometry when both moments have it with one origin. Commands it cannot show yet are added for the second.
        """
        if self.odometry is None or fix.odometry is None or fix.place != self.place:
            pose = self.told.seen_from(fix.told)
            return pose, pose, self.told_metres - fix.told_metres
        pose = coming = self.odometry.seen_from(fix.odometry)
        # Whichever way of reckoning says more: a plan is never driven further than it is long.
        metres = max(self.odometry_metres - fix.odometry_metres, self.told_metres - fix.told_metres)
        horizon = self._now - DEAD_TIME_SECONDS
        for start, end, v, w in self._recent:
            seconds = end - max(start, horizon)
            if seconds > 0:
                coming = coming.driven(v, w, seconds)
        return pose, coming, metres
