"""The policy that walks: from pictures and an instruction to a few steps. It knows pixels and words, nothing else.

It finds the thing that the instruction names by colour, keeps to the free floor, turns to search, holds when it has
lost sight of the thing, and says that it has arrived when the thing stands right before it. What earlier pictures
showed it puts where that is now, by how the camera has moved between them."""

import math
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..vision import Pixels
from .instruction import wanted_colour
from .memory import Recollection, moving, recall
from .moved import Motion
from .path import Step, steps_to
from .sight import Sighting, Target
from .understood import motion, picture, sighting
from .ways import Floor

SEARCH_RADIANS = 0.8
EXPLORE_PICTURES, EXPLORE_SHARE, GO_ON_SHARE = 8, 0.015, 0.8
"""Who has seen the thing in none of so many pictures goes somewhere else after some, and then on for some more."""
EXPLORE_METRES, EXPLORE_FREE_METRES, GO_ON_FREE_METRES, GOING_METRES = 0.9, 2.5, 1.3, 0.03
IN_VIEW_RADIANS = 0.6
"""Nearer to the middle than this a thing is in the picture, if nothing hides it."""
ARRIVED_PICTURES = 3
WALKING_METRES, WALKING_ASIDE, WALKING_POINTS = 1.3, 0.8, 3
NEAR_METRES = 0.5
"""Who is so near to where the thing should be and does not see it looks round."""

Decision = dict[str, Any]


def decide(pictures: Sequence[Pixels], text: str) -> Decision:
    """The answer in the form of a navigation schema: reached_goal, waypoints, action.

    Args:
        pictures: height x width x 3 (blue, green, red), the oldest first; the last one is now.
        text: what was asked, with a line `Instruction: ...`.
    """
    colour = wanted_colour(text)
    if colour is None or not pictures:
        return _answer((), "hold")
    looked_at = [picture(pixels) for pixels in pictures]
    *earlier, now = (sighting(one, colour) for one in looked_at)
    motions = [motion(before, after) for before, after in pairwise(looked_at)]
    known = recall(earlier, motions)
    if _in_the_way(moving(now, earlier, motions)):
        return _answer((), "hold")
    if now.target is None:
        if known.target is None:
            return _search(now, motions, _chance(pictures[-1]))
        return _unseen(now, known, known.target)
    target = now.target
    if not target.sure and known.facing is not None:
        target = target.squarely(known.facing)
    recent = earlier[-ARRIVED_PICTURES:]
    was_there = any(seen.target is not None and seen.target.arrived for seen in recent)
    if target.arrived or (target.about and was_there):
        return _answer((), "stop", reached_goal=True)
    steps = steps_to(target, _floor(now, known), seen=True)
    return _answer(steps, _action(steps))


def _in_the_way(walking: npt.NDArray[np.float32]) -> bool:
    """Something walks so near before the camera that it could be met before the next look."""
    near = (np.hypot(walking[:, 0], walking[:, 1]) < WALKING_METRES) & (np.abs(walking[:, 1]) < WALKING_ASIDE)
    return int(near.sum()) >= WALKING_POINTS


def _search(now: Sighting, motions: Sequence[Motion], chance: float) -> Decision:
    """No picture shows the thing: turn, and now and then go where there is much room."""
    goes = bool(motions) and motions[-1].metres > GOING_METRES
    free, share = (GO_ON_FREE_METRES, GO_ON_SHARE) if goes else (EXPLORE_FREE_METRES, EXPLORE_SHARE)
    if len(motions) >= EXPLORE_PICTURES and now.ahead > free and chance < share:
        return _answer((Step(EXPLORE_METRES, 0.0, 0.0),), "forward")
    return _turn(1.0)


def _unseen(now: Sighting, known: Recollection, target: Target) -> Decision:
    """The thing is not in the picture: stand for one look when it should be, else go on to where it was."""
    if known.age == 0 and abs(target.bearing) < IN_VIEW_RADIANS:
        return _answer((), "hold")
    if math.hypot(*target.goal) < NEAR_METRES:
        return _turn(target.bearing)
    steps = steps_to(target, _floor(now, known), seen=False)
    return _answer(steps, _action(steps))


def _floor(now: Sighting, known: Recollection) -> Floor:
    return Floor(np.concatenate([now.obstacles, known.beside]), now.rays, now.depths)


def _turn(bearing: float) -> Decision:
    side = 1.0 if bearing >= 0 else -1.0
    return _answer((Step(0.0, 0.0, side * SEARCH_RADIANS),), "left" if side > 0 else "right")


def _chance(pixels: Pixels) -> float:
    """A number from 0 to 1 that the noise of the picture decides: who keeps no memory still tries all sides."""
    return zlib.crc32(pixels[: pixels.shape[0] // 2].tobytes()) / 2**32


def _action(steps: Sequence[Step]) -> str:
    if not steps:
        return "hold"
    first = steps[0]
    if first.dx > 0.05:
        return "forward"
    return "left" if first.dy + first.dtheta > 0 else "right"


def _answer(steps: Sequence[Step], action: str, *, reached_goal: bool = False) -> Decision:
    points = [{"dx": round(s.dx, 3), "dy": round(s.dy, 3), "dtheta": round(s.dtheta, 3)} for s in steps]
    return {"reached_goal": reached_goal, "waypoints": points, "action": action}


__all__ = ["Decision", "Sighting", "decide"]
