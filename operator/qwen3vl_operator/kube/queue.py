"""A keyed queue of work: each key at most once, never two workers on one key, and back-off for what fails.

Knows nothing of Kubernetes. Time comes from the event loop, so tests run it on a virtual clock."""

import asyncio
import heapq
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0


def retry_delay(failures: int, jitter: float) -> float:
    """Seconds until the next try after that many failures in a row: 1, 2, 4, … up to 300, times 1 to 1.1.

    Args:
        jitter: 0 to 1.
    """
    return float(min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 30)) * (1 + 0.1 * jitter))


@dataclass
class Queue(Generic[K]):
    """Keys waiting for a worker. A sooner time replaces a later one; a key added while worked on runs once more."""

    random: Callable[[], float] = random.random
    _due: dict[K, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _active: dict[K, float] = field(default_factory=dict)
    _failures: dict[K, int] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def add(self, key: K, after: float = 0) -> None:
        """Have the key worked on in `after` seconds, or sooner if that was asked for already."""
        due = self._now() + after
        if key in self._due and self._due[key] <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        self._changed.set()

    @property
    def depth(self) -> int:
        """Keys that are due now."""
        now = self._now()
        return sum(due <= now for due in self._due.values())

    @property
    def oldest_seconds(self) -> float:
        """How long the most overdue key has waited, or the slowest worker has been at one: whichever is longer."""
        now = self._now()
        waiting = [due for key, due in self._due.items() if key not in self._active]
        return max((now - since for since in [*waiting, *self._active.values()]), default=0.0)

    @property
    def failing(self) -> int:
        """Keys whose last try failed."""
        return len(self._failures)

    async def work(self, handle: Callable[[K], Awaitable[float | None]]) -> None:
        """Work on keys for ever. `handle` gives the seconds until the next look, or None to forget the key.

        What `handle` raises is logged once with the key, and the key is tried again later.
        """
        while True:
            key = await self._next()
            self._active[key] = self._now()
            try:
                again = await handle(key)
            except Exception as error:
                self._failures[key] = self._failures.get(key, 0) + 1
                again = retry_delay(self._failures[key], self.random())
                log.warning("%s failed (%d in a row), next try in %.0f s: %s", key, self._failures[key], again, error)
                log.debug("%s", key, exc_info=error)
            else:
                self._failures.pop(key, None)
            finally:
                del self._active[key]
                self._changed.set()
            if again is not None:
                self.add(key, again)

    async def _next(self) -> K:
        while True:
            key = self._take()
            if key is not None:
                return key
            self._changed.clear()
            waits = [due for due, _, key in self._heap if key not in self._active and self._due.get(key) == due]
            timeout = max(0.0, min(waits) - self._now()) if waits else None
            try:
                # Not wait_for: until Python 3.12 it loses a cancellation that comes with the event.
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _take(self) -> K | None:
        now, skipped, found = self._now(), [], None
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            due, _, key = entry
            if self._due.get(key) != due:
                continue  # a sooner time replaced this one
            if key in self._active:
                skipped.append(entry)
                continue
            del self._due[key]
            found = key
            break
        for entry in skipped:
            heapq.heappush(self._heap, entry)
        return found
