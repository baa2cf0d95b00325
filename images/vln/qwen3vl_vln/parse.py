"""The parser as a filter: JSON lines {"text": …, "finish_reason": …} in, one line with the meaning of each out.

`python -m qwen3vl_vln.parse [--profile waypoints] [--reverse] <answers.jsonl`"""

import argparse
import json
import sys
from typing import Any

from qwen3vl_vln.parser import PROFILES, Parsed, ParseLimits, parse
from qwen3vl_vln.parser.outcome import invalid


def main(arguments: list[str] | None = None) -> None:
    """Read standard input to its end."""
    parser = argparse.ArgumentParser(prog="qwen3vl_vln.parse", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, help="the form that was asked for; default: any")
    parser.add_argument("--reverse", action="store_true", help="a plan may drive backwards")
    options = parser.parse_args(arguments)
    limits = ParseLimits(reverse=options.reverse)
    for line in sys.stdin.buffer:
        print(json.dumps(_shown(_read(line, options.profile, limits))), flush=True)


def _read(line: bytes, profile: str | None, limits: ParseLimits) -> Parsed:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        return invalid("input_line_is_no_json")
    if not isinstance(given, dict) or not isinstance(given.get("text"), str):
        return invalid("input_line_has_no_text")
    return parse(given["text"], finish_reason=given.get("finish_reason"), profile=profile, limits=limits)


def _shown(parsed: Parsed) -> dict[str, Any]:
    points = [{"dx": point.dx, "dy": point.dy, "dtheta": point.dtheta} for point in parsed.waypoints]
    return {"outcome": parsed.outcome, "reason": parsed.reason, "waypoints": points, "clamped": parsed.clamped}


if __name__ == "__main__":
    main()
