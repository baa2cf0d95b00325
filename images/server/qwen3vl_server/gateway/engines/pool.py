"""Connections to engines that wait for the next request, and new ones."""

import asyncio
from collections import deque

from qwen3vl_server.gateway.engines.connection import Connection

IDLE_SECONDS = 4.0
"""Below uvicorn's 5 s, which most engines keep: an engine that closes an idle connection must not meet a request."""
IDLE_MOST = 256
"""Idle connections to one endpoint."""
LOOKS = 8
"""Turns of the loop after a connect time-out: enough for a connection that the kernel has made to be seen."""


class ConnectError(Exception):
    """No connection came about.

    Attributes:
        timed_out: nobody answered, else it was refused.
    """

    def __init__(self, reason: str, *, timed_out: bool) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of `host:port` or `[IPv6]:port`.

    Raises:
        ValueError: it is neither.
    """
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Pool:
    """Connections by endpoint.

    Args:
        connect_seconds: time for a new connection.
    """

    def __init__(self, connect_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._connect_seconds = connect_seconds
        self._idle: dict[str, deque[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def take(self, address: str) -> Connection | None:
        """An idle connection: the one that was used last."""
        idle = self._idle.get(address)
        while idle:
            connection = idle.pop()
            if connection.open and self._loop.time() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    def give(self, address: str, connection: Connection) -> None:
        """Take back a connection whose request is over; it is closed where another request cannot follow."""
        if not connection.finish():
            connection.abort()
            return
        idle = self._idle.get(address)
        if idle is None:
            idle = self._idle[address] = deque()
        if len(idle) >= IDLE_MOST:
            idle.popleft().abort()
        connection.idle_since = self._loop.time()
        idle.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(IDLE_SECONDS, self._close_old)

    def _close_old(self) -> None:
        self._sweep, loop = None, self._loop
        oldest = None
        for address, idle in list(self._idle.items()):
            while idle and (not idle[0].open or loop.time() - idle[0].idle_since >= IDLE_SECONDS):
                idle.popleft().abort()
            if not idle:
                del self._idle[address]
            else:
                oldest = min(oldest or idle[0].idle_since, idle[0].idle_since)
        if oldest is not None:
            self._sweep = loop.call_at(oldest + IDLE_SECONDS, self._close_old)

    async def connect(self, address: str) -> Connection:
        """A new connection.

        Raises:
            ConnectError: refused, not found, or not there in time.
        """
        loop = self._loop
        try:
            host, port = host_and_port(address)
        except ValueError:
            raise ConnectError(f"{address!r} is no host:port", timed_out=False) from None
        opening = loop.create_task(loop.create_connection(Connection, host, port))
        try:
            await asyncio.wait({opening}, timeout=self._connect_seconds)
            # The time may be over because this loop was busy: what was made meanwhile counts.
            for _ in range(LOOKS):
                if opening.done():
                    break
                await asyncio.sleep(0)
            if not opening.done():
                raise ConnectError(f"not within {self._connect_seconds:g} s", timed_out=True)
            return opening.result()[1]
        except (OSError, UnicodeError) as error:
            raise ConnectError(str(error), timed_out=isinstance(error, TimeoutError)) from None
        except asyncio.CancelledError:
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result()[1].abort()
            raise
        finally:
            opening.cancel()

    def close(self) -> None:
        """Close what is idle."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()
