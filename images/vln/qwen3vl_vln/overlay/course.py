"""The way that the rest of a plan goes, as points on the floor and turns in place. Pure.

A robot follows the bearing of a waypoint and then turns by its angle; where it need not stand, corners become arcs."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qwen3vl_vln.motion.geometry import Pose, wrapped
from qwen3vl_vln.motion.plan import TURN_IN_PLACE_RADIANS
from qwen3vl_vln.overlay.projection import Floats
from qwen3vl_vln.waypoint import Waypoint

SHORTEST_METRES = 0.02
SMALLEST_TURN = 0.1
"""Radians; a robot reaches smaller ones while it drives."""
_SAMPLES = 8


@dataclass(frozen=True)
class Turn:
    """A turn in place.

    Attributes:
        x, y: where, metres.
        heading: at its beginning, radians.
        angle: radians, positive to the left.
    """

    x: float
    y: float
    heading: float
    angle: float


@dataclass(frozen=True)
class Course:
    """Where the robot will go.

    Attributes:
        line: the way from the robot on (n x 2, metres in the robot frame); empty when it only turns.
        ends: where its waypoints end (m x 2).
        heading: at the end of the line, radians.
        turns: in order; one at (0, 0) comes before anything is driven.
    """

    line: Floats
    ends: Floats
    heading: float
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class _Leg:
    start: Pose
    end: Pose
    heading: float
    metres: float
    travel: float


def course(rest: Sequence[Waypoint]) -> Course:
    """The way of what is not driven yet, waypoints as an answer has them."""
    legs, turns = _legs(rest)
    if not legs:
        return Course(np.empty((0, 2)), np.empty((0, 2)), 0.0, turns)
    tangents = _tangents(legs, stands_first=bool(turns) and turns[0].x == turns[0].y == 0.0)
    line = [np.array([[legs[0].start.x, legs[0].start.y]])]
    line += [_arc(leg, *ends) for leg, ends in zip(legs, tangents, strict=True)]
    ends = np.array([(leg.end.x, leg.end.y) for leg in legs])
    return Course(np.concatenate(line), ends, legs[-1].travel, turns)


def _legs(rest: Sequence[Waypoint]) -> tuple[list[_Leg], tuple[Turn, ...]]:
    legs: list[_Leg] = []
    turns: list[Turn] = []
    pose, heading = Pose(), 0.0
    for point in rest:
        end = pose.after(point.dx, point.dy, point.dtheta)
        metres = math.hypot(point.dx, point.dy)
        if metres > SHORTEST_METRES:
            sign = -1.0 if point.dx < 0 else 1.0
            bearing = pose.yaw + math.atan2(sign * point.dy, sign * point.dx)
            turn = wrapped(bearing - heading)
            if abs(turn) > TURN_IN_PLACE_RADIANS:
                turns.append(Turn(pose.x, pose.y, heading, turn))
            heading = bearing
            travel = bearing if sign > 0 else bearing + math.pi
            legs.append(_Leg(pose, end, bearing, metres, travel))
        elif abs(point.dtheta) > SMALLEST_TURN:
            turns.append(Turn(pose.x, pose.y, pose.yaw, point.dtheta))
            heading = end.yaw
        pose = end
    last = wrapped(pose.yaw - heading)
    if legs and abs(last) > SMALLEST_TURN:
        turns.append(Turn(pose.x, pose.y, heading, last))
    return legs, tuple(turns)


def _tangents(legs: Sequence[_Leg], *, stands_first: bool) -> list[tuple[float, float]]:
    """Directions of travel at both ends of each leg."""
    first = legs[0]
    ahead = 0.0 if first.travel == first.heading else math.pi
    starts = [first.travel if stands_first else ahead]
    ends = []
    for before, after in itertools.pairwise(legs):
        corner = wrapped(after.travel - before.travel)
        sharp = abs(corner) > TURN_IN_PLACE_RADIANS
        ends.append(before.travel if sharp else before.travel + corner / 2)
        starts.append(after.travel if sharp else before.travel + corner / 2)
    return list(zip(starts, [*ends, legs[-1].travel], strict=True))


def _arc(leg: _Leg, direction_in: float, direction_out: float) -> Floats:
    """A cubic Hermite curve from end to end, without its first point."""
    t = (np.arange(1, _SAMPLES + 1) / _SAMPLES)[:, None]
    first = leg.metres * np.array([[math.cos(direction_in), math.sin(direction_in)]])
    second = leg.metres * np.array([[math.cos(direction_out), math.sin(direction_out)]])
    start, end = np.array([[leg.start.x, leg.start.y]]), np.array([[leg.end.x, leg.end.y]])
    rise = t * t * (3 - 2 * t)
    return np.asarray(start + rise * (end - start) + t * (t - 1) ** 2 * first + t * t * (t - 1) * second)
