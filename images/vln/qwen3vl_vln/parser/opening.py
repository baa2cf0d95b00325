"""What may be driven before a guided answer is written to its end: a closed array of waypoints, and nothing else. Pure.

The rest may still say stop, claim the goal or break off; whoever starts on the opening must drop the plan then."""

import re

from qwen3vl_vln.parser.bounds import plan
from qwen3vl_vln.parser.extract import STRICT
from qwen3vl_vln.parser.json_form import points
from qwen3vl_vln.parser.outcome import PLAN, ParseLimits
from qwen3vl_vln.waypoint import Waypoint

_HEAD = re.compile(r'\s{0,8}\{\s{0,8}"reached_goal"\s{0,8}:\s{0,8}false\s{0,8},\s{0,8}"waypoints"\s{0,8}:\s{0,8}(?=\[)')
_LONGEST = 4096


def opening(text: str, limits: ParseLimits) -> tuple[Waypoint, ...] | None:
    """The waypoints of an answer that is still being written, once their array is closed; None until then, and for
    everything that is not exactly what the schema asks for, within the bounds, with the goal denied before it.

    Args:
        text: the answer as far as it is written, under a schema that puts `reached_goal` and `waypoints` first.
    """
    head = _HEAD.match(text)
    if head is None or len(text) > _LONGEST:
        return None
    try:
        value, _ = STRICT.raw_decode(text, head.end())
        parsed = plan(points(value), limits, reason="opening")
    except (ValueError, RecursionError):
        return None
    return parsed.waypoints if parsed.outcome == PLAN and not parsed.clamped else None
