"""Follows the EndpointSlices of one namespace: a list, then watches, and all over again when something goes wrong."""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from qwen3vl_server.gateway.discovery.apiserver import SliceApi
from qwen3vl_server.gateway.discovery.events import (
    Expired,
    MalformedAnswer,
    Refused,
    Unavailable,
    WatchError,
    read_event,
)
from qwen3vl_server.gateway.discovery.sources import Source
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.slices import MalformedSlice, name_of

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 30.0
"""Most that an apiserver can make us wait."""
ADVICE = (
    ". If the namespace does not exist any more, take it out of the chart's watchNamespaces; if it does, its Role and"
    " RoleBinding qwen3vl-gateway are missing"
)


@dataclass(frozen=True)
class Patience:
    """Times of a watch, in seconds.

    Attributes:
        watch: after that the apiserver ends a watch.
        silence: a watch that has not ended by then has lost its connection without a word.
        line: for the rest of a line that has begun.
        steady: a watch that lasted for so long makes earlier failures forgotten.
        pauses: before the next try, by the number of failures so far.
        longest_pause_at_start: while requests wait for the first table.
    """

    watch: float = 120
    silence: float = 135
    line: float = 10
    steady: float = 10
    pauses: tuple[float, ...] = (0.2, 0.5, 1, 2, 5, 10)
    longest_pause_at_start: float = 2


@dataclass
class Follower:
    """The task of one namespace. `publish` is told of every change to `source`."""

    source: Source
    api: SliceApi
    publish: Callable[[], None]
    metrics: Metrics
    patience: Patience
    clock: Callable[[], float]
    _failures: int = 0
    _told: str = ""
    _watching_since: float | None = None
    _version: str = field(default="", init=False)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._list()
                while True:
                    await self._watch()
            except WatchError as error:
                pause = self._failed(error)
            except Exception as error:
                # A mistake of ours: no reason to stop this namespace, or another one.
                log.exception("EndpointSlices of %s", self.source.name)
                pause = self._failed(Unavailable(f"the gateway made a mistake ({type(error).__name__})"))
            await asyncio.sleep(pause)

    async def _list(self) -> None:
        self.source.begin_list()
        token = ""
        while True:
            page = await self.api.page(token)
            self.source.take_page(page.items)
            if not (token := page.token):
                break
        was_healthy = self.source.is_healthy
        self.source.end_list()
        self._version = page.version
        if self._told and not was_healthy:
            log.info("EndpointSlices of %s are read again", self.source.name)
        self._changed()

    async def _watch(self) -> None:
        """Follow one watch to its end.

        Raises:
            WatchError: it has to begin with a list.
        """
        self._watching_since = self.clock()
        times = self.patience
        batches = self.api.follow(
            self._version, seconds=times.watch, silence_seconds=times.silence, line_seconds=times.line
        )
        async with aclosing(batches):
            async for lines in batches:
                try:
                    for line in lines:
                        self._take(line)
                finally:
                    self._changed()
        if not self._was_steady():
            raise Unavailable("a watch ended soon after its begin")
        self._recovered()

    def _take(self, line: bytes) -> None:
        event = read_event(line)
        if event.kind == "DELETED":
            self.source.remove(event.uid)
        elif event.kind != "BOOKMARK":
            try:
                self.source.put(event.uid, event.thing)
            except MalformedSlice as error:
                raise MalformedAnswer(f"EndpointSlice {name_of(event.thing)}: {error}") from None
        self._version = event.version

    def _changed(self) -> None:
        self.metrics.namespace_healthy.labels(self.source.name).set(self.source.is_healthy)
        self.publish()

    def _was_steady(self) -> bool:
        return self._watching_since is not None and self.clock() - self._watching_since >= self.patience.steady

    def _recovered(self) -> None:
        self._failures, self._told = 0, ""

    def _failed(self, error: WatchError) -> float:
        """Take note of a failure, tell it unless the last one was the same, and return the pause in seconds."""
        if self._was_steady():
            self._recovered()
        self._watching_since = None
        pauses, now = self.patience.pauses, self.clock()
        pause = pauses[min(self._failures, len(pauses) - 1)]
        self._failures += 1
        if not isinstance(error, Expired):
            self.source.failed(now, refused=isinstance(error, Refused))
        if not self.source.is_settled(now):
            pause = min(pause, self.patience.longest_pause_at_start)
        pause = max(pause, min(error.retry_after_seconds, LONGEST_PAUSE_SECONDS))
        # A watch and a list are refused in other words.
        problem = error.reason if isinstance(error, Refused) else str(error)
        if self._told != problem:
            self._told = problem
            advice = ADVICE if isinstance(error, Refused) else ""
            level = logging.INFO if isinstance(error, Expired) else logging.WARNING
            log.log(level, "EndpointSlices of %s: %s; again in %.1f s%s", self.source.name, error, pause, advice)
        self.metrics.watch_restarts.labels(self.source.name, error.reason).inc()
        self._changed()
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - only so that gateways do not ask in step
