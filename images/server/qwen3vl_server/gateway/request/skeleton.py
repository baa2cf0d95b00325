"""The body without its pictures' data: what is decoded is then small, and the data is never copied.

The data of each `"data:…;base64,…"` string is replaced by a name that no client can guess, so that nothing sent can
pretend to be one. Whoever decodes the skeleton must meet every name again as a picture; if not (such a string was a
text, or an earlier one of two equal keys), the whole body is decoded instead.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from qwen3vl_server.gateway.request.limits import MAX_TEXT_BYTES

MARK = b";base64,"
LONGEST_HEAD = 128
"""From the opening quote to the data."""
MOST_LOOKS = 1_024
_NAME = secrets.token_hex(12)
_START = f"{_NAME}.".encode()

Body = bytes | bytearray


@dataclass(frozen=True, slots=True)
class Run:
    """Where in the body the data of a picture stands; `escaped`: its slashes are written `\\/`."""

    start: int
    end: int
    escaped: bool


def cut(body: Body) -> tuple[Body, tuple[Run, ...]]:
    """The skeleton, and the runs that were cut out of it.

    It is the body itself where there are no pictures, or where it would be too long anyway.
    """
    runs: list[Run] = []
    pieces: list[bytes | memoryview] = []
    view = memoryview(body)
    done = position = 0
    for _ in range(MOST_LOOKS):
        found = body.find(MARK, position)
        if found < 0:
            break
        position = start = found + len(MARK)
        opening = body.rfind(b'"', max(0, found - LONGEST_HEAD), found)
        if opening < 0 or body[opening + 1 : opening + 6].lower() != b"data:":
            continue
        end = body.find(b'"', start)
        if end < 0:
            break
        position = end  # whatever it is: a string is searched once, however many marks are in it
        escaped = body.find(b"\\", start, end) >= 0
        if escaped and body.count(b"\\", start, end) != body.count(b"\\/", start, end):
            continue
        pieces += (view[done:start], _START + b"%d" % len(runs))
        runs.append(Run(start, end, escaped))
        done = end
    if not runs or len(body) - sum(run.end - run.start for run in runs) > MAX_TEXT_BYTES:
        return body, ()
    pieces.append(view[done:])
    return b"".join(pieces), tuple(runs)


def run_of(data: str, runs: Sequence[Run]) -> int | None:
    """The number of the run that `data`, all that follows the mark in a decoded string, is the name of."""
    name, dot, number = data.partition(".")
    return int(number) if runs and dot and name == _NAME else None
