"""Between the drive policy and a request: is a navigation answer asked for, and what does its schema allow. Pure."""

from collections.abc import Sequence
from typing import Any

from . import drive, schema
from .errors import BadRequestError
from .hints import MOTION, Sight
from .vision import Pixels

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


def _within(value: float, bounds: dict[str, Any]) -> float:
    return float(max(bounds.get("minimum", value), min(bounds.get("maximum", value), value)))
