"""The policy that walks: from pictures and an instruction to a few steps. It knows pixels and words, nothing else.

It finds the thing that the instruction names by colour, keeps to the free floor, turns to search, holds when it has
lost sight of the thing, and says that it has arrived when the thing stands right before it."""

from collections.abc import Sequence
from typing import Any

from ..vision import Pixels
from .instruction import wanted_colour
from .memory import beside
from .path import Step, steps_to
from .sight import Sighting, look

SEARCH_RADIANS = 0.5
PASSING_PICTURES, PASSING_METRES, PASSING_STEP_METRES = 3, 0.9, 0.35
REMEMBERED_PICTURES = 3
"""What was near in one of these may stand beside the camera now, where it does not see it."""

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
    now = look(pictures[-1], colour)
    if now.target is None:
        return _search(now, pictures[:-1], colour)
    recent = [look(picture, colour) for picture in pictures[-1 - REMEMBERED_PICTURES : -1]]
    was_there = any(seen.target is not None and seen.target.arrived for seen in recent)
    if now.target.arrived or (now.target.about and was_there):
        return _answer((), "stop", reached_goal=True)
    steps = steps_to(now, beside(now, recent))
    return _answer(steps, _action(steps))


def _search(now: Sighting, earlier: Sequence[Pixels], colour: str) -> Decision:
    """Turn to where the thing was seen last; stand for one look when it was there a moment ago.

    Who has turned away to go around something first goes on past it.
    """
    for age, picture in enumerate(reversed(earlier)):
        seen = look(picture, colour)
        target = seen.target
        if target is None:
            continue
        if age == 0:
            return _answer((), "hold")
        if age <= PASSING_PICTURES and seen.nearest < PASSING_METRES and now.ahead > PASSING_METRES:
            return _answer((Step(PASSING_STEP_METRES, 0.0, 0.0),), "forward")
        side = 1.0 if target.bearing >= 0 else -1.0
        return _answer((Step(0.0, 0.0, side * SEARCH_RADIANS),), "left" if side > 0 else "right")
    return _answer((Step(0.0, 0.0, SEARCH_RADIANS),), "left")


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
