"""Waiting for an engine: how long, what is said to the client meanwhile, and when it is of no use any more."""

import asyncio
import math
from collections.abc import Awaitable, Callable

from qwen3vl_common.errors import EngineFailed, EngineTimeout
from qwen3vl_server.gateway.engines.answer import Answer
from qwen3vl_server.gateway.engines.connection import Connection
from qwen3vl_server.gateway.engines.contract import Timeouts
from qwen3vl_server.gateway.engines.counts import Counts

COMMENT_SECONDS = 15.0
"""Well below the 60 s after which load balancers cut a silent connection."""
GONE_SECONDS = 30.0
"""An endpoint that is routed to no more and is silent for so long answers no more."""
LOOK_SECONDS = 5.0
"""Between two looks at whether an endpoint is gone."""
TURNS = 2
"""Of the loop, after a time-out: enough for what the kernel has to be read."""


class Waiting:
    """Of one request, over all its tries."""

    __slots__ = ("_alarm", "_commented_at", "_counts", "_gone_seconds", "_loop", "_sent_at", "_timeouts")

    def __init__(self, timeouts: Timeouts, counts: Counts) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeouts, self._counts = timeouts, counts
        self._alarm: asyncio.TimerHandle | None = None
        self._commented_at = self._sent_at = self._loop.time()
        self._gone_seconds: Callable[[], float] = float

    def begin(self, gone_seconds: Callable[[], float]) -> None:
        """A request is sent now.

        Args:
            gone_seconds: for how long nobody has been routed to its endpoint.
        """
        self._sent_at, self._gone_seconds = self._loop.time(), gone_seconds

    def rest(self) -> None:
        """No more waiting of this kind, or on this connection."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def wait(self, connection: Connection, answer: Answer, comment: Callable[[], Awaitable[None]] | None) -> None:
        """Return when something may have changed, or when a comment was sent.

        Args:
            comment: says to the client that it is still waited; None where that must not be.

        Raises:
            EngineTimeout: the engine was silent for too long.
            EngineFailed: its endpoint has gone.
        """
        now, heard_at = self._loop.time(), connection.heard_at
        deadline = heard_at + self._timeouts.idle if answer.flowing else self._sent_at + self._timeouts.first_byte
        if now >= deadline:
            # It may be over because this loop was busy.
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if answer.news or connection.heard_at != heard_at:
                return
            raise self._timed_out(answer)
        if now - heard_at >= GONE_SECONDS and self._gone_seconds() >= GONE_SECONDS:
            self._counts.error("gone")
            raise EngineFailed("the engine's replica has gone")
        comment_at = math.inf
        if comment is not None:
            comment_at = max(self._commented_at, heard_at) + COMMENT_SECONDS
            if now >= comment_at:
                self._commented_at = now
                await comment()
                return
        if self._alarm is None:
            look_at = max(heard_at + GONE_SECONDS, now + LOOK_SECONDS)
            self._alarm = self._loop.call_at(min(deadline, comment_at, look_at), self._ring, connection)
        await connection.changed()

    def _ring(self, connection: Connection) -> None:
        self._alarm = None
        connection.wake()

    def _timed_out(self, answer: Answer) -> EngineTimeout:
        if answer.flowing:
            self._counts.error("idle_timeout")
            return EngineTimeout(f"the engine paused for more than {self._timeouts.idle:g} s")
        self._counts.error("first_byte_timeout")
        return EngineTimeout(f"the engine did not begin to answer within {self._timeouts.first_byte:g} s")
