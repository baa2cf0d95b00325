"""What a person reads while they wait: steps with elapsed time, and failures that say what to do."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STARTED = time.monotonic()
TAIL_LINES = 12


class Failure(Exception):
    """Something that stops the work. The message says what was wrong; `advice` says what would help."""

    def __init__(self, message: str, advice: str = "", log: Path | None = None) -> None:
        super().__init__(message)
        self.advice = advice
        self.log = log

    def __str__(self) -> str:
        parts = [super().__str__()]
        if self.log is not None and self.log.exists():
            tail = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            parts += [f"the end of {self.log}:", *(f"  | {line}" for line in tail)]
        if self.advice:
            parts.append(f"what to do: {self.advice}")
        return "\n".join(parts)


def say(text: str) -> None:
    """Print one line with the seconds since this program started."""
    print(f"{time.monotonic() - _STARTED:7.1f}s  {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a step, and how long it took once it is done."""
    say(f"{text} ...")
    started = time.monotonic()
    yield
    say(f"{text}: done in {time.monotonic() - started:.1f} s")
