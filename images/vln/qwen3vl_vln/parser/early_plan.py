"""What may be driven before a guided answer is written to its end: a closed array of waypoints, and nothing else. Pure.

The rest may still say stop, claim the goal or break off; whoever starts on the opening must drop the plan then. What of
the rest is there already is read with it, as the whole parser reads it."""

import re
from collections.abc import Iterator
from typing import Any

from qwen3vl_vln.parser import names
from qwen3vl_vln.parser.extract import STRICT
from qwen3vl_vln.parser.json_form import read
from qwen3vl_vln.parser.outcome import PLAN, ParseLimits, RefusedError
from qwen3vl_vln.parser.schema import PLAN_KEYS
from qwen3vl_vln.waypoint import Waypoint

_HEAD = re.compile(r'\s{0,8}\{\s{0,8}"reached_goal"\s{0,8}:\s{0,8}false\s{0,8},\s{0,8}"waypoints"\s{0,8}:\s{0,8}(?=\[)')
_HEAD_KEYS = {"reached_goal", "waypoints"}
_KEY = re.compile(r'\s*,\s*"([a-z_]*)"\s*:\s*')
_KEY_BEGUN = re.compile(r'\s*,\s*"([a-z_]*)\Z')
_KEY_ALONE = re.compile(r'\s*,\s*"([a-z_]*)"\s*(?::\s*)?\Z')
_BETWEEN = re.compile(r"\s*,?\s*\Z")
_END = re.compile(r"\s*\}\s*\Z")
_VALUE_ENDS = re.compile(r"\s*[,}]")
_LONGEST = 4096


def early_plan(text: str, limits: ParseLimits) -> tuple[Waypoint, ...] | None:
    """The waypoints of an answer that is still being written, once their array is closed; None until then, and for
    everything that is not exactly what the schema asks for, within the bounds, with the goal denied before it.

    Args:
        text: the answer as far as it is written, under a schema that puts `reached_goal` and `waypoints` first.
    """
    head = _HEAD.match(text)
    if head is None or len(text) > _LONGEST:
        return None
    try:
        steps, end = STRICT.raw_decode(text, head.end())
        for rest in _rests(text, end):
            answer = {"reached_goal": False, "waypoints": steps} | rest
            parsed = read(answer, limits, waypoints_only=True)
            if parsed.outcome == PLAN and not parsed.clamped:
                return parsed.waypoints
    except (ValueError, RecursionError):
        return None
    return None


def _rests(text: str, at: int) -> Iterator[dict[str, Any]]:
    """The members behind the array as far as they are written; several where the last can still become either.

    Raises:
        RefusedError: one is there twice or is none of the schema, or a number is not written to its end.
        ValueError: a string breaks off within a character.
    """
    rest: dict[str, Any] = {}
    while key := _KEY.match(text, at):
        name = key[1]
        if name not in _possible(rest):
            raise RefusedError("unknown_key")
        if key.end() == len(text):
            break
        try:
            rest[name], at = STRICT.raw_decode(text, key.end())
        except ValueError:
            yield from _begun(rest, name, text[key.end() :])
            return
        if not isinstance(rest[name], str) and not _VALUE_ENDS.match(text, at):
            raise RefusedError("unfinished")
    if _BETWEEN.match(text, at) or _END.match(text, at) or _names_a_key(text, at, _possible(rest)):
        yield rest


def _possible(rest: dict[str, Any]) -> frozenset[str]:
    return PLAN_KEYS - _HEAD_KEYS - rest.keys()


def _names_a_key(text: str, at: int, possible: frozenset[str]) -> bool:
    """Whether nothing is there but a key, or the beginning of one, that may follow."""
    begun, alone = _KEY_BEGUN.match(text, at), _KEY_ALONE.match(text, at)
    if begun is not None:
        return any(name.startswith(begun[1]) for name in possible)
    return alone is not None and alone[1] in possible


def _begun(rest: dict[str, Any], name: str, value: str) -> Iterator[dict[str, Any]]:
    """A text that is not at its end: an action is any move that begins so, a note says what it says so far."""
    text, _ = STRICT.raw_decode(f'{value}"')
    if not isinstance(text, str):
        raise RefusedError("unfinished")
    if name == "action":
        yield from (rest | {name: move} for move in names.moves(text))
    else:
        yield rest | {name: text}
