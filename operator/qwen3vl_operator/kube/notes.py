"""Kubernetes Events that others wrote, cut down to what is quoted. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
KEPT = 20


@dataclass(frozen=True)
class Note:
    """One Kubernetes Event about an object, as somebody else wrote it.

    Attributes:
        time: RFC 3339 of its newest occurrence.
    """

    reason: str
    message: str
    time: str = ""


def newest(events: Iterable[Object], kept: int = KEPT) -> tuple[Note, ...]:
    """The newest of them, oldest first."""
    notes = [
        Note(str(event.get("reason") or ""), str(event.get("message") or event.get("note") or ""), _time(event))
        for event in events
    ]
    return tuple(sorted(notes, key=lambda note: note.time)[-kept:])


def _time(event: Object) -> str:
    """When it happened last: the two generations of Event say it in different fields, and leave the others null."""
    series = event.get("series") or {}
    told = series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime")
    made = event.get("firstTimestamp"), event["metadata"].get("creationTimestamp")
    return str(next(filter(None, (*told, *made)), ""))
