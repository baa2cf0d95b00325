"""Moved to `tests.support.virtual_time`; here until the operator's tests import it from there."""

from tests.support.virtual_time import VirtualLoop, run

__all__ = ["VirtualLoop", "run"]
