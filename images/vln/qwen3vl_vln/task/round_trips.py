"""How long the way to a robot and back takes, by the pings of its connection. Pure."""

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 10.0
SLOW_SECONDS = 0.15
"""From here on a robot stands now and then, for an answer is driven until 250 ms after its frame was sent."""


@dataclass(frozen=True, slots=True)
class Trips:
    """Round trips of the last ten seconds, in seconds."""

    p50: float
    longest: float

    def as_json(self) -> dict[str, int]:
        """As answers and records have it."""
        return {"rtt_p50_ms": round(1000 * self.p50), "rtt_max_ms": round(1000 * self.longest)}

    @property
    def warning(self) -> str:
        """One sentence where the link is too slow; else empty."""
        if self.p50 <= SLOW_SECONDS:
            return ""
        found = f"the robot's messages need {10 * round(100 * self.p50)} ms there and back"
        return f"link_slow: {found}; above {1000 * SLOW_SECONDS:.0f} ms it walks slowly, near 250 ms not at all"


@dataclass(slots=True)
class RoundTrips:
    """Those of one connection. Times in seconds on a monotonic clock."""

    _measured: deque[tuple[float, float]] = field(default_factory=deque)

    def took(self, seconds: float, now: float) -> None:
        """A ping came back."""
        self._measured.append((now, seconds))

    def recent(self, now: float) -> Trips | None:
        """Those that came back within the last ten seconds; None where none did."""
        while self._measured and now - self._measured[0][0] > WINDOW_SECONDS:
            self._measured.popleft()
        if not self._measured:
            return None
        ordered = sorted(seconds for _, seconds in self._measured)
        return Trips(ordered[len(ordered) // 2], ordered[-1])
