"""From numbers to a plan that a robot may be given: finite, bounded, forwards. Pure."""

import math
from collections.abc import Sequence
from dataclasses import replace

from qwen3vl_vln.parser.outcome import HOLD, PLAN, Parsed, ParseLimits, RefusedError
from qwen3vl_vln.waypoint import Waypoint

LARGEST_NUMBER = 100.0
"""Beyond this a number is a mistake and not a wish for more."""
NOTHING = 1e-3
BACKWARDS = 0.01
"""A step back by less than this, metres, is none."""


def plan(points: Sequence[tuple[float, float, float]], limits: ParseLimits, *, reason: str) -> Parsed:
    """The plan of these displacements (dx, dy, dtheta), clamped.

    Raises:
        RefusedError: a number is not finite or absurd, or it would drive backwards without permission; also in a
            waypoint that would be cut off, for it tells what the whole was meant to be.
    """
    clamped = len(points) > limits.max_waypoints
    bounds = (limits.max_dx, limits.max_dy, limits.max_dtheta)
    waypoints = []
    for point in points:
        for number in point:
            if not math.isfinite(number):
                raise RefusedError("not_finite")
            if abs(number) > LARGEST_NUMBER:
                raise RefusedError("out_of_range")
        if point[0] < -BACKWARDS and not limits.reverse:
            raise RefusedError("backwards")
        kept = [max(-bound, min(bound, number)) for number, bound in zip(point, bounds, strict=True)]
        clamped = clamped or any(abs(a - b) > 1e-9 for a, b in zip(kept, point, strict=True))
        if kept[0] < 0 and not limits.reverse:
            kept[0] = 0.0
        waypoints.append(Waypoint(*kept))
    del waypoints[limits.max_waypoints :]
    if not any(abs(w.dx) + abs(w.dy) + abs(w.dtheta) > NOTHING for w in waypoints):
        return Parsed(HOLD, "no_motion")
    return replace(Parsed(PLAN, reason, tuple(waypoints)), clamped=clamped)
