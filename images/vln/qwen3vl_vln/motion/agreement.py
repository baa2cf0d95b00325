"""Whether a robot does what it is told, by its own odometry.

What was told up to `LAG_SECONDS` before a pose was captured must show in it: dead time, drive and sensor are no slower.
All bounds are far from what a healthy legged robot does, which sways and slips."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from qwen3vl_vln.motion.commanded import IN_PLACE, Told
from qwen3vl_vln.motion.geometry import Pose

EVERY_SECONDS = 0.09
"""It is compared no more often than this."""
LAG_SECONDS = 0.7
SETTLED_SECONDS = 1.2
"""After so long without a turn told, what odometry turns is not what was told."""
TOLD_METRES, TOLD_RADIANS = 0.3, 0.5
LEAST_SHARE = 0.2
MIRRORED_TOLD_RADIANS, MIRRORED_RADIANS = 0.3, 0.15
ASIDE_RADIANS = math.radians(60)
ASIDE_METRES = 0.15
"""A displacement shorter than this has no direction: it is mostly sway."""


class OdometryFault(StrEnum):
    """What is wrong with a robot's odometry, or with its legs."""

    JUMP = "odometry_jump"
    NOT_MOVING = "not_moving"
    MIRRORED = "odometry_mirrored"
    AXES = "odometry_axes"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, and its figures as a sentence for people."""

    fault: OdometryFault
    why: str


@dataclass(slots=True)
class _Turning:
    start: float
    radians: float
    told: list[float]
    odometry: list[float]


@dataclass(slots=True)
class Agreement:
    """Compares poses of one origin with what was told. Times in seconds on the server's monotonic clock."""

    _last: Pose | None = None
    _last_at: float = -math.inf
    _driving: tuple[float, float, float] = (0.0, 0.0, 0.0)
    _turning: _Turning = field(default_factory=lambda: _Turning(0.0, 0.0, [0.0, 0.0], [0.0, 0.0]))
    _way_since: float = -math.inf
    _way_base: float | None = None
    _way_turned: float = 0.0
    _aside_told: float = 0.0
    _aside: tuple[float, float] = (0.0, 0.0)

    def compare(self, told: Told, pose: Pose, metres: float, at: float) -> Finding | None:
        """What the newest pose shows to be wrong.

        Args:
            metres: length of the way by odometry up to that pose.
            at: when it was captured.
        """
        if abs(at - self._last_at) < EVERY_SECONDS:
            return None
        last, self._last, self._last_at = self._last, pose, at
        if last is None:
            self._restart_driving(told, metres, at)
            self._restart_turning(told, pose, at)
            self._restart_aside(told, at)
            return None
        return (
            self._mirrored(told, last, pose, at)
            or self._axes(told, last, pose, at)
            or self._stands(told, metres, at)
            or self._does_not_turn(told, pose, at)
        )

    def _restart_driving(self, told: Told, metres: float, at: float) -> None:
        self._driving = at, told.at(at).metres, metres

    def _stands(self, told: Told, metres: float, at: float) -> Finding | None:
        start, told_before, metres_before = self._driving
        if told.at(at).metres <= told_before:
            self._restart_driving(told, metres, at)
            return None
        driven = told.at(max(start, at - LAG_SECONDS)).metres - told_before
        if driven < TOLD_METRES:
            return None
        shown = metres - metres_before
        self._restart_driving(told, metres, at)
        if shown >= LEAST_SHARE * driven:
            return None
        return Finding(OdometryFault.NOT_MOVING, f"told to drive {driven:.2f} m, the odometry shows {shown:.2f} m")

    def _restart_turning(self, told: Told, pose: Pose, at: float) -> None:
        mark = told.at(at)
        self._turning = _Turning(at, mark.radians, [mark.pose.yaw] * 2, [pose.yaw] * 2)

    def _does_not_turn(self, told: Told, pose: Pose, at: float) -> Finding | None:
        window = self._turning
        if told.at(at).radians <= window.radians:
            self._restart_turning(told, pose, at)
            return None
        _widen(window.told, told.at(max(window.start, at - LAG_SECONDS)).pose.yaw)
        _widen(window.odometry, pose.yaw)
        turned, shown = window.told[1] - window.told[0], window.odometry[1] - window.odometry[0]
        if turned < TOLD_RADIANS:
            return None
        self._restart_turning(told, pose, at)
        if shown >= LEAST_SHARE * turned:
            return None
        return Finding(OdometryFault.NOT_MOVING, f"told to turn {turned:.2f} rad, the odometry shows {shown:.2f} rad")

    def _mirrored(self, told: Told, last: Pose, pose: Pose, at: float) -> Finding | None:
        if self._way_since != told.turned_way_since:
            self._way_since, self._way_base = told.turned_way_since, None
        if at < self._way_since + LAG_SECONDS:
            return None
        if self._way_base is None:
            self._way_base, self._way_turned = told.at(at).pose.yaw, 0.0
        elif told.turned(at - SETTLED_SECONDS):
            self._way_turned += pose.yaw - last.yaw
        turned = (told.at(at - LAG_SECONDS).pose.yaw - self._way_base) * told.turning_sign
        shown = self._way_turned * told.turning_sign
        if turned < MIRRORED_TOLD_RADIANS or shown > -MIRRORED_RADIANS:
            return None
        why = f"told to turn {turned:.2f} rad one way, the odometry shows {-shown:.2f} rad the other way"
        return Finding(OdometryFault.MIRRORED, f"{why}: yaw is counter-clockwise, seen from above")

    def _restart_aside(self, told: Told, at: float) -> None:
        self._aside_told, self._aside = told.at(at).metres, (0.0, 0.0)

    def _axes(self, told: Told, last: Pose, pose: Pose, at: float) -> Finding | None:
        ways = told.ways(at - LAG_SECONDS) - {IN_PLACE}
        if len(ways) == 1:
            (sign,) = ways
            step = pose.seen_from(Pose(last.x, last.y, (last.yaw + pose.yaw) / 2))
            self._aside = self._aside[0] + sign * step.x, self._aside[1] + sign * step.y
        ahead, aside = self._aside
        driven = told.at(at - LAG_SECONDS).metres - self._aside_told
        metres = math.hypot(ahead, aside)
        if driven < TOLD_METRES or metres < ASIDE_METRES:
            return None
        off = abs(math.atan2(aside, ahead))
        self._restart_aside(told, at)
        if off <= ASIDE_RADIANS:
            return None
        why = (
            f"told to drive {driven:.2f} m, the odometry shows {metres:.2f} m, {math.degrees(off):.0f}° off the heading"
        )
        return Finding(OdometryFault.AXES, f"{why}: x is forward and y to the left at yaw 0")


def _widen(span: list[float], value: float) -> None:
    span[0], span[1] = min(span[0], value), max(span[1], value)
