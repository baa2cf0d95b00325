"""The tests' stand-in of a VLN API, made to answer late, and with the times at which stops arrive."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from aiohttp import web
from tests.support.stand_in_vln import StandInVln

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class SlowVln:
    """See the module. It takes any key: whose it is is not measured.

    Attributes:
        delay_seconds: each answer takes so long; any number of requests at the same time.
        stopped_at: task id → monotonic time at which its first stop arrived.
        arrived: requests by method.
    """

    vln: StandInVln = field(default_factory=lambda: StandInVln(""))
    delay_seconds: float = 0.0
    stopped_at: dict[str, float] = field(default_factory=dict)
    arrived: Counter[str] = field(default_factory=Counter)
    url: str = ""
    _stop_came: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_stopped(self, ids: Iterable[str]) -> None:
        """Wait until a stop of each of these tasks has arrived."""
        missing = set(ids) - self.stopped_at.keys()
        while missing:
            self._stop_came.clear()
            await self._stop_came.wait()
            missing -= self.stopped_at.keys()

    @web.middleware
    async def _late(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST":
            self.stopped_at.setdefault(request.path.split("/")[-2], time.monotonic())
            self._stop_came.set()
        self.arrived[request.method] += 1
        self.vln.key = request.headers.get("authorization", "").removeprefix("Bearer ")
        await asyncio.sleep(self.delay_seconds)
        return await handler(request)

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Answer on a free port of loopback."""
        app = self.vln.app()
        app.middlewares.insert(0, self._late)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield
        finally:
            await runner.cleanup()
