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
    readable,
)

_AXES = ("dx", "dy", "dtheta")
_VETOES = {"stop", "hold", "halt", "wait", "blocked", "emergency", "emergency_stop", "unsafe", "danger"}
_CLAIMS = {"goal_reached", "reached", "arrived", "done", "finished", "completed", "task_complete", "task_completed"}
_OTHER_UNITS = {"unit", "units"}
MOST_WAYPOINTS = 64
"""A model that writes more of them is caught in a loop."""
SLIGHT = 0.05
"""A turn by less than this, radians, belies no action."""


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
    _check_keys(value)
    if "waypoints" in value or "reached_goal" in value:
        return _with_notes(_waypoints(value, limits), value)
    if waypoints_only:
        raise RefusedError("no_waypoints")
    if "point_2d" in value:
        raise RefusedError("pixel_goal_not_in_profile")
    return _with_notes(_action(value, limits), value)


def _check_keys(value: Mapping[str, Any]) -> None:
    """Keys that were not asked for are let be, but not those that speak against moving.

    Raises:
        RefusedError: one does, or a key is there twice in different spelling.
    """
    names = [name.strip().casefold() for name in value]
    known = {"waypoints", "reached_goal", "action"}
    if any(names.count(name) > 1 for name in known) or any(name in known and name not in value for name in names):
        raise RefusedError("misspelt_key")
    for name, given in zip(names, value.values(), strict=True):
        if name in _VETOES | _CLAIMS and given not in (False, None, "", 0, "false", "False", "no"):
            raise RefusedError("contradicting_key")


def _waypoints(value: Mapping[str, Any], limits: ParseLimits) -> Parsed:
    claim = value.get("reached_goal", False)
    action = value.get("action", "")
    meaning = words.action(action) if isinstance(action, str) else None
    steps = points(value.get("waypoints", []))
    if claim is True:
        return Parsed(GOAL, "reached_goal")
    if claim is not False and not (isinstance(claim, str) and claim.strip().casefold() == "false"):
        return Parsed(HOLD, "unclear_goal")
    if meaning == "stop":
        return Parsed(STOP, "action_stop")
    if meaning in ("hold", "done"):
        return Parsed(HOLD, f"action_{meaning}")
    if steps and _belied(action, meaning, steps):
        return Parsed(HOLD, "action_contradicts")
    return plan(steps, limits, reason="waypoints") if steps else Parsed(HOLD, "no_waypoints")


def points(value: Any) -> list[tuple[float, float, float]]:
    """The displacements of an array of waypoints.

    Raises:
        RefusedError: it is no such array.
    """
    if not isinstance(value, list):
        raise RefusedError("waypoints_not_a_list")
    if len(value) > MOST_WAYPOINTS:
        raise RefusedError("too_many_waypoints")
    return [_point(point) for point in value]


def _belied(action: object, meaning: str | None, steps: list[tuple[float, float, float]]) -> bool:
    """Whether an action says something else than the waypoints beside it."""
    if action is not None and not isinstance(action, str):
        return True
    if meaning in ("left", "right"):
        sign = 1.0 if meaning == "left" else -1.0
        toward = any(sign * dy > 0 or sign * dtheta > 0 for _, dy, dtheta in steps)
        return not toward and any(sign * dtheta < -SLIGHT for _, _, dtheta in steps)
    return meaning is None and isinstance(action, str) and words.contradicts(words.plain(action).replace("_", " "))


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
    if not _OTHER_UNITS.isdisjoint(value):
        raise RefusedError("unclear_unit")
    return words.amount(meaning, value.get("amount"), limits)


def _list(items: list[Any], limits: ParseLimits, *, waypoints_only: bool) -> Parsed:
    if items and all(isinstance(item, Mapping) and "dx" in item for item in items):
        return _waypoints({"waypoints": items}, limits)
    if waypoints_only or not items:
        raise RefusedError("no_waypoints")
    moves: list[tuple[float, float, float]] = []
    for item in items:
        if not isinstance(item, Mapping):
            raise RefusedError("unknown_form")
        if words.action(str(item.get("action"))) == "stop" or words.action(str(item.get("task"))) == "stop":
            return Parsed(STOP, "action_stop")
    for item in items:
        if item.get("task") != "move":
            # What comes after the moves needs another look when they are done.
            break
        step = words.arrows(str(item.get("action")), item.get("number"), limits)
        moves += [(point.dx, point.dy, point.dtheta) for point in step.waypoints]
    if not moves:
        raise RefusedError("no_moves")
    return plan(moves, limits, reason="moves")


def _with_notes(parsed: Parsed, value: Mapping[str, Any]) -> Parsed:
    return replace(
        parsed,
        action=readable(value.get("action"), LONGEST_ACTION),
        environment=readable(value.get("environment"), LONGEST_ENVIRONMENT),
        progress=_progress(value.get("progress")),
    )


def _progress(value: Any) -> float | None:
    scale = 1.0
    if isinstance(value, str) and value.endswith("%") and value[:-1].strip().replace(".", "", 1).isdecimal():
        value, scale = float(value[:-1]), 0.01
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value * scale if 0 <= value * scale <= 1 else None
