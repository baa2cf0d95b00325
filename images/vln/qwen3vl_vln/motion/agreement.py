"""Whether a robot does what it is commanded to do, by its own odometry.

What was commanded up to `LAG_SECONDS` before a pose was captured must show in it: dead time, drive and sensor are no
slower. All bounds are far from what a healthy legged robot does, which sways and slips."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.motion.commanded import IN_PLACE, CommandedMotion
from qwen3vl_vln.motion.geometry import Pose

EVERY_SECONDS = 0.09
"""It is compared no more often than this."""
LAG_SECONDS = 0.7
SETTLED_SECONDS = 1.2
"""So long after the last command to turn, what odometry turns is not what was commanded."""
COMMANDED_METRES, COMMANDED_RADIANS = 0.3, 0.5
LEAST_SHARE = 0.2
MIRRORED_COMMANDED_RADIANS, MIRRORED_RADIANS = 0.3, 0.15
ASIDE_RADIANS = math.radians(60)
ASIDE_METRES = 0.15
"""A displacement shorter than this has no direction: it is mostly sway."""


class OdometryFault(StrEnum):
    """What is wrong with a robot's odometry, or with its legs: each one is the reason of a state."""

    JUMP = Reason.ODOMETRY_JUMP.value
    NOT_MOVING = Reason.NOT_MOVING.value
    MIRRORED = Reason.ODOMETRY_MIRRORED.value
    AXES = Reason.ODOMETRY_AXES.value


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, and its figures as a sentence for people."""

    fault: OdometryFault
    why: str


@dataclass(slots=True)
class _Turning:
    start: float
    radians: float
    commanded: list[float]
    odometry: list[float]


@dataclass(slots=True)
class Agreement:
    """Compares poses of one origin with what was commanded. Times in seconds on the server's monotonic clock."""

    _last: Pose | None = None
    _last_at: float = -math.inf
    _driving: tuple[float, float, float] = (0.0, 0.0, 0.0)
    _turning: _Turning = field(default_factory=lambda: _Turning(0.0, 0.0, [0.0, 0.0], [0.0, 0.0]))
    _way_since: float = -math.inf
    _way_base: float | None = None
    _way_turned: float = 0.0
    _aside_commanded: float = 0.0
    _aside: tuple[float, float] = (0.0, 0.0)

    def compare(self, commands: CommandedMotion, pose: Pose, metres: float, at: float) -> Finding | None:
        """What the newest pose shows to be wrong.

        Args:
            metres: length of the way by odometry up to that pose.
            at: when it was captured.
        """
        if abs(at - self._last_at) < EVERY_SECONDS:
            return None
        last, self._last, self._last_at = self._last, pose, at
        if last is None:
            self._restart_driving(commands, metres, at)
            self._restart_turning(commands, pose, at)
            self._restart_aside(commands, at)
            return None
        return (
            self._mirrored(commands, last, pose, at)
            or self._axes(commands, last, pose, at)
            or self._stands(commands, metres, at)
            or self._does_not_turn(commands, pose, at)
        )

    def _restart_driving(self, commands: CommandedMotion, metres: float, at: float) -> None:
        self._driving = at, commands.at(at).metres, metres

    def _stands(self, commands: CommandedMotion, metres: float, at: float) -> Finding | None:
        start, commanded_before, metres_before = self._driving
        if commands.at(at).metres <= commanded_before:
            self._restart_driving(commands, metres, at)
            return None
        driven = commands.at(max(start, at - LAG_SECONDS)).metres - commanded_before
        if driven < COMMANDED_METRES:
            return None
        shown = metres - metres_before
        self._restart_driving(commands, metres, at)
        if shown >= LEAST_SHARE * driven:
            return None
        return Finding(OdometryFault.NOT_MOVING, f"told to drive {driven:.2f} m, the odometry shows {shown:.2f} m")

    def _restart_turning(self, commands: CommandedMotion, pose: Pose, at: float) -> None:
        mark = commands.at(at)
        self._turning = _Turning(at, mark.radians, [mark.pose.yaw] * 2, [pose.yaw] * 2)

    def _does_not_turn(self, commands: CommandedMotion, pose: Pose, at: float) -> Finding | None:
        window = self._turning
        if commands.at(at).radians <= window.radians:
            self._restart_turning(commands, pose, at)
            return None
        _widen(window.commanded, commands.at(max(window.start, at - LAG_SECONDS)).pose.yaw)
        _widen(window.odometry, pose.yaw)
        turned, shown = window.commanded[1] - window.commanded[0], window.odometry[1] - window.odometry[0]
        if turned < COMMANDED_RADIANS:
            return None
        self._restart_turning(commands, pose, at)
        if shown >= LEAST_SHARE * turned:
            return None
        return Finding(OdometryFault.NOT_MOVING, f"told to turn {turned:.2f} rad, the odometry shows {shown:.2f} rad")

    def _mirrored(self, commands: CommandedMotion, last: Pose, pose: Pose, at: float) -> Finding | None:
        if self._way_since != commands.turned_way_since:
            self._way_since, self._way_base = commands.turned_way_since, None
        if at < self._way_since + LAG_SECONDS:
            return None
        if self._way_base is None:
            self._way_base, self._way_turned = commands.at(at).pose.yaw, 0.0
        elif commands.turned(at - SETTLED_SECONDS):
            self._way_turned += pose.yaw - last.yaw
        turned = (commands.at(at - LAG_SECONDS).pose.yaw - self._way_base) * commands.turning_sign
        shown = self._way_turned * commands.turning_sign
        if turned < MIRRORED_COMMANDED_RADIANS or shown > -MIRRORED_RADIANS:
            return None
        why = f"told to turn {turned:.2f} rad one way, the odometry shows {-shown:.2f} rad the other way"
        return Finding(OdometryFault.MIRRORED, f"{why}: yaw is counter-clockwise, seen from above")

    def _restart_aside(self, commands: CommandedMotion, at: float) -> None:
        self._aside_commanded, self._aside = commands.at(at).metres, (0.0, 0.0)

    def _axes(self, commands: CommandedMotion, last: Pose, pose: Pose, at: float) -> Finding | None:
        ways = commands.ways(at - LAG_SECONDS) - {IN_PLACE}
        if len(ways) == 1:
            (sign,) = ways
            step = pose.seen_from(Pose(last.x, last.y, (last.yaw + pose.yaw) / 2))
            self._aside = self._aside[0] + sign * step.x, self._aside[1] + sign * step.y
        ahead, aside = self._aside
        driven = commands.at(at - LAG_SECONDS).metres - self._aside_commanded
        metres = math.hypot(ahead, aside)
        if driven < COMMANDED_METRES or metres < ASIDE_METRES:
            return None
        off = abs(math.atan2(aside, ahead))
        self._restart_aside(commands, at)
        if off <= ASIDE_RADIANS:
            return None
        why = (
            f"told to drive {driven:.2f} m, the odometry shows {metres:.2f} m, {math.degrees(off):.0f}° off the heading"
        )
        return Finding(OdometryFault.AXES, f"{why}: x is forward and y to the left at yaw 0")


def _widen(span: list[float], value: float) -> None:
    span[0], span[1] = min(span[0], value), max(span[1], value)
