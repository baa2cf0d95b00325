"""The client's log, which is written from the connection's thread.

A program that forks while another thread writes to a stream has a child with that stream locked for ever: the child
hangs at its end, when it flushes. A fork waits here until a line is written, but for no more than a moment: a stream
that blocks, or a handler that forks itself, must not hold up the thread that steers a robot."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FORK_WAITS_SECONDS = 0.2
"""A line is written in far less."""

_writing = threading.Lock()
_forking = threading.local()


def _before_fork() -> None:
    _forking.holds = _writing.acquire(timeout=FORK_WAITS_SECONDS)


def _after_fork() -> None:
    if _forking.holds:
        _writing.release()


def _after_fork_in_child() -> None:
    # The thread that may be writing is not in this process.
    global _writing
    _writing = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)


@contextmanager
def written(name: str) -> Iterator[logging.Logger]:
    """The logger of that name, to write a line with."""
    log = logging.getLogger(name)
    with _writing:
        yield log
