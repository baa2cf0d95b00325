"""Moved to `tests.support.figures`; here until the operator's tests import it from there."""

from tests.support.figures import Figure, Figures

__all__ = ["Figure", "Figures"]
