"""Which endpoints are left out for a while because they fail where others do not. Pure: the time is an argument."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

FAILURES = 5
WINDOW_SECONDS = 30.0
"""So many failures in this time eject."""
CONNECTS = 3
"""So many failed connects in a row eject."""
LONGEST_SECONDS = 60.0
CALM_SECONDS = 60.0
"""Who stays so long after it returned is ejected for the shortest time again."""


@dataclass(slots=True)
class _Record:
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    connects: int = 0
    ejections: int = 0
    ejected: bool = False
    changed_at: float = 0.0
    failed_at: float = 0.0


class Health:
    """What is known of endpoints that failed; of others nothing is kept.

    An ejected endpoint returns by `probe_passed` alone.
    """

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._ejected: set[str] = set()

    @property
    def ejected(self) -> frozenset[str]:
        """Endpoints that are left out."""
        return frozenset(self._ejected)

    def usable(self, endpoints: Sequence[str]) -> Sequence[str]:
        """Those of a route's endpoints that may be asked. When all are ejected, the one that was so the least often."""
        if not self._ejected:
            return endpoints
        found = [address for address in endpoints if address not in self._ejected]
        if found or not endpoints:
            return found
        return [min(endpoints, key=lambda address: (self._records[address].ejections, address))]

    def answered(self, address: str) -> None:
        """It sent something: its connects are fine."""
        if self._records and (record := self._records.get(address)) is not None:
            record.connects = 0

    def failed(self, address: str, endpoints: Sequence[str], now: float) -> float | None:
        """It answered 5xx to a request that another endpoint answered with 2xx.

        Args:
            endpoints: of its route.
            now: in seconds, of any clock that only grows.

        Returns:
            Seconds until it is probed, when it is ejected by that.
        """
        record = self._record(address, now)
        record.failures.append(now)
        if len(record.failures) < FAILURES or now - record.failures[0] > WINDOW_SECONDS:
            return None
        return self._eject(address, endpoints, now)

    def connect_failed(self, address: str, endpoints: Sequence[str], now: float) -> float | None:
        """It took no connection, or closed a new one without a byte; arguments and result as for `failed`."""
        record = self._record(address, now)
        record.connects += 1
        return self._eject(address, endpoints, now) if record.connects >= CONNECTS else None

    def _eject(self, address: str, endpoints: Sequence[str], now: float) -> float | None:
        others = any(other != address and other not in self._ejected for other in endpoints)
        if address in self._ejected or not others:
            return None
        record = self._records[address]
        if now - record.changed_at > CALM_SECONDS:
            record.ejections = 0
        self._ejected.add(address)
        return self._lengthen(record, now)

    def _lengthen(self, record: _Record, now: float) -> float:
        record.failures.clear()
        record.connects = 0
        record.ejected = True
        record.changed_at = now
        record.ejections += 1
        return min(LONGEST_SECONDS, 2.0 ** min(record.ejections - 1, 10))

    def probe_failed(self, address: str, now: float) -> float:
        """An ejected endpoint is not well yet: seconds until the next probe."""
        return self._lengthen(self._records[address], now)

    def probe_passed(self, address: str, now: float) -> None:
        """An ejected endpoint is well: it returns."""
        record = self._records[address]
        record.ejected, record.changed_at = False, now
        self._ejected.discard(address)

    def forget(self, address: str) -> None:
        """There is no such endpoint any more."""
        self._records.pop(address, None)
        self._ejected.discard(address)

    def _record(self, address: str, now: float) -> _Record:
        record = self._records.get(address)
        if record is None:
            for old in [one for one, kept in self._records.items() if _is_over(kept, now)]:
                del self._records[old]
            record = self._records[address] = _Record(changed_at=now)
        record.failed_at = now
        return record


def _is_over(record: _Record, now: float) -> bool:
    """Whether nothing that it says matters any more."""
    return not record.ejected and now - max(record.changed_at, record.failed_at) > max(CALM_SECONDS, WINDOW_SECONDS)
