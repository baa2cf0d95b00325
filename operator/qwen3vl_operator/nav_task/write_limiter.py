"""How often status may be written: changes that matter at once, the rest seldom. Time is an argument."""

from collections.abc import Hashable

PER_KEY_SECONDS = 1.0
PER_SECOND = 20.0


class WriteLimiter:
    """At most one write a second for each key and 20 a second for all.

    An urgent write does not wait for its key's second, and may overdraw the sum by as much again.
    """

    def __init__(self) -> None:
        self._written: dict[Hashable, float] = {}
        self._tokens = PER_SECOND
        self._counted_at = 0.0

    def wait_seconds(self, key: Hashable, now: float, *, urgent: bool) -> float:
        """Seconds until this write may be tried again; 0 means now, and counts it.

        Args:
            now: monotonic seconds.
        """
        self._tokens = min(PER_SECOND, self._tokens + (now - self._counted_at) * PER_SECOND)
        self._counted_at = now
        own = 0.0 if urgent else self._written.get(key, -PER_KEY_SECONDS) + PER_KEY_SECONDS - now
        needed = 1.0 - PER_SECOND if urgent else 1.0
        wait = max(own, (needed - self._tokens) / PER_SECOND)
        if wait > 0:
            return wait
        self._tokens -= 1
        self._written[key] = now
        return 0.0

    def forget(self, key: Hashable) -> None:
        """The key's object is gone."""
        self._written.pop(key, None)
