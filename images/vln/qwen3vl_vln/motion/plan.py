"""A plan as a path that is driven once: legs to drive and to turn, how far along it is, and what velocities follow.

Progress only grows: what is behind, also what was driven while the model was still thinking, is never driven again."""

import math
from dataclasses import dataclass, field

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.motion.geometry import Pose, wrapped
from qwen3vl_vln.motion.legs import DriveLeg, Leg, TurnLeg, legs
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
HORIZON_SECONDS = 0.25
SETTLE_HORIZONS = 3.0
"""So many times longer it takes where an answer may be followed for longer than `HORIZON_SECONDS`."""
SPARE_RADIANS, SPARE_RADIANS_PER_METRE = 0.1, 0.4
"""What may be turned beyond what a plan says, to keep to its path."""


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


@dataclass(slots=True)
class Plan:
    """A plan under way. Poses given to it are in the frame of its start.

    Attributes:
        waypoints: as the parser gave them.
        consumed: everything is driven.
    """

    waypoints: tuple[Waypoint, ...]
    legs: list[Leg] = field(default_factory=list)
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
        return sum(leg.metres for leg in self.legs if isinstance(leg, DriveLeg))

    def seconds(self, limits: Limits, horizon_seconds: float = HORIZON_SECONDS) -> float:
        """Time that driving it takes at the limits, with all starts and stops.

        Args:
            horizon_seconds: seconds for which the robot may follow an answer; it nears each stop the more slowly.
        """
        settle = SETTLE_SECONDS + SETTLE_HORIZONS * max(0.0, horizon_seconds - HORIZON_SECONDS)
        total = settle
        heading = 0.0
        for leg in self.legs:
            turn = abs(wrapped(leg.heading - heading)) if isinstance(leg, DriveLeg) else abs(leg.heading - heading)
            heading = leg.heading
            if turn > ANGLE_TOLERANCE:
                total += turn / limits.angular_radians_per_second + settle
                total += limits.angular_radians_per_second / limits.angular_acceleration
            if isinstance(leg, DriveLeg):
                total += leg.metres / limits.linear_meters_per_second
                total += limits.linear_meters_per_second / limits.linear_acceleration
        return total

    def turn_budget(self, pose: Pose) -> float:
        """Radians that may be turned, to either side, by a robot that stands there now and drives the rest."""
        left = self.legs[self._leg :]
        metres = sum(leg.metres for leg in left if isinstance(leg, DriveLeg)) - self._along
        radians, heading = 0.0, pose.yaw
        for leg in left:
            turn = leg.heading - heading
            radians += abs(turn if isinstance(leg, TurnLeg) and leg.planned else wrapped(turn))
            heading = leg.heading
        return radians + SPARE_RADIANS + SPARE_RADIANS_PER_METRE * max(0.0, metres)

    def advance(self, pose: Pose, commanded_yaw: float) -> None:
        """Leave the legs behind that are driven.

        Args:
            pose: where the robot is now.
            commanded_yaw: its heading if it has turned as it was commanded since the plan was adopted.
        """
        while self._leg < len(self.legs) and self._passed(self.legs[self._leg], pose, commanded_yaw):
            self._leg += 1
            self._direction, self._turning, self._along = 0.0, False, 0.0
        self.consumed = self._leg >= len(self.legs)

    def _passed(self, leg: Leg, pose: Pose, commanded_yaw: float) -> bool:
        if isinstance(leg, DriveLeg):
            self._along = max(self._along, leg.along(pose))
            return leg.metres - self._along <= LENGTH_TOLERANCE
        if self._direction == 0.0:
            self._direction = math.copysign(1.0, leg.planned or leg.left(pose.yaw))
        # Whichever way of reckoning is further: odometry that stands still or is mirrored keeps no robot turning.
        return min(leg.left(yaw) * self._direction for yaw in (pose.yaw, commanded_yaw)) <= ANGLE_TOLERANCE

    def steer(self, coming: Pose, commanded_yaw: float, limits: Limits, horizon_seconds: float) -> Steer:
        """Velocities that follow the path.

        Args:
            coming: where the robot will stand when what it was commanded has happened.
            commanded_yaw: its heading if it has turned as it was commanded since the plan was adopted.
            horizon_seconds: seconds for which it may follow the answer.

        Raises:
            IndexError: the plan is consumed.
        """
        leg = self.legs[self._leg]
        if isinstance(leg, TurnLeg):
            left = min(leg.left(yaw) * self._direction for yaw in (coming.yaw, commanded_yaw))
            return _in_place(0.0 if left <= ANGLE_TOLERANCE else left, self._direction, limits, horizon_seconds)
        cross = leg.cross_track(coming)
        wished = leg.heading - leg.sign * math.atan2(cross, LOOKAHEAD_METRES)
        error = wrapped(wished - coming.yaw)
        turn = _nearer_zero(error, wrapped(wished - commanded_yaw))
        self._turning = abs(turn) > (ALIGNED_RADIANS if self._turning else TURN_IN_PLACE_RADIANS)
        if self._turning:
            return _in_place(abs(turn), turn, limits, horizon_seconds)
        metres = self._until_stop(leg, max(self._along, leg.along(coming)))
        metres = 0.0 if metres <= LENGTH_TOLERANCE else metres
        v = braking(metres, limits.linear_acceleration, horizon_seconds) * max(0.2, 1.0 - 1.5 * abs(error))
        gain = min(HEADING_GAIN, 1.0 / horizon_seconds)
        return Steer(leg.sign * v, gain * error if metres else 0.0, metres, None)

    def skip_drives(self) -> None:
        """Leave the legs behind that drive, up to the next turn: nothing of the way is left to spend."""
        while self._leg < len(self.legs) and isinstance(self.legs[self._leg], DriveLeg):
            self._leg += 1
        self._direction, self._turning, self._along = 0.0, False, 0.0
        self.consumed = self._leg >= len(self.legs)

    def end(self) -> None:
        """Leave all of it behind: what it may turn is spent."""
        self._leg, self.consumed = len(self.legs), True

    def _until_stop(self, leg: DriveLeg, along: float) -> float:
        metres = leg.metres - along
        for following in self.legs[self._leg + 1 :]:
            if isinstance(following, TurnLeg) or following.sign != leg.sign:
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
        if isinstance(leg, TurnLeg):
            place = Pose(0.0, 0.0, place.yaw)
        return [Waypoint(place.x, place.y, place.yaw), *self.waypoints[leg.waypoint + 1 :]]


def _in_place(left: float, direction: float, limits: Limits, horizon_seconds: float) -> Steer:
    return Steer(0.0, math.copysign(braking(left, limits.angular_acceleration, horizon_seconds), direction), 0.0, left)


def _nearer_zero(angle: float, other: float) -> float:
    """What both angles say; 0 where they say opposite things."""
    return min(angle, other, key=abs) if angle * other > 0 else 0.0


def braking(distance: float, acceleration: float, horizon_seconds: float) -> float:
    """The speed from which a robot stands within `distance` though it follows the command for the horizon first.

    Below both √(2·a·distance) and distance/horizon, between which it is the smooth passage.
    """
    return acceleration * (
        math.sqrt(horizon_seconds * horizon_seconds + 2.0 * distance / acceleration) - horizon_seconds
    )
