"""A keyed queue of work: each key at most once, never two workers on one key, back-off for what fails, and no group of
keys in the way of another.

Knows nothing of Kubernetes. Time comes from the event loop, so tests run it on a virtual clock. A key has one entry and
at most one timer of the loop, however often it is added; nothing here looks at all keys."""

import asyncio
import logging
import math
import random
import traceback
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from qwen3vl_operator.kube.mask import mask

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
Result = Literal["ok", "failed"]
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
"""What is mended outside, such as a webhook, is noticed within this time."""


def retry_delay(failures: int, jitter: float) -> float:
    """Seconds until the next try after that many failures in a row: 1, 2, 4, … up to 60, times 1 to 1.1.

    Args:
        jitter: 0 to 1.
    """
    return float(min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 30)) * (1 + 0.1 * jitter))


@dataclass(eq=False)
class _Entry(Generic[K]):
    """One key: it waits for its time (`timer`), is due and waits for a worker, or is worked on (`began`).

    Attributes:
        due: when it is to be worked on next; None while nothing but the pass that goes on was asked for.
    """

    key: K
    group: Hashable
    due: float | None = None
    timer: asyncio.TimerHandle | None = None
    began: float | None = None


@dataclass(eq=False)
class _Group(Generic[K]):
    """The keys of one group that are due, oldest first, and how many others are worked on."""

    due: deque[_Entry[K]] = field(default_factory=deque)
    active: int = 0


