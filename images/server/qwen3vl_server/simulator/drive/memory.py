"""What was seen a moment ago and is out of sight now: things beside the camera, and what is looked for. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from .moved import Motion
from .sight import Sighting, Target

Points = npt.NDArray[np.float32]
OUT_OF_SIGHT_METRES = 0.62
"""The floor nearer than this is below the picture."""
EDGE = 0.95
NEAR_METRES = 1.5
BEHIND_METRES = 0.5
AROUND_RAYS = 4
MOVING_METRES, MOVING_PICTURES, MOVED_METRES = 2.0, 4, 0.25
"""How near what walks matters, how far back one looks for it, and how much nearer than the floor's end it must be."""


@dataclass(frozen=True)
class Recollection:
    """What earlier pictures tell of now.

    Attributes:
        beside: where the floor is not free and the camera does not see it; n x 2, metres.
        target: where the thing is that is looked for; None when no picture shows it.
        age: how many pictures ago it was seen; 0 is the one before this one.
        facing: heading that looks at it squarely, by the last picture that showed it well.
    """

    beside: Points
    target: Target | None = None
    age: int = 0
    facing: float | None = None


def recall(earlier: Sequence[Sighting], motions: Sequence[Motion]) -> Recollection:
    """Put earlier sightings where they are now.

    Args:
        earlier: the oldest first.
        motions: from each of them to the next, the last one to now.
    """
    points: list[Points] = [np.zeros((0, 2), np.float32)]
    target, age, facing = None, 0, None
    for back, (seen, x, y, yaw, sure) in enumerate(_cameras(earlier, motions)):
        if sure or back == 0:
            points.append(_placed(seen.obstacles, x, y, yaw))
        if target is None and seen.target is not None:
            target, age = _moved(seen.target, x, y, yaw), back
        if facing is None and seen.target is not None and seen.target.sure:
            facing = math.remainder(seen.target.facing + yaw, math.tau)
    return Recollection(_hidden(np.concatenate(points)), target, age, facing)


def moving(now: Sighting, earlier: Sequence[Sighting], motions: Sequence[Motion]) -> Points:
    """Points of now where earlier pictures showed free floor: something walks there."""
    points = now.obstacles[np.hypot(now.obstacles[:, 0], now.obstacles[:, 1]) < MOVING_METRES]
    found = np.zeros(len(points), bool)
    for seen, x, y, yaw, sure in islice(_cameras(earlier, motions), MOVING_PICTURES):
        if not sure:
            break
        cos, sin = math.cos(yaw), math.sin(yaw)
        ahead = cos * (points[:, 0] - x) + sin * (points[:, 1] - y)
        left = cos * (points[:, 1] - y) - sin * (points[:, 0] - x)
        side = left / np.maximum(ahead, 1e-3)
        order = np.argsort(seen.rays)
        # The least depth of its neighbourhood: at the edge of a thing, a turn told a little wrong would make it walk.
        around = np.lib.stride_tricks.sliding_window_view(
            np.pad(seen.depths[order], AROUND_RAYS, "edge"), 2 * AROUND_RAYS + 1
        )
        depth = np.interp(side, seen.rays[order], around.min(axis=1))
        in_view = (ahead > OUT_OF_SIGHT_METRES) & (np.abs(side) < EDGE)
        found |= in_view & (ahead < depth - MOVED_METRES)
    return np.asarray(points[found], np.float32)


def _cameras(
    earlier: Sequence[Sighting], motions: Sequence[Motion]
) -> Iterator[tuple[Sighting, float, float, float, bool]]:
    """Earlier sightings, the newest first, each with its camera's place (m) and heading (rad) in the frame of now, and
    whether all motions up to now are sure."""
    x = y = yaw = 0.0
    sure = True
    for seen, motion in zip(reversed(earlier), reversed(motions), strict=True):
        # Behind, and turned the other way.
        x, y, yaw = x - motion.metres * math.cos(yaw), y - motion.metres * math.sin(yaw), yaw - motion.radians
        sure = sure and motion.sure
        yield seen, x, y, yaw, sure


def _hidden(points: Points) -> Points:
    aside = (points[:, 0] < OUT_OF_SIGHT_METRES) | (np.abs(points[:, 1]) > EDGE * points[:, 0])
    near = np.hypot(points[:, 0], points[:, 1]) < NEAR_METRES
    return np.asarray(points[aside & near & (points[:, 0] > -BEHIND_METRES)], np.float32)


def _placed(points: Points, x: float, y: float, yaw: float) -> Points:
    cos, sin = np.float32(math.cos(yaw)), np.float32(math.sin(yaw))
    px, py = points[:, 0], points[:, 1]
    return np.stack([np.float32(x) + cos * px - sin * py, np.float32(y) + sin * px + cos * py], axis=1)


def _moved(target: Target, x: float, y: float, yaw: float) -> Target:
    cos, sin = math.cos(yaw), math.sin(yaw)

    def place(px: float, py: float) -> tuple[float, float]:
        return x + cos * px - sin * py, y + sin * px + cos * py

    tx, ty = place(target.x, target.y)
    facing = math.remainder(target.facing + yaw, math.tau)
    goal = place(*target.goal)
    return replace(target, bearing=math.atan2(ty, tx), x=tx, y=ty, goal=goal, facing=facing, arrived=False, about=False)
