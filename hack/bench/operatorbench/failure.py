"""The bench's one kind of error, and where its progress is told."""

import sys
import time

_BEGAN = time.monotonic()


class RunFailure(Exception):
    """The run is not valid; the message says what happened to the operator, or what was not done in time."""


def say(text: str) -> None:
    """Tell progress on stderr, with seconds since the start."""
    print(f"{time.monotonic() - _BEGAN:7.1f} s  {text}", file=sys.stderr, flush=True)
