"""Time-outs of all connections by one timer: arming and disarming one of each request's own would cost more than the
rest of its head."""

import asyncio
from typing import Protocol


class Looked(Protocol):
    """What is looked at."""

    def look(self, now: float) -> None:
        """End what has taken too long by `now`, in seconds of the sweeper's clock."""
        ...


class Sweeper:
    """Looks at every connection once a tick.

    Its clock does not advance while the loop is blocked: what could not be read then was not late.

    Attributes:
        now: seconds, as of the last tick.
    """

    def __init__(self, tick_seconds: float) -> None:
        self.tick_seconds = tick_seconds
        self.now = 0.0
        self._connections: dict[Looked, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0

    def add(self, one: Looked) -> None:
        """Look at it from now on."""
        self._connections[one] = None
        if self._timer is None:
            self._arm()

    def remove(self, one: Looked) -> None:
        """Look at it no more; without any connection no timer runs."""
        self._connections.pop(one, None)
        if not self._connections and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def connections(self) -> list[Looked]:
        """Those that are looked at, oldest first."""
        return list(self._connections)

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        self._timer = loop.call_later(self.tick_seconds, self._tick)

    def _tick(self) -> None:
        self.now += min(asyncio.get_running_loop().time() - self._last, 2 * self.tick_seconds)
        self._arm()
        for one in self.connections:
            one.look(self.now)
