"""What others say in Events about objects that wait: why a volume is not mounted, why a claim is not bound.

Events are not watched: a cluster has many, and few of them matter here. They are listed, by the object's uid, for those
objects only that somebody waits for, on a clock of their own beside all passes."""

import asyncio
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from qwen3vl_operator.kube.client import Kube
from qwen3vl_operator.kube.log_limiter import LogLimiter
from qwen3vl_operator.kube.notes import Note, newest
from qwen3vl_operator.kube.queue import Queue
from qwen3vl_operator.kube.resources import EVENTS, Resource

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
AGAIN_SECONDS = 20.0
"""An object's Events are listed no more often than this."""
PER_SECOND = 5.0
"""Requests a second, all objects together."""
WANTED_SECONDS = 300.0
READ_SECONDS = 10.0
"""A namespace whose Events cannot be listed holds up a reader for so long."""
READERS = 6


class _Place(NamedTuple):
    kind: str
    name: str
    namespace: str


@dataclass(eq=False)
class _Watched(Generic[K]):
    """An object that keys wait for.

    Attributes:
        uid: None when it has to be asked for in each turn.
        wanted: when each key wanted it last, in seconds of the loop.
    """

    resource: Resource
    uid: str | None
    wanted: dict[K, float] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    read: bool = False


class EventReader(Generic[K]):
    """Reads Events about what is wanted, while `run` runs.

    Args:
        notify: told each key that waits for an object when it was read for the first time, and when something is new.
    """

    def __init__(self, kube: Kube, *, notify: Callable[[K], None]) -> None:
        self._kube, self._notify = kube, notify
        self._watched: dict[_Place, _Watched[K]] = {}
        self._turns: Queue[_Place] = Queue(group=lambda place: place.namespace, reserve=2)
        self._free_at = 0.0
        self._limiter = LogLimiter()

    def want(self, key: K, resource: Resource, namespace: str, name: str, uid: str | None) -> None:
        """The key waits for news about an object; said again in each pass, and forgotten five minutes after the last.

        Args:
            uid: None when it is not known, as of a claim that is not ours; it is asked for then.
        """
        place = _Place(resource.kind, name, namespace)
        watched = self._watched.get(place)
        if watched is None or (uid is not None and watched.uid not in (None, uid)):  # another object has its name now
            watched = self._watched[place] = _Watched(resource, uid)
            self._turns.add(place)
        watched.uid = uid or watched.uid
        watched.wanted[key] = asyncio.get_running_loop().time()

    def notes(self, kind: str, namespace: str, name: str) -> tuple[Note, ...]:
        """What was last read about the object: the newest 20, oldest first. Empty as long as nobody has read."""
        watched = self._watched.get(_Place(kind, name, namespace))
        return () if watched is None else watched.notes

    def is_read(self, kind: str, namespace: str, name: str) -> bool:
        """Whether it was tried to read about the object, be it that there is nothing, or that nobody may."""
        watched = self._watched.get(_Place(kind, name, namespace))
        return watched is not None and watched.read

    async def run(self) -> None:
        """Read until cancelled. What goes wrong is logged, at most once a minute a namespace, and tried again."""
        async with asyncio.TaskGroup() as readers:
            for _ in range(READERS):
                readers.create_task(self._turns.work(self._turn))

    async def _turn(self, place: _Place) -> float | None:
        """Read about one object, unless nobody wants it any more."""
        watched, now = self._watched[place], asyncio.get_running_loop().time()
        watched.wanted = {key: at for key, at in watched.wanted.items() if now - at <= WANTED_SECONDS}
        if not watched.wanted:
            del self._watched[place]
            return None
        try:
            async with asyncio.timeout(READ_SECONDS):
                found = await self._read(place, watched)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next turn tries again
            self._complain(place, error)
            found = watched.notes
        news = not watched.read or bool(set(found) - set(watched.notes))
        watched.notes, watched.read = found, True
        if news and self._watched.get(place) is watched:
            for key in list(watched.wanted):
                self._notify(key)
        return AGAIN_SECONDS

    async def _read(self, place: _Place, watched: _Watched[K]) -> tuple[Note, ...]:
        uid = watched.uid
        if uid is None:
            await self._slot()
            thing = await self._kube.get(watched.resource, place.namespace, place.name)
            if thing is None:
                return ()
            uid = thing["metadata"]["uid"]
        await self._slot()
        return newest(await self._kube.list(EVENTS, place.namespace, fields=f"involvedObject.uid={uid}"))

    async def _slot(self) -> None:
        """Wait for this request's place among the five a second."""
        now = asyncio.get_running_loop().time()
        mine = max(now, self._free_at)
        self._free_at = mine + 1 / PER_SECOND
        await asyncio.sleep(mine - now)

    def _complain(self, place: _Place, error: Exception) -> None:
        left_out = self._limiter.left_out(place.namespace, asyncio.get_running_loop().time())
        if left_out is None:
            return
        words = str(error) or type(error).__name__
        others = f" ({left_out} more tries there failed since the last such line)" if left_out else ""
        log.warning("Events about %s %s in namespace %s cannot be read: %s%s", *place, words, others)
