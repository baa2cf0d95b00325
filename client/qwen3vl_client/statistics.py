"""How quick the answers were. Bounded memory: percentiles are of the newest answers, counts of all."""

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from qwen3vl_client.freshness import FRESH_SECONDS

REMEMBERED = 20_000
"""Eleven minutes at 30 Hz; well below a megabyte."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Latency from sending a frame or tick to its answer.

    Attributes:
        count: answers in all.
        p50_ms, p90_ms, p99_ms: of the newest 20,000 answers; None before the first.
        max_ms: the longest of all.
        jitter_ms: p99 - p50.
        stale: answers that came more than 250 ms after their frame was sent; none of them was driven.
        unanswered: frames and ticks that never had an answer.
        reconnects: connections after the first.
        withheld: images that were not sent, because they were more than 0.5 s old by then.
        undated: images sent whose capture time the program did not give: nobody knows how old they are.
    """

    count: int = 0
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    jitter_ms: float | None = None
    stale: int = 0
    unanswered: int = 0
    reconnects: int = 0
    withheld: int = 0
    undated: int = 0

    def as_json(self) -> dict[str, Any]:
        """The same as a dict of numbers."""
        return asdict(self)


@dataclass
class Recorder:
    """Collects while the robot drives. One thread writes, any may ask for the statistics."""

    count: int = 0
    stale: int = 0
    newest: "deque[float]" = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _longest: float = 0.0

    def took(self, seconds: float) -> None:
        """An answer came so long after its frame was sent."""
        self.newest.append(seconds)
        self.count += 1
        self.stale += seconds > FRESH_SECONDS
        self._longest = max(self._longest, seconds)

    def statistics(self, *, unanswered: int, reconnects: int, withheld: int = 0, undated: int = 0) -> Statistics:
        """All so far."""
        # deque.copy is one step for other threads; iterating over it is not.
        ordered = sorted(self.newest.copy())
        if not ordered:
            return Statistics(unanswered=unanswered, reconnects=reconnects, withheld=withheld, undated=undated)
        p50, p90, p99 = (_quantile_ms(ordered, share) for share in (0.5, 0.9, 0.99))
        return Statistics(
            count=self.count,
            p50_ms=p50,
            p90_ms=p90,
            p99_ms=p99,
            max_ms=round(1000 * self._longest, 3),
            jitter_ms=round(p99 - p50, 3),
            stale=self.stale,
            unanswered=unanswered,
            reconnects=reconnects,
            withheld=withheld,
            undated=undated,
        )


def _quantile_ms(ordered: list[float], share: float) -> float:
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
