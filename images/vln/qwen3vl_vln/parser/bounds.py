"""From numbers to a plan that a robot may be given: finite, bounded, forwards. Pure."""

import math
from collections.abc import Sequence
from dataclasses import replace

from qwen3vl_vln.parser.outcome import HOLD, PLAN, Parsed, ParseLimits, RefusedError
from qwen3vl_vln.waypoint import Waypoint

OTHER_UNIT = 1.5
"""A number beyond this many times its bound is no wish for more but another unit."""
MOST_WAYPOINTS = 8
"""A model that writes more of them is caught in a loop."""
LARGEST_METRES, LARGEST_RADIANS = 2.0, math.pi
"""The most that one amount of words or of an action may say."""
NOTHING = 1e-3
BACKWARDS = 0.01
"""A step back by less than this, metres, is none."""
_ROUNDING = 1e-9


def plan(points: Sequence[tuple[float, float, float]], limits: ParseLimits, *, reason: str) -> Parsed:
    """The plan of these displacements (dx, dy, dtheta).

    One that is a little too large is clamped and is the last: those after it were meant from where it would have led.

    Raises:
        RefusedError: there are too many, a number is not finite or in another unit, or it would drive backwards without
            permission; also in a waypoint that is cut off, for it tells what the whole was meant to be.
    """
    if len(points) > MOST_WAYPOINTS:
        raise RefusedError("too_many_waypoints")
    for point in points:
        _check(point, limits)
    waypoints, clamped = [], len(points) > limits.max_waypoints
    for point in points[: limits.max_waypoints]:
        kept = [max(-bound, min(bound, number)) for number, bound in zip(point, limits.bounds, strict=True)]
        larger = any(abs(a - b) > _ROUNDING for a, b in zip(kept, point, strict=True))
        if kept[0] < 0 and not limits.reverse:
            kept[0] = 0.0
        waypoints.append(Waypoint(*kept))
        if larger:
            clamped = True
            break
    if not any(abs(w.dx) + abs(w.dy) + abs(w.dtheta) > NOTHING for w in waypoints):
        return Parsed(HOLD, "no_motion")
    return replace(Parsed(PLAN, reason, tuple(waypoints)), clamped=clamped)


def straight(metres: float, limits: ParseLimits, *, reason: str) -> Parsed:
    """The plan of an amount of metres forwards, in equal waypoints within the bound.

    Raises:
        RefusedError: it is none that a step can have.
    """
    if not 0 <= metres <= LARGEST_METRES + _ROUNDING:
        raise RefusedError("out_of_range")
    return plan([(part, 0.0, 0.0) for part in _parts(metres, limits.max_dx)], limits, reason=reason)


def turn(radians: float, limits: ParseLimits, *, reason: str) -> Parsed:
    """The plan of a turn on the spot, counter-clockwise, in equal waypoints within the bound.

    Raises:
        RefusedError: it is more than half a turn.
    """
    if not abs(radians) <= LARGEST_RADIANS + _ROUNDING:
        raise RefusedError("out_of_range")
    return plan([(0.0, 0.0, part) for part in _parts(radians, limits.max_dtheta)], limits, reason=reason)


def _parts(amount: float, bound: float) -> list[float]:
    count = max(1, math.ceil(abs(amount) / bound - _ROUNDING))
    return [amount / count] * count


def _check(point: tuple[float, float, float], limits: ParseLimits) -> None:
    for number, bound in zip(point, limits.bounds, strict=True):
        if not math.isfinite(number):
            raise RefusedError("not_finite")
        if abs(number) > OTHER_UNIT * bound + _ROUNDING:
            raise RefusedError("out_of_range")
    if point[0] < -BACKWARDS and not limits.reverse:
        raise RefusedError("backwards")
