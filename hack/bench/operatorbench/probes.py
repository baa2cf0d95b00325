"""A kubelet's probes of the operator."""

import asyncio
from dataclasses import dataclass, field

import aiohttp
from hack.bench.operatorbench.chart import Probe
from hack.bench.operatorbench.failure import RunFailure, say


@dataclass
class Probing:
    """Asks the operator's probes as a kubelet would.

    Attributes:
        failures: failed probes so far, of liveness ever and of readiness once it was ready, over all processes.
        ready: set while the operator is ready.
    """

    probes: dict[str, Probe]
    failures: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, url: str) -> None:
        """Probe one process until cancelled.

        Raises:
            RunFailure: a kubelet would kill it.
        """
        self.ready.clear()
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(url, connector=connector) as session:
            if startup := self.probes.get("startup"):
                await self._start(session, startup)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._live(session, self.probes["liveness"]))
                group.create_task(self._readiness(session, self.probes["readiness"]))

    async def _start(self, session: aiohttp.ClientSession, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay_seconds)
        for _ in range(probe.failure_threshold):
            if await _passes(session, probe):
                return
            await asyncio.sleep(probe.period_seconds)
        raise RunFailure(f"a kubelet would kill it: {probe.failure_threshold} startup probes failed")

    async def _live(self, session: aiohttp.ClientSession, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay_seconds)
        in_a_row = 0
        while True:
            in_a_row = 0 if await _passes(session, probe) else in_a_row + 1
            if in_a_row:
                self.failures += 1
                say(f"the liveness probe failed ({in_a_row} in a row)")
            if in_a_row >= probe.failure_threshold:
                raise RunFailure(f"a kubelet would kill it: {in_a_row} liveness probes failed in a row")
            await asyncio.sleep(probe.period_seconds)

    async def _readiness(self, session: aiohttp.ClientSession, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay_seconds)
        was_ready, in_a_row = False, 0
        while True:
            passes = await _passes(session, probe)
            in_a_row = 0 if passes else in_a_row + 1
            if passes:
                was_ready = True
                self.ready.set()
            elif was_ready:
                self.failures += 1
                say(f"the readiness probe failed ({in_a_row} in a row)")
                if in_a_row >= probe.failure_threshold:
                    self.ready.clear()
            await asyncio.sleep(probe.period_seconds)


async def _passes(session: aiohttp.ClientSession, probe: Probe) -> bool:
    try:
        async with asyncio.timeout(probe.timeout_seconds), session.get(probe.path, allow_redirects=False) as answer:
            return 200 <= answer.status < 400
    except (TimeoutError, aiohttp.ClientError):
        return False
