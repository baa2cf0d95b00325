"""The JSON answers: waypoints, an action with an amount, and lists of either. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qwen3vl_vln.parser import words
from qwen3vl_vln.parser.bounds import plan
from qwen3vl_vln.parser.outcome import (
    GOAL,
    HOLD,
    LONGEST_ACTION,
    LONGEST_ENVIRONMENT,
    STOP,
    Parsed,
    ParseLimits,
    RefusedError,
)

_AXES = ("dx", "dy", "dtheta")


def read(value: Any, limits: ParseLimits, *, waypoints_only: bool) -> Parsed:
    """The meaning of a JSON answer.

    Args:
        waypoints_only: the profile knows no other form; the goal is then told by a boolean alone.

    Raises:
        RefusedError: it is none of the forms.
    """
    if isinstance(value, list):
        return _list(value, limits, waypoints_only=waypoints_only)
    if not isinstance(value, Mapping):
        raise RefusedError("not_an_answer")
    if "waypoints" in value or "reached_goal" in value:
        return _with_notes(_waypoints(value, limits), value)
    if waypoints_only:
        raise RefusedError("no_waypoints")
    if "point_2d" in value:
        raise RefusedError("pixel_goal_not_in_profile")
    return _with_notes(_action(value, limits), value)


def _waypoints(value: Mapping[str, Any], limits: ParseLimits) -> Parsed:
    claim = value.get("reached_goal", False)
    action = value.get("action", "")
    meaning = words.action(action) if isinstance(action, str) else None
    points = value.get("waypoints", [])
    if not isinstance(points, list):
        raise RefusedError("waypoints_not_a_list")
    steps = [_point(point) for point in points]
    if claim is True:
        return Parsed(GOAL, "reached_goal")
    if claim is not False and not (isinstance(claim, str) and claim.strip().casefold() == "false"):
        return Parsed(HOLD, "unclear_goal")
    if meaning == "stop":
        return Parsed(STOP, "action_stop")
    if meaning in ("hold", "done"):
        return Parsed(HOLD, f"action_{meaning}")
    return plan(steps, limits, reason="waypoints") if steps else Parsed(HOLD, "no_waypoints")


def _point(point: Any) -> tuple[float, float, float]:
    if not isinstance(point, Mapping):
        raise RefusedError("waypoint_not_an_object")
    numbers = []
    for axis in _AXES:
        number = point.get(axis)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise RefusedError(f"{axis}_not_a_number")
        numbers.append(float(number))
    return numbers[0], numbers[1], numbers[2]


def _action(value: Mapping[str, Any], limits: ParseLimits) -> Parsed:
    name = value.get("action")
    meaning = words.action(name) if isinstance(name, str) else None
    if meaning == "stop":
        return Parsed(STOP, "action_stop")
    if meaning == "hold":
        return Parsed(HOLD, "action_hold")
    if meaning == "done":
        return Parsed(GOAL, "action_done")
    if meaning is None:
        raise RefusedError("unknown_form")
    return words.amount(meaning, value.get("amount"), limits)


def _list(items: list[Any], limits: ParseLimits, *, waypoints_only: bool) -> Parsed:
    if items and all(isinstance(item, Mapping) and "dx" in item for item in items):
        return plan([_point(item) for item in items], limits, reason="waypoints")
    if waypoints_only or not items:
        raise RefusedError("no_waypoints")
    moves: list[tuple[float, float, float]] = []
    for item in items:
        if not isinstance(item, Mapping):
            raise RefusedError("unknown_form")
        if item.get("task") != "move":
            # What comes after the moves needs another look when they are done.
            break
        step = words.arrows(str(item.get("action")), item.get("number"), limits)
        moves += [(point.dx, point.dy, point.dtheta) for point in step.waypoints]
    if not moves:
        raise RefusedError("no_moves")
    return plan(moves, limits, reason="moves")


def _with_notes(parsed: Parsed, value: Mapping[str, Any]) -> Parsed:
    action, environment = value.get("action"), value.get("environment")
    return replace(
        parsed,
        action=action[:LONGEST_ACTION] if isinstance(action, str) else "",
        environment=environment[:LONGEST_ENVIRONMENT] if isinstance(environment, str) else "",
        progress=_progress(value.get("progress")),
    )


def _progress(value: Any) -> float | None:
    scale = 1.0
    if isinstance(value, str) and value.endswith("%") and value[:-1].strip().replace(".", "", 1).isdecimal():
        value, scale = float(value[:-1]), 0.01
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value * scale if 0 <= value * scale <= 1 else None
