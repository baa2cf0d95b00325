"""What was seen a moment ago and stands beside the camera now, out of sight. Pure.

How the camera has moved meanwhile is told by the target, where both pictures show it: its bearing says how far one has
turned, its distance how far one has come."""

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from .sight import Sighting, Target

Points = npt.NDArray[np.float32]
OUT_OF_SIGHT_METRES = 0.62
"""The floor nearer than this is below the picture."""
EDGE = 0.95
NEAR_METRES = 1.2
FURTHEST_COME = 0.8


def beside(now: Sighting, earlier: Iterable[Sighting]) -> Points:
    """Points of earlier sightings where they are now, as far as the camera does not see them now; n x 2, metres."""
    found = [np.zeros((0, 2), np.float32)]
    for before in earlier:
        if now.target is not None and before.target is not None:
            found.append(_moved(before.obstacles, before.target, now.target))
    points = np.concatenate(found)
    hidden = (points[:, 0] < OUT_OF_SIGHT_METRES) | (np.abs(points[:, 1]) > EDGE * points[:, 0])
    near = np.hypot(points[:, 0], points[:, 1]) < NEAR_METRES
    return np.asarray(points[hidden & near & (points[:, 0] > -0.5)], np.float32)


def _moved(points: Points, before: Target, now: Target) -> Points:
    turned = before.bearing - now.bearing
    come = math.hypot(before.x, before.y) - math.hypot(now.x, now.y)
    come = min(FURTHEST_COME, max(0.0, come))
    # First forward along the old heading, then turned: one drives and turns at the same time, in small steps.
    x, y = points[:, 0] - np.float32(come), points[:, 1]
    cosine, sine = np.float32(math.cos(turned)), np.float32(math.sin(turned))
    return np.stack([cosine * x + sine * y, cosine * y - sine * x], axis=1)
