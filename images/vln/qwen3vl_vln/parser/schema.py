"""What an answer may hold: the keys of each form, its displacements and how sure the model is of them. Pure.

A key that was not asked for changes what the others mean (a unit, a frame, a doubt): such an answer is none."""

from collections.abc import Iterable, Mapping
from typing import Any

from qwen3vl_vln.parser import objections
from qwen3vl_vln.parser.bounds import MOST_WAYPOINTS
from qwen3vl_vln.parser.outcome import RefusedError

AXES = ("dx", "dy", "dtheta")
PLAN_KEYS = frozenset({"reached_goal", "waypoints", "action", "environment", "reasoning", "progress", "confidence"})
ACTION_KEYS = frozenset({"action", "amount", "reasoning"})
ITEM_KEYS = frozenset({"task", "action", "number", "target", "point_2d", "label"})
POINTED_KEYS = frozenset({"target", "point_2d", "label"})
_WAYPOINT_KEYS = frozenset({*AXES, "confidence"})
_TEXTS = ("environment", "reasoning", "target", "label", "task")
_NOTES = (*_TEXTS, "progress")
UNSURE = 0.1
"""A model that is less sure than this of a plan, 0 to 1, is not followed."""


def check_keys(value: Mapping[str, Any], known: Iterable[str]) -> None:
    """See that there is no other key, in exactly this spelling.

    Raises:
        RefusedError: there is one.
    """
    if not value.keys() <= set(known):
        raise RefusedError("unknown_key")


def check_notes(value: Mapping[str, Any]) -> None:
    """See that what stands beside the numbers is of its kind and hides nothing.

    Raises:
        RefusedError: a note is no text, a progress is no single value, a point in the image is none.
    """
    for name in _TEXTS:
        if not isinstance(value.get(name), str | None):
            raise RefusedError(f"{name}_not_a_text")
    if isinstance(value.get("progress"), list | Mapping):
        raise RefusedError("progress_not_a_number")
    pixel = value.get("point_2d")
    if pixel is not None and not (isinstance(pixel, list) and all(isinstance(at, int | float | None) for at in pixel)):
        raise RefusedError("point_2d_not_a_point")


def objecting(value: Mapping[str, Any]) -> bool:
    """Whether a note speaks against moving."""
    return any(objections.objects(value.get(name)) for name in _NOTES)


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


def unsure(value: Mapping[str, Any]) -> bool:
    """Whether the model doubts its plan, or one of the waypoints.

    Raises:
        RefusedError: a confidence is no number from 0 to 1.
    """
    said = [one["confidence"] for one in (value, *value.get("waypoints", [])) if "confidence" in one]
    return min(map(_confidence, said), default=1.0) < UNSURE


def _confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise RefusedError("confidence_out_of_range")
    return float(value)


def _point(point: Any) -> tuple[float, float, float]:
    if not isinstance(point, Mapping):
        raise RefusedError("waypoint_not_an_object")
    check_keys(point, _WAYPOINT_KEYS)
    dx, dy, dtheta = (_number(point.get(axis), axis) for axis in AXES)
    return dx, dy, dtheta


def _number(value: Any, axis: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(f"{axis}_not_a_number")
    return float(value)
