"""Between the drive policy and a request: is a navigation answer asked for, and what does its schema allow. Pure."""

import math
from collections.abc import Sequence
from typing import Any

from . import drive, schema
from .errors import BadRequestError
from .hints import MOTION, Sight
from .vision import Pixels

_ASKS_FOR_WORDS = {"next action": False, "下一个动作": True}
"""What a prompt says that wants the next action as a sentence, and whether it wants it in Chinese."""
MOST_CENTIMETRES, CENTIMETRES_STEP = 75, 5
MOST_DEGREES, DEGREES_STEP = 45, 5
_STEERED_RADIANS = 0.15
"""A step whose bearing is further off is turned to first: words know no curves."""
_PROPERTIES = {"reached_goal", "waypoints", "action"}


def is_asked_for(wanted: dict[str, Any]) -> bool:
    """Whether the schema is one of navigation: where to go, by steps, and whether one is there."""
    properties = wanted.get("properties")
    return isinstance(properties, dict) and set(properties) >= _PROPERTIES


def answer(wanted: dict[str, Any], pictures: Sequence[Pixels], question: str) -> dict[str, Any]:
    """The policy's decision within the schema's bounds; what the schema asks beyond it is filled in.

    Raises:
        BadRequestError: the schema is not supported, or its steps are not `dx, dy, dtheta`.
    """
    filled = schema.fill(wanted, Sight(None, ""))
    decision = drive.decide(pictures, question)
    properties = wanted["properties"]
    steps = properties["waypoints"]
    bounds = (steps.get("items") or {}).get("properties") or {}
    if set(bounds) != set(MOTION):
        raise BadRequestError(
            "waypoints have dx, dy and dtheta", param="response_format.json_schema.properties.waypoints"
        )
    within = [{name: _within(step[name], bounds[name]) for name in bounds} for step in decision["waypoints"]]
    action = (
        decision["action"] if decision["action"] in properties["action"].get("enum", [decision["action"]]) else None
    )
    decided = {
        "reached_goal": decision["reached_goal"],
        "waypoints": within[: steps.get("maxItems", len(within))],
        "action": filled["action"] if action is None else action,
    }
    return {name: decided.get(name, value) for name, value in filled.items()}


def is_asked_in_words(texts: Sequence[str]) -> bool:
    """Whether the prompt asks for the next action as a sentence."""
    return any(words in text for words in _ASKS_FOR_WORDS for text in texts)


def sentence(pictures: Sequence[Pixels], texts: Sequence[str]) -> str:
    """The policy's decision as one sentence with an amount."""
    chinese = any(words in text for words, yes in _ASKS_FOR_WORDS.items() if yes for text in texts)
    decision = drive.decide(pictures, texts[-1])
    if decision["reached_goal"]:
        return "停止" if chinese else "The next action is stop"
    for step in decision["waypoints"]:
        bearing = math.atan2(step["dy"], step["dx"]) if step["dx"] > 0 else 0.0
        turn = bearing if abs(bearing) > _STEERED_RADIANS else step["dtheta"] if step["dx"] == 0 else 0.0
        degrees = _rounded(abs(math.degrees(turn)), DEGREES_STEP, MOST_DEGREES)
        if degrees:
            side = ("左", "left") if turn > 0 else ("右", "right")
            return f"{side[0]}转 {degrees} 度" if chinese else f"The next action is turn {side[1]} {degrees} degrees"
        if centimetres := _rounded(100 * step["dx"], CENTIMETRES_STEP, MOST_CENTIMETRES):
            return f"向前 {centimetres} 厘米" if chinese else f"The next action is move forward {centimetres} cm"
    return "等待" if chinese else "wait"


def _rounded(amount: float, step: int, most: int) -> int:
    """Down to a whole number of steps."""
    return min(most, int(amount / step + 1e-6) * step)


def _within(value: float, bounds: dict[str, Any]) -> float:
    return float(max(bounds.get("minimum", value), min(bounds.get("maximum", value), value)))
