"""Asks ejected endpoints whether they are well again, and lets them return."""

import asyncio
import logging
from collections.abc import Callable

from qwen3vl_server.gateway.engines.counts import Counts
from qwen3vl_server.gateway.engines.heads import Heads
from qwen3vl_server.gateway.engines.health import Health
from qwen3vl_server.gateway.engines.pool import ConnectError, Pool
from qwen3vl_server.gateway.engines.waiting import GONE_SECONDS
from qwen3vl_server.gateway.routes import Route

log = logging.getLogger(__name__)

PATH = "/health"
ANSWER_SECONDS = 5.0
"""Time for an answer: who needs longer is not well."""


class Probes:
    """One task for each ejected endpoint."""

    def __init__(self, pool: Pool, health: Health, heads: Heads, gone_seconds: Callable[[str], float]) -> None:
        self._pool, self._health, self._heads, self._gone_seconds = pool, health, heads, gone_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def eject(self, route: Route, address: str, seconds: float, counts: Counts) -> None:
        """An endpoint was ejected: probe it after so many seconds, until it is well or has gone."""
        log.warning("%s of %s fails where others do not: left out for %g s", address, route.served_name, seconds)
        counts.ejections.inc()
        counts.ejected.inc()
        task = asyncio.create_task(self._watch(route, address, seconds, counts))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, route: Route, address: str, seconds: float, counts: Counts) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(seconds)
                if self._gone_seconds(address) >= GONE_SECONDS:
                    self._health.forget(address)
                    return
                if await self._is_well(route, address):
                    self._health.probe_passed(address, loop.time())
                    log.info("%s of %s is well again", address, route.served_name)
                    return
                seconds = self._health.probe_failed(address, loop.time())
        finally:
            counts.ejected.dec()

    async def _is_well(self, route: Route, address: str) -> bool:
        try:
            connection = await self._pool.connect(address)
        except ConnectError:
            return False
        try:
            answer = connection.begin(lambda _: None)
            connection.write(self._heads.get(route, address, PATH))
            async with asyncio.timeout(ANSWER_SECONDS):
                while not answer.news:
                    await connection.changed()
            return answer.complete and 200 <= answer.status < 300
        except TimeoutError:
            return False
        finally:
            connection.abort()

    async def close(self) -> None:
        """Probe no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
