"""A plan as a path that is driven once: legs to drive and to turn, how far along it is, and what velocities follow.

Progress only grows: what is behind, also what was driven while the model was still thinking, is never driven again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from qwen3vl_vln.motion.geometry import Pose, unwrapped, wrapped
from qwen3vl_vln.motion.limits import Limits
from qwen3vl_vln.waypoint import Waypoint

TURN_IN_PLACE_RADIANS = 0.5
"""A bearing further off than this is turned to before driving on."""
ALIGNED_RADIANS = 0.1
CORNER_RADIANS = 0.25
"""A corner sharper than this is stopped at, so that its turn does not begin at full speed."""
LENGTH_TOLERANCE = 0.02
ANGLE_TOLERANCE = 0.03
LOOKAHEAD_METRES = 0.35
HEADING_GAIN = 2.5
SETTLE_SECONDS = 0.8
"""What each stop adds to the time of a plan, because the last centimetres are driven slowly."""


@dataclass(frozen=True, slots=True)
class _Drive:
    start: Pose
    end: Pose
    heading: float
    metres: float
    sign: float
    waypoint: int


@dataclass(frozen=True, slots=True)
class _Turn:
    heading: float
    planned: float
    waypoint: int


_Leg = _Drive | _Turn


@dataclass(frozen=True, slots=True)
class Steer:
    """What follows from a plan at one moment: wished velocities, and how much may still be driven before a stop.

    Attributes:
        metres: until the next point at which the robot must stand.
        radians: until the turn in place is done; None while driving.
    """

    v: float
    w: float
    metres: float
    radians: float | None


def legs(waypoints: Sequence[Waypoint]) -> list[_Leg]:
    """The path of a plan in the frame of its start. A bearing is followed, then `dtheta` is turned."""
    path: list[_Leg] = []
    pose = Pose()
    for index, point in enumerate(waypoints):
        metres = math.hypot(point.dx, point.dy)
        end = pose.after(point.dx, point.dy, point.dtheta)
        if metres > 1e-6:
            sign = -1.0 if point.dx < 0 else 1.0
            heading = pose.yaw + math.atan2(sign * point.dy, sign * point.dx)
            path.append(_Drive(pose, end, heading, metres, sign, index))
            following = waypoints[index + 1] if index + 1 < len(waypoints) else None
            # Where the robot drives on, the bearing of the next leg takes the place of the turn.
            if following is None or math.hypot(following.dx, following.dy) <= 1e-6:
                path.append(_Turn(end.yaw, 0.0, index))
        elif abs(point.dtheta) > 1e-6:
            path.append(_Turn(end.yaw, point.dtheta, index))
        pose = end
    return path


@dataclass(slots=True)
class Plan:
    """A plan under way. Poses given to it are in the frame of its start.

    Attributes:
        waypoints: as the parser gave them.
        consumed: everything is driven.
    """

    waypoints: tuple[Waypoint, ...]
    legs: list[_Leg] = field(default_factory=list)
    consumed: bool = False
    _leg: int = 0
    _direction: float = 0.0
    _turning: bool = False
    _along: float = 0.0

    def __post_init__(self) -> None:
        self.legs = legs(self.waypoints)
        self.consumed = not self.legs

    @property
    def metres(self) -> float:
        """Length of the whole path."""
        return sum(leg.metres for leg in self.legs if isinstance(leg, _Drive))

    def seconds(self, limits: Limits) -> float:
        """Time that driving it takes at the limits, with all starts and stops."""
        total = SETTLE_SECONDS
        heading = 0.0
        for leg in self.legs:
            turn = abs(wrapped(leg.heading - heading)) if isinstance(leg, _Drive) else abs(leg.heading - heading)
            heading = leg.heading
            if turn > ANGLE_TOLERANCE:
                total += turn / limits.angular_radians_per_second + SETTLE_SECONDS
                total += limits.angular_radians_per_second / limits.angular_acceleration
            if isinstance(leg, _Drive):
                total += leg.metres / limits.linear_meters_per_second
                total += limits.linear_meters_per_second / limits.linear_acceleration
        return total

    def advance(self, pose: Pose) -> None:
        """Leave the legs behind that are driven; `pose` is where the robot is now."""
        while self._leg < len(self.legs) and self._passed(self.legs[self._leg], pose):
            self._leg += 1
            self._direction, self._turning, self._along = 0.0, False, 0.0
        self.consumed = self._leg >= len(self.legs)

    def _passed(self, leg: _Leg, pose: Pose) -> bool:
        if isinstance(leg, _Drive):
            self._along = max(self._along, _projection(leg, pose))
            return leg.metres - self._along <= LENGTH_TOLERANCE
        error = _turn_left(leg, pose)
        if self._direction == 0.0:
            self._direction = math.copysign(1.0, leg.planned or error)
        return error * self._direction <= ANGLE_TOLERANCE

    def steer(self, coming: Pose, limits: Limits, reach: float) -> Steer:
        """Velocities that follow the path.

        Args:
            coming: where the robot will stand when what it was told has happened.
            reach: seconds for which it may follow the answer.

        Raises:
            IndexError: the plan is consumed.
        """
        leg = self.legs[self._leg]
        if isinstance(leg, _Turn):
            left = max(0.0, _turn_left(leg, coming) * self._direction)
            left = 0.0 if left <= ANGLE_TOLERANCE else left
            return Steer(
                0.0, math.copysign(braking(left, limits.angular_acceleration, reach), self._direction), 0.0, left
            )
        cross = _cross(leg, coming)
        wished = leg.heading - leg.sign * math.atan2(cross, LOOKAHEAD_METRES)
        error = wrapped(wished - coming.yaw)
        self._turning = abs(error) > (ALIGNED_RADIANS if self._turning else TURN_IN_PLACE_RADIANS)
        if self._turning:
            left = abs(error)
            return Steer(0.0, math.copysign(braking(left, limits.angular_acceleration, reach), error), 0.0, left)
        metres = self._until_stop(leg, max(self._along, _projection(leg, coming)))
        metres = 0.0 if metres <= LENGTH_TOLERANCE else metres
        v = braking(metres, limits.linear_acceleration, reach) * max(0.2, 1.0 - 1.5 * abs(error))
        return Steer(leg.sign * v, HEADING_GAIN * error if metres else 0.0, metres, None)

    def skip_drives(self) -> None:
        """Leave the legs behind that drive, up to the next turn: nothing of the way is left to spend."""
        while self._leg < len(self.legs) and isinstance(self.legs[self._leg], _Drive):
            self._leg += 1
        self._direction, self._turning, self._along = 0.0, False, 0.0
        self.consumed = self._leg >= len(self.legs)

    def _until_stop(self, leg: _Drive, along: float) -> float:
        metres = leg.metres - along
        for following in self.legs[self._leg + 1 :]:
            if isinstance(following, _Turn) or following.sign != leg.sign:
                break
            if abs(wrapped(following.heading - leg.heading)) > CORNER_RADIANS:
                break
            metres, leg = metres + following.metres, following
        return max(0.0, metres)

    def rest(self, pose: Pose) -> list[Waypoint]:
        """What is not driven yet, from where the robot is now."""
        if self.consumed:
            return []
        leg = self.legs[self._leg]
        ends = [Pose()]
        for point in self.waypoints:
            ends.append(ends[-1].after(point.dx, point.dy, point.dtheta))
        first = ends[leg.waypoint + 1]
        place = first.seen_from(pose)
        if isinstance(leg, _Turn):
            place = Pose(0.0, 0.0, place.yaw)
        return [Waypoint(place.x, place.y, place.yaw), *self.waypoints[leg.waypoint + 1 :]]


def _turn_left(leg: _Turn, pose: Pose) -> float:
    # Only what was planned as a turn of its own may be more than half a round.
    return leg.heading - pose.yaw if leg.planned else leg.heading - unwrapped(pose.yaw, leg.heading)


def _projection(leg: _Drive, pose: Pose) -> float:
    dx, dy = leg.end.x - leg.start.x, leg.end.y - leg.start.y
    return ((pose.x - leg.start.x) * dx + (pose.y - leg.start.y) * dy) / leg.metres


def _cross(leg: _Drive, pose: Pose) -> float:
    dx, dy = leg.end.x - leg.start.x, leg.end.y - leg.start.y
    return (dx * (pose.y - leg.start.y) - dy * (pose.x - leg.start.x)) / leg.metres


def braking(distance: float, acceleration: float, reach: float) -> float:
    """The speed from which a robot stands within `distance` though it follows the command for `reach` seconds first.

    Below both √(2·a·distance) and distance/reach, between which it is the smooth passage.
    """
    return acceleration * (math.sqrt(reach * reach + 2.0 * distance / acceleration) - reach)