@dataclass(kw_only=True)
class Queue(Generic[K]):
    """Keys waiting for a worker. A sooner time replaces a later one; a key added while worked on runs once more.

    Groups take turns. While two or more groups have keys that are due, none of them begins another pass when it has
    `share` already; a group that alone has keys due may use all workers but `reserve`.

    Attributes:
        group: the group of a key, such as its namespace.
        reserve: workers that a group beyond its share leaves free for one that comes later; else it would wait there
            until a pass ends.
        tick: seconds; a next look that is ten ticks away or more waits for a whole one. Looks at rest then come in
            bursts: a process that is woken once for many spends less than half of what as many wakings cost.
        random: gives the jitter of the back-off, 0 to 1.
        on_pass: told the key, the seconds and the result of each pass that ended by itself; must not raise.
        workers_ended: how many workers have ended, by cancellation or else; 0 until the process is told to stop.
    """

    group: Callable[[K], Hashable] = lambda key: None
    share: int = 2
    reserve: int = 0
    tick: float = 0.0
    random: Callable[[], float] = random.random
    on_pass: Callable[[K, float, Result], None] | None = None
    workers_ended: int = 0
    _workers: int = 0
    _entries: dict[K, _Entry[K]] = field(default_factory=dict)
    _groups: "OrderedDict[Hashable, _Group[K]]" = field(default_factory=OrderedDict)
    _active: set[_Entry[K]] = field(default_factory=set)
    _failures: dict[K, int] = field(default_factory=dict)
    _progress: float | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def add(self, key: K, after: float = 0) -> None:
        """Have the key worked on in `after` seconds, or sooner if that was asked for already."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(key, self.group(key))
        due = self._now() + max(0.0, after)
        if entry.due is not None and entry.due <= due:
            return
        entry.due = due
        if entry.began is None:  # else the end of its pass places it
            self._place(entry)

    @property
    def keys(self) -> frozenset[K]:
        """Every key that waits for its time or for a worker."""
        return frozenset(key for key, entry in self._entries.items() if entry.due is not None)

    @property
    def depth(self) -> int:
        """Keys that are due now."""
        return sum(len(group.due) for group in self._groups.values()) + len(self._due_again())

    @property
    def oldest_seconds(self) -> float:
        """How long the most overdue key has waited, or the slowest worker has been at one: whichever is longer."""
        now = self._now()
        began = [entry.began for entry in self._active if entry.began is not None]
        return max((now - since for since in [*self._heads(), *began]), default=0.0)

    @property
    def stalled_seconds(self) -> float:
        """How long no pass has ended although keys are due; 0 when none is due or no worker has begun yet.

        A long backlog that moves is not stalled.
        """
        since = [*self._heads(), *self._due_again()]
        if not since or self._progress is None:
            return 0.0
        return self._now() - max(self._progress, min(since))

    @property
    def failing(self) -> int:
        """Keys whose last try failed."""
        return len(self._failures)

    def _heads(self) -> list[float]:
        """Since when the oldest key of each group is due."""
        return [head.due for group in self._groups.values() for head in [*group.due][:1] if head.due is not None]

    def _due_again(self) -> list[float]:
        """Since when keys are due that are worked on at this moment."""
        now = self._now()
        return [entry.due for entry in self._active if entry.due is not None and entry.due <= now]

    async def work(self, handle: Callable[[K], Awaitable[float | None]]) -> None:
        """Work on keys until cancelled. `handle` gives the seconds until the next look, or None to forget the key.

        What `handle` raises is logged once with the key, and the key is tried again later. A key whose pass is
        cancelled with its worker is due at once for the others.
        """
        self._workers += 1
        if self._progress is None:
            self._progress = self._now()
        try:
            while True:
                await self._pass(await self._next(), handle)
        finally:
            self._workers -= 1
            self.workers_ended += 1
            self._changed.set()

    async def _pass(self, entry: _Entry[K], handle: Callable[[K], Awaitable[float | None]]) -> None:
        result: Result = "ok"
        again: float | None = 0.0
        began = self._now()
        try:
            again = await handle(entry.key)
            self._failures.pop(entry.key, None)
        except (Exception, asyncio.CancelledError) as error:
            worker = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and worker is not None and worker.cancelling():
                raise
            result = "failed"
            again = self._failed(entry.key, error)
        finally:
            self._end(entry, again)
        if self.on_pass is not None:
            self.on_pass(entry.key, self._now() - began, result)

    def _failed(self, key: K, error: BaseException) -> float:
        """Seconds until the next try."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        again = retry_delay(failures, self.random())
        words = mask(str(error)) or type(error).__name__
        log.warning("%s failed (%d in a row), next try in %.0f s: %s", key, failures, again, words)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s", key, mask("".join(traceback.format_exception(error))))
        return again

    def _end(self, entry: _Entry[K], again: float | None) -> None:
        """The pass is over: its key waits for the sooner of both times, or is forgotten."""
        self._progress = now = self._now()
        self._active.discard(entry)
        entry.began = None
        self._groups[entry.group].active -= 1
        if again is not None:
            due = self._whole_tick(now, max(0.0, again))
            entry.due = due if entry.due is None else min(entry.due, due)
        if entry.due is None:
            del self._entries[entry.key]
        else:
            self._place(entry)
        self._drop_if_idle(entry.group)
        self._changed.set()

    def _whole_tick(self, now: float, after: float) -> float:
        """When a look is due that is wanted `after` seconds from now: no sooner, and less than a tick later."""
        due = now + after
        return due if self.tick <= 0 or after < 10 * self.tick else math.ceil(due / self.tick) * self.tick

    def _place(self, entry: _Entry[K]) -> None:
        """Put an entry that nobody works on to those that are due, or have the loop do so at its time."""
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        assert entry.due is not None
        if entry.due > self._now():
            entry.timer = asyncio.get_running_loop().call_at(entry.due, self._becomes_due, entry)
        else:
            self._becomes_due(entry)

    def _becomes_due(self, entry: _Entry[K]) -> None:
        entry.timer = None
        entry.due = self._now() if entry.due is None else min(entry.due, self._now())  # a loop may be early by a tick
        self._groups.setdefault(entry.group, _Group()).due.append(entry)
        self._changed.set()

    def _drop_if_idle(self, name: Hashable) -> None:
        group = self._groups[name]
        if not group.due and not group.active:
            del self._groups[name]

    async def _next(self) -> _Entry[K]:
        while True:
            entry = self._take()
            if entry is not None:
                return entry
            # Nothing is awaited between the look and this: what comes later sets it again, and wakes every worker.
            self._changed.clear()
            await self._changed.wait()

    def _take(self) -> _Entry[K] | None:
        """The oldest key that is due of the group whose turn it is."""
        group = self._whose_turn()
        if group is None:
            return None
        entry = group.due.popleft()
        group.active += 1
        self._groups.move_to_end(entry.group)
        entry.due, entry.began = None, self._now()
        self._active.add(entry)
        return entry

    def _whose_turn(self) -> _Group[K] | None:
        """The first group below its share, else the only one with keys due.

        What the look passes by has a worker or is the only one: so it is never more than the workers.
        """
        over = []
        for group in self._groups.values():
            if group.due and group.active < self.share:
                return group
            if group.due:
                over.append(group)
        idle = self._workers - len(self._active)
        return over[0] if len(over) == 1 and idle > self.reserve else None
