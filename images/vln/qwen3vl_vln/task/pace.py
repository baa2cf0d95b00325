"""How long the model takes, over all tasks of this process: whether a plan can still be young when it comes. Pure."""

import statistics
from collections import deque
from dataclasses import dataclass, field

CALLS = 20
DRIVING_SECONDS = 0.5
"""The least that must be left of a plan's age to drive by it."""


@dataclass(slots=True)
class Pace:
    """Durations of the newest calls, in seconds.

    Attributes:
        median_seconds: of them; None before the first.
    """

    median_seconds: float | None = None
    _seconds: deque[float] = field(default_factory=lambda: deque(maxlen=CALLS))
    _asked: bool = False

    def warmed_up(self, seconds: float) -> None:
        """A question that no task asked was answered: it counts until a task's is."""
        if not self._asked:
            self._seconds.clear()
            self._keep(seconds)

    def took(self, seconds: float) -> None:
        """A task's call was answered."""
        if not self._asked:
            self._asked = True
            self._seconds.clear()
        self._keep(seconds)

    def _keep(self, seconds: float) -> None:
        self._seconds.append(seconds)
        self.median_seconds = statistics.median(self._seconds)

    def too_slow(self, max_plan_age_seconds: float) -> bool:
        """Whether plans come too late to be driven."""
        return self.median_seconds is not None and self.median_seconds + DRIVING_SECONDS >= max_plan_age_seconds

    def explained(self, max_plan_age_seconds: float) -> str:
        """The figures as a sentence for people, and what to change."""
        median, limit = self.median_seconds or 0.0, f"limits.maxPlanAgeSeconds is {max_plan_age_seconds:g}"
        takes = f"the model takes {median:.1f} s (median of the newest {len(self._seconds)} calls)"
        if self.too_slow(max_plan_age_seconds):
            return f"{takes} and {limit}, so that no plan can be driven: raise it, or use a faster model"
        return f"the newest plan came too late: {takes} and {limit}"
