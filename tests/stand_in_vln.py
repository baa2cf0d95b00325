"""Moved to `tests.support.stand_in_vln`; here until the operator's tests import it from there."""

from tests.support.stand_in_vln import InThread, Object, StandInVln, in_thread, new_record

__all__ = ["InThread", "Object", "StandInVln", "in_thread", "new_record"]
