"""Moved to `tests.support.images`; here until the operator's tests import it from there."""

from tests.support.images import jpeg

__all__ = ["jpeg"]
