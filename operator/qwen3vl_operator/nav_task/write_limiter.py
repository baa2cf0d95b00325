"""How often status may be written: transitions first, the figures of walks as often as is left. Time is an argument."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field

PER_KEY_SECONDS = 1.0
PER_SECOND = 20.0
SAVED_SECONDS = 1.0
"""Writes that were not made in the last second may be made at once."""
LATE_SECONDS = 2.0
"""Who comes later than this to its turn has lost it."""
SHARE_SECONDS = 5.0
"""Time over which it is measured how much of the 20 the urgent writes take."""
LARGEST_SHARE = 0.9
CAREFUL = 0.9


@dataclass
class _Line:
    """Turns at a steady pace: each who must wait is told a moment of its own, so that nobody asks in vain."""

    _next: float = -math.inf
    _turns: dict[Hashable, float] = field(default_factory=dict)

    def seconds_until(self, key: Hashable, clock: float) -> float:
        """Seconds until the key's turn, which is kept for it; 0 or less: now."""
        turn = self._turns.get(key)
        if turn is None or clock - turn > LATE_SECONDS:
            turn = self._turns[key] = max(self._next, clock - SAVED_SECONDS)
            self._next = turn + 1 / PER_SECOND
        return turn - clock

    def leave(self, key: Hashable) -> None:
        """The turn was used, or is not wanted any more."""
        self._turns.pop(key, None)


class WriteLimiter:
    """At most one write a second for each key, and 20 a second for all.

    An urgent write does not wait for its key's second, nor for any that is not urgent: those get what is left of the
    20, in the order in which they asked. 20 urgent ones at once are never in each other's way.
    """

    def __init__(self) -> None:
        self._written: dict[Hashable, float] = {}
        self._urgent, self._routine = _Line(), _Line()
        self._held_back = 0.0
        self._urgent_rate, self._rated_at = 0.0, 0.0

    def wait_seconds(self, key: Hashable, now: float, *, urgent: bool) -> float:
        """Seconds until this write may be tried again; 0 means now, and counts it.

        Args:
            now: monotonic seconds.
        """
        if urgent:
            wait = self._urgent.seconds_until(key, now)
        else:
            own = self._written.get(key, -math.inf) + PER_KEY_SECONDS - now
            # Urgent writes stop the clock of the others: their turns stay in order.
            wait = own if own > 0 else self._stretched(self._routine.seconds_until(key, now - self._held_back), now)
        if wait > 0:
            return wait
        self._urgent.leave(key)
        self._routine.leave(key)
        self._written[key] = now
        if urgent:
            self._held_back += 1 / PER_SECOND
            self._urgent_rate, self._rated_at = self._rate(now) + 1 / SHARE_SECONDS, now
        return 0.0

    def _rate(self, now: float) -> float:
        """Writes per second that urgent ones took from the others of late."""
        return self._urgent_rate * math.exp((self._rated_at - now) / SHARE_SECONDS)

    def _stretched(self, seconds: float, now: float) -> float:
        """Seconds of the others' clock as they will about be on the wall's: rather too few, not to miss the turn."""
        left = 1 - min(LARGEST_SHARE, self._rate(now) / PER_SECOND)
        return max(seconds, CAREFUL * seconds / left)

    def forget(self, key: Hashable) -> None:
        """The key's object is gone."""
        self._written.pop(key, None)
        self._urgent.leave(key)
        self._routine.leave(key)
