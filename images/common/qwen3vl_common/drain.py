"""Leaving in order, for every server that Kubernetes ends: first out of routing, then no new connections, then the end.

Endpoints are taken away at the same moment as SIGTERM comes, but those who route hear of it later: a server that closes
its socket at once refuses requests that were sent in good faith."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

import uvicorn

log = logging.getLogger(__name__)


class Drain:
    """How far leaving has come.

    Attributes:
        told: whether the process was told to stop; not ready from then on.
        overdue: done when open answers must end now.
    """

    def __init__(self) -> None:
        self.told = False
        self.overdue: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class DrainingServer(uvicorn.Server):
    """Told to stop (SIGTERM, SIGINT), it says so, serves on until nobody routes to it and finishes what is open.

    A second signal skips the waiting.

    Args:
        drain_seconds: from the signal to the closed socket.
        finish_seconds: from there until open answers are told to end.
    """

    def __init__(self, config: uvicorn.Config, drain: Drain, *, drain_seconds: float, finish_seconds: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._drain_seconds = drain_seconds
        self._finish_seconds = finish_seconds

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's own handlers would close the socket at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Begin to leave."""
        if self._drain.told:
            self._close()
            return
        self._drain.told = True
        log.info("told to stop: not ready any more, serving on for %g s", self._drain_seconds)
        asyncio.get_running_loop().call_later(self._drain_seconds, self._close)

    def _close(self) -> None:
        if not self.should_exit:
            self.should_exit = True
            asyncio.get_running_loop().call_later(self._finish_seconds, self._end_answers)

    def _end_answers(self) -> None:
        if not self._drain.overdue.done():
            self._drain.overdue.set_result(None)
