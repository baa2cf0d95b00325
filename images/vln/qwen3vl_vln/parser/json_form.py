"""The JSON answers: waypoints, an action with an amount, and lists of either. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qwen3vl_vln.parser import names, objections, words
from qwen3vl_vln.parser.bounds import plan
from qwen3vl_vln.parser.outcome import (
    GOAL,
    HOLD,
    LONGEST_ACTION,
    LONGEST_ENVIRONMENT,
    PLAN,
    STOP,
    Parsed,
    ParseLimits,
    RefusedError,
    invalid,
    readable,
)
from qwen3vl_vln.parser.schema import (
    ACTION_KEYS,
    ITEM_KEYS,
    PLAN_KEYS,
    POINTED_KEYS,
    check_keys,
    check_notes,
    objecting,
    points,
    unsure,
)
from qwen3vl_vln.waypoint import Waypoint

ASIDE = 0.05
"""A plan goes to a side if a waypoint does so by more than this, radians or metres."""
AHEAD = 0.02
"""It goes forward if one does so by more than this, metres."""


def read(value: Any, limits: ParseLimits, *, waypoints_only: bool) -> Parsed:
    """The meaning of a JSON answer.

    Args:
        waypoints_only: the profile knows no other form; the goal is then told by a boolean alone.

    Raises:
        RefusedError: it is none of the forms, or holds something beside one.
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


def with_arrows(value: Any, arrows: Parsed) -> Parsed | None:
    """A row of arrows below the object that tells what the model sees, and where; None below another value.

    Raises:
        RefusedError: that object holds something beside.
    """
    if not isinstance(value, Mapping) or "point_2d" not in value:
        return None
    check_keys(value, POINTED_KEYS)
    check_notes(value)
    return Parsed(HOLD, "notes_object") if arrows.outcome == PLAN and objecting(value) else arrows


def _waypoints(value: Mapping[str, Any], limits: ParseLimits) -> Parsed:
    check_keys(value, PLAN_KEYS)
    check_notes(value)
    claim, action = value.get("reached_goal", False), value.get("action")
    steps = points(value.get("waypoints", []))
    planned = plan(steps, limits, reason="waypoints") if steps else Parsed(HOLD, "no_waypoints")
    if unsure(value):
        return Parsed(HOLD, "unsure")
    if claim is True:
        return Parsed(GOAL, "reached_goal")
    if claim is not False and not (isinstance(claim, str) and claim.strip().casefold() == "false"):
        return Parsed(HOLD, "unclear_goal")
    spoken = _spoken(action, planned.waypoints, limits)
    if spoken is not None:
        return spoken
    return Parsed(HOLD, "notes_object") if objecting(value) else planned


def _spoken(action: object, waypoints: tuple[Waypoint, ...], limits: ParseLimits) -> Parsed | None:
    """What an action makes of the waypoints beside it; None where it agrees with them."""
    if action is None or action == "":
        return None
    if not isinstance(action, str):
        return Parsed(HOLD, "action_contradicts")
    meaning = names.action(action)
    if meaning == "stop":
        return Parsed(STOP, "action_stop")
    if meaning in ("hold", "done"):
        return Parsed(HOLD, f"action_{meaning}")
    if meaning is None:
        objects = objections.objects(action.replace("_", " "))
        return Parsed(HOLD, "action_contradicts") if objects else invalid("unknown_action")
    agrees = not waypoints or _goes(meaning, waypoints, reverse=limits.reverse)
    return None if agrees else Parsed(HOLD, "action_contradicts")


def _goes(way: str, waypoints: tuple[Waypoint, ...], *, reverse: bool) -> bool:
    if way == "forward":
        # The schema has no other word for a way back, where one is allowed.
        return any(point.dx > AHEAD or (reverse and point.dx < -AHEAD) for point in waypoints)
    sign = 1.0 if way == "left" else -1.0
    return any(sign * point.dy > ASIDE or sign * point.dtheta > ASIDE for point in waypoints)


def _action(value: Mapping[str, Any], limits: ParseLimits) -> Parsed:
    name = value.get("action")
    meaning = names.action(name) if isinstance(name, str) else None
    if meaning == "stop":
        return Parsed(STOP, "action_stop")
    check_keys(value, ACTION_KEYS)
    check_notes(value)
    if meaning == "hold":
        return Parsed(HOLD, "action_hold")
    if meaning == "done":
        return Parsed(GOAL, "action_done")
    if meaning is None:
        raise RefusedError("unknown_form")
    planned = words.amount(meaning, value.get("amount"), limits)
    return Parsed(HOLD, "notes_object") if objecting(value) else planned


def _list(items: list[Any], limits: ParseLimits, *, waypoints_only: bool) -> Parsed:
    if items and all(isinstance(item, Mapping) and "dx" in item for item in items):
        return _waypoints({"waypoints": items}, limits)
    if waypoints_only or not items:
        raise RefusedError("no_waypoints")
    for item in items:
        if not isinstance(item, Mapping):
            raise RefusedError("unknown_form")
        if "stop" in (names.action(str(item.get("action"))), names.action(str(item.get("task")))):
            return Parsed(STOP, "action_stop")
    for item in items:
        check_keys(item, ITEM_KEYS)
        check_notes(item)
    moves: list[tuple[float, float, float]] = []
    for item in items:
        if item.get("task") != "move":
            # What comes after the moves needs another look when they are done.
            break
        step = words.arrows(str(item.get("action")), item.get("number"), limits)
        moves += [(point.dx, point.dy, point.dtheta) for point in step.waypoints]
    if not moves:
        raise RefusedError("no_moves")
    planned = plan(moves, limits, reason="moves")
    return Parsed(HOLD, "notes_object") if any(map(objecting, items)) else planned


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
