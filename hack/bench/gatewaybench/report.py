"""Where the bench tells its progress, and its one kind of error."""

import sys
import time

_BEGAN = time.monotonic()


class Unavailable(Exception):
    """A contender cannot be measured here; the message says why and what would help."""


def say(text: str) -> None:
    """Tell progress on stderr, with seconds since the start."""
    print(f"{time.monotonic() - _BEGAN:7.1f} s  {text}", file=sys.stderr, flush=True)
