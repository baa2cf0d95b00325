"""Where the robot is, as far as anyone knows: by its odometry, else by what it was commanded to do.

A command counts until the next one and at most as long as the robot may follow it. A robot that was commanded 0 has not
moved.
"""

from dataclasses import dataclass, field

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.motion.agreement import Agreement, Finding, OdometryFault
from qwen3vl_vln.motion.commanded import CommandedMotion
from qwen3vl_vln.motion.geometry import Pose, unwrapped
from qwen3vl_vln.motion.track import WINDOW_SECONDS, Speeds, Track

HOLD_SECONDS = 0.25
"""How long a robot with a watchdog follows one answer."""
DEAD_TIME_SECONDS = 0.35
"""A command this recent may not show in the odometry yet: camera, network and actuator delay, and the drive's lag."""


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

    commanded: Pose
    commanded_metres: float
    odometry: Pose | None
    origin: int
    odometry_metres: float
    place: int


@dataclass(slots=True)
class DeadReckoning:
    """Keeps both ways of reckoning up to date.

    Attributes:
        hold_seconds: how long the robot follows one answer at most.
        origin: of its odometry, as the robot numbers it.
        place: raised whenever poses by odometry from before cannot be compared with later ones.
        v: m/s, w: rad/s, by the robot's own measurement.
    """

    hold_seconds: float = HOLD_SECONDS
    origin: int = 0
    place: int = 0
    v: float | None = None
    w: float | None = None
    commands: CommandedMotion = field(default_factory=CommandedMotion)
    _track: Track = field(default_factory=Track)
    _agreement: Agreement = field(default_factory=Agreement)
    _observed: bool = False
    _ahead: float | None = None
    _now: float = 0.0
    _pose_at: float = 0.0

    @property
    def commanded_pose(self) -> Pose:
        """Where it would be if it had done what it was commanded to do."""
        return self.commands.mark.pose

    @property
    def commanded_metres(self) -> float:
        """Metres that it was commanded to drive, in all."""
        return self.commands.mark.metres

    @property
    def commanded_radians(self) -> float:
        """Radians that it was commanded to turn, to either side, in all."""
        return self.commands.mark.radians

    @property
    def commanded_v(self) -> float:
        """m/s, of the newest command."""
        return self.commands.v

    @property
    def commanded_w(self) -> float:
        """rad/s, of the newest command."""
        return self.commands.w

    @property
    def odometry(self) -> Pose | None:
        """The newest pose by odometry; None where the newest frame had none."""
        return self._track.pose if self._observed else None

    @property
    def odometry_metres(self) -> float:
        """Metres that it has come by its odometry, in all."""
        return self._track.metres

    def command(self, v: float, w: float, now: float) -> None:
        """These velocities were sent to the robot at `now`, which ends the command before."""
        self.advance(now)
        self.commands.command(v, w, now, self.hold_seconds)

    def advance(self, now: float) -> None:
        """Bring what was commanded up to `now`."""
        self._now = max(now, self._now)
        self.commands.advance(now)

    def observe(
        self, odometry: Odometry | None, *, captured: float | None, at: float, limits: Limits, late: bool = False
    ) -> Finding | None:
        """Take the odometry that came with a frame, or its absence; what it shows to be wrong.

        Args:
            captured: of the pose, seconds by the robot's clock; None where it has none.
            at: the same on the server's monotonic clock.
            late: it was long under way, so that `at` is not to be relied on.
        """
        if odometry is None:
            self._observed = False
            self.v = self.w = None
            return None
        captured = at if captured is None else captured
        if odometry.origin != self.origin or self._track.of_another_clock(captured):
            self.forget()
            self.origin = odometry.origin
        if not self._track.newer(captured):
            return None
        pose = self._unwrapped(odometry.pose)
        finding = None
        if self._jumps(pose, captured, at, limits):
            finding = _jump(self._track.pose or pose, pose)
            self.forget()
        self._ahead = pose.yaw - self.commanded_pose.yaw
        self._track.take(pose, captured)
        self._observed, self._pose_at = True, at
        self.v, self.w = odometry.v, odometry.w
        if finding is not None or late:
            return finding
        return self._agreement.compare(self.commands, pose, self.odometry_metres, at)

    def _jumps(self, pose: Pose, captured: float, at: float, limits: Limits) -> bool:
        v, w = limits.linear_meters_per_second, limits.angular_radians_per_second
        if not self._track.jumps(pose, captured, Speeds(v, w)):
            return False
        commanded_v, commanded_w = self.commands.fastest(at - WINDOW_SECONDS)
        return self._track.jumps(pose, captured, Speeds(max(v, commanded_v), max(w, commanded_w)))

    def _unwrapped(self, pose: Pose) -> Pose:
        # By what it was commanded meanwhile, also over frames without odometry: how often it has turned round is kept.
        near = pose.yaw if self._ahead is None else self.commanded_pose.yaw + self._ahead
        return Pose(pose.x, pose.y, unwrapped(pose.yaw, near))

    def forget(self) -> None:
        """Odometry that comes from now on counts from elsewhere."""
        self._track.restart()
        self._agreement = Agreement()
        self._observed, self._ahead = False, None
        self.place += 1

    def fix(self, *, odometry: Odometry | None = None, at: float | None = None) -> Fix:
        """Where the robot is now, or was at an image.

        Args:
            odometry: that came with the image; another than the newest where that one was captured later.
            at: when it was taken, on the server's monotonic clock.
        """
        commanded = self.commands.mark if at is None else self.commands.at(at)
        pose, metres = self.odometry, self.odometry_metres
        if pose is not None and odometry is not None and odometry.origin == self.origin:
            seen = Pose(odometry.pose.x, odometry.pose.y, unwrapped(odometry.pose.yaw, pose.yaw))
            pose, metres = seen, metres - seen.distance(pose)
        return Fix(commanded.pose, commanded.metres, pose, self.origin, metres, self.place)

    def since(self, fix: Fix) -> tuple[Pose, Pose, float]:
        """Motion since a moment: pose now in the frame of then, the pose it will come to stand at, and metres driven.

        By odometry when both moments have it with one origin. Commands it cannot show yet are added for the second.
        """
        commanded_metres = self.commanded_metres - fix.commanded_metres
        now = self.odometry
        if now is None or fix.odometry is None or fix.place != self.place:
            pose = self.commanded_pose.seen_from(fix.commanded)
            return pose, pose, commanded_metres
        pose = now.seen_from(fix.odometry)
        # Whichever way of reckoning says more: a plan is never driven further than it is long.
        metres = max(self.odometry_metres - fix.odometry_metres, commanded_metres)
        return pose, self.commands.after(pose, min(self._now, self._pose_at) - DEAD_TIME_SECONDS), metres

    def turned(self, fix: Fix) -> tuple[float, float]:
        """The most that the robot is turned to the right (≤ 0) and to the left (≥ 0) of its heading at a moment."""
        turned, now = self.commanded_pose.yaw - fix.commanded.yaw, self.odometry
        seen = turned if now is None or fix.odometry is None or fix.place != self.place else now.yaw - fix.odometry.yaw
        return min(0.0, turned, seen), max(0.0, turned, seen)


def _jump(before: Pose, pose: Pose) -> Finding:
    metres, radians = before.distance(pose), abs(pose.yaw - before.yaw)
    why = f"the odometry jumped by {metres:.2f} m and {radians:.2f} rad, faster than the robot moves"
    return Finding(OdometryFault.JUMP, why)
