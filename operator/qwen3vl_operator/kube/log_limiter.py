"""How often the same complaint is logged. Time is an argument."""

from collections.abc import Hashable

SECONDS = 60.0


class LogLimiter:
    """At most one line a minute about a subject; the next one says how many were left out.

    Subjects are few: nothing is forgotten.
    """

    def __init__(self) -> None:
        self._logged: dict[Hashable, float] = {}
        self._left_out: dict[Hashable, int] = {}

    def left_out(self, subject: Hashable, now: float) -> int | None:
        """How many lines were left out since the last one, when one may be logged now; that counts it. Else None.

        Args:
            now: monotonic seconds.
        """
        if now - self._logged.get(subject, -SECONDS) < SECONDS:
            self._left_out[subject] = self._left_out.get(subject, 0) + 1
            return None
        self._logged[subject] = now
        return self._left_out.pop(subject, 0)
