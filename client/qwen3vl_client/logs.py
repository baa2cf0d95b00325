"""The client's log, which is written from the connection's thread.

A program that forks while another thread writes to a stream has a child with that stream locked for ever: the child
hangs at its end, when it flushes. No fork happens here while a line is written."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_writing = threading.RLock()  # a handler may fork too

if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_writing.acquire, after_in_parent=_writing.release, after_in_child=_writing.release)


@contextmanager
def written(name: str) -> Iterator[logging.Logger]:
    """The logger of that name, to write a line with."""
    with _writing:
        yield logging.getLogger(name)
