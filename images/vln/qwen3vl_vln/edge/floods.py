"""How many messages are taken of whom. Pure: `now` is in seconds on a monotonic clock."""

from collections import deque
from dataclasses import dataclass, field

from qwen3vl_vln.errors import TooManyFramesError

MESSAGES_PER_SECOND, BURST = 120.0, 240.0
"""A robot sends ten images and thirty ticks a second."""
FLOOD_PER_SECOND, FLOOD_SECONDS = 1000.0, 3.0
"""On average over that time: no program that waits for an answer sends so much."""
_SLOTS_PER_SECOND = 4
_MOST_BUCKETS = 1024


@dataclass(slots=True)
class Bucket:
    """A token bucket: `burst` at once, `rate` a second."""

    rate: float = MESSAGES_PER_SECOND
    burst: float = BURST
    _spent: float = 0.0
    _at: float = 0.0

    def take(self, now: float) -> bool:
        """Take one, if one is there."""
        spent = self.spent(now)
        if spent + 1.0 > self.burst:
            return False
        self._spent, self._at = spent + 1.0, now
        return True

    def spent(self, now: float) -> float:
        """How many are missing from a full one."""
        return max(0.0, self._spent - (now - self._at) * self.rate)


@dataclass(slots=True)
class Rate:
    """How often something happens, averaged over `FLOOD_SECONDS`."""

    _slots: deque[tuple[int, int]] = field(default_factory=deque)
    _sum: int = 0

    def floods(self, now: float) -> bool:
        """Count one; whether there were too many."""
        slot = int(now * _SLOTS_PER_SECOND)
        while self._slots and self._slots[0][0] <= slot - FLOOD_SECONDS * _SLOTS_PER_SECOND:
            self._sum -= self._slots.popleft()[1]
        count = self._slots.pop()[1] if self._slots and self._slots[-1][0] == slot else 0
        self._slots.append((slot, count + 1))
        self._sum += 1
        return self._sum > FLOOD_PER_SECOND * FLOOD_SECONDS


class FrameRates:
    """Frames by REST, of each key to each task."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def need(self, key: str, task_id: str, now: float) -> None:
        """Count a frame.

        Raises:
            TooManyFramesError: there were too many before it.
        """
        if len(self._buckets) >= _MOST_BUCKETS:
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if bucket.spent(now)}
        if not self._buckets.setdefault((key, task_id), Bucket()).take(now):
            most = f"of one key {MESSAGES_PER_SECOND:g} frames a second are taken for a task"
            raise TooManyFramesError(f"{most}; send fewer, or one after another's answer")
