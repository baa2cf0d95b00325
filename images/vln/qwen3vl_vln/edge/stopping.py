"""What is taken for a request to stop. Pure, and generous: a stop that is not understood is a robot that drives on."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

SHORT_BYTES = 256
"""A longer text is no command that a person or a small program typed."""
STOP_FIELD = re.compile(rb'"stop"\s*:\s*(?!false\b|null\b|\s)', re.IGNORECASE)
STOP_WORDS = ("stop", "停")
STOP_STATES = ("stop", "stopped")


def text_stops(text: str | bytes, body: Any) -> bool:
    """Whether a WebSocket text asks to stop.

    Args:
        text: as it came.
        body: its JSON, None where it is none.
    """
    raw = text if isinstance(text, bytes) else text.encode(errors="replace")
    if isinstance(body, Mapping):
        if "hello" in body:
            return False
        # Of a key that stands twice JSON keeps the last one.
        if len(raw) <= SHORT_BYTES and STOP_FIELD.search(raw):
            return True
        said = [value for name, value in body.items() if name.lower() == "stop"]
        if any(value is not None and value is not False for value in said):
            return True
        if "frame" in body:
            return False
        # An explicit no does not count as the word; whatever stands beside it may.
        body = {name: value for name, value in body.items() if name.lower() != "stop"}
        if said and len(raw) <= SHORT_BYTES:
            raw = orjson.dumps(body)
    if len(raw) > SHORT_BYTES:
        return False
    # JSON may hold its words escaped.
    spelt = raw if body is None else raw + orjson.dumps(body)
    words = spelt.decode(errors="replace").lower()
    return any(word in words for word in STOP_WORDS)


def state_stops(body: Any) -> bool:
    """Whether the body of a PUT or PATCH asks for the state Stopped, whatever else it holds."""
    if not isinstance(body, Mapping):
        return False
    states = [value for name, value in body.items() if isinstance(name, str) and name.strip().lower() == "state"]
    return any(isinstance(state, str) and state.strip().lower() in STOP_STATES for state in states)
