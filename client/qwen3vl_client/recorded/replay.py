"""The recorded words of a model, understood again by the parser that is installed now: what would be another plan.

It reads texts and compares values. There is no way from here to a robot."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from qwen3vl_client.recorded.read import Message, UnreadableError

COMPARED = ("outcome", "reason", "waypoints", "action", "environment", "progress", "clamped")

Understand = Callable[[dict[str, Any]], dict[str, Any]]
"""From a recorded call to the fields of `COMPARED`, as they are now."""


@dataclass(frozen=True)
class Difference:
    """A text that is understood otherwise now.

    Attributes:
        frame: the key frame that it was about.
        fields: name → recorded, now.
    """

    frame: int
    text: str
    fields: dict[str, tuple[Any, Any]]


def replay(messages: Iterable[Message], understand: Understand) -> Iterator[Difference | None]:
    """For each text of a model how it differs now; None when it does not."""
    for message in messages:
        call = message.body
        if message.topic != "/model" or call["text"] is None:
            continue
        now = understand(call)
        fields = {name: (call[name], now[name]) for name in COMPARED if call[name] != now[name]}
        yield Difference(call["frame"], call["text"], fields) if fields else None


def installed_parser(*, profile: str | None, reverse: bool | None) -> Understand:
    """What the installed parser makes of a call.

    Args:
        profile: instead of the recorded one.
        reverse: likewise, whether a plan may drive backwards.

    Raises:
        UnreadableError: there is no parser, or it does not know the profile.
    """
    try:
        from qwen3vl_vln.parser import PROFILES, ParseLimits, parse
    except ImportError:
        raise UnreadableError(
            "replay needs the parser of the VLN API: install the package qwen3vl of the same repository, or set "
            "PYTHONPATH=images/vln"
        ) from None
    if profile is not None and profile not in PROFILES:
        raise UnreadableError(f"the parser has no profile {profile!r}; it has: {', '.join(PROFILES)}")

    def understand(call: dict[str, Any]) -> dict[str, Any]:
        parsed = parse(
            call["text"],
            finish_reason=call["finish_reason"],
            profile=profile or call["profile"],
            limits=ParseLimits(reverse=call["reverse"] if reverse is None else reverse),
        )
        waypoints = [{"dx": point.dx, "dy": point.dy, "dtheta": point.dtheta} for point in parsed.waypoints]
        return {name: getattr(parsed, name) for name in COMPARED} | {"waypoints": waypoints}

    return understand


def shown(difference: Difference) -> str:
    """For people, one line a field."""
    text = difference.text if len(difference.text) <= 200 else difference.text[:200] + "…"
    lines = [f"frame {difference.frame}: {text!r}"]
    for name, (before, now) in difference.fields.items():
        lines.append(f"  {name}: {_short(before)} -> {_short(now)}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(f"({p['dx']:g}, {p['dy']:g}, {p['dtheta']:g})" for p in value) + "]"
    return repr(value)
