"""A running simulator on loopback, reached with the official client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import openai
import pytest
import uvicorn

from qwen3vl_server.simulator.app import Engine, Settings

KEY = "engine-key"


@dataclass
class Running:
    """The engine object beside its address: tests look at counters without another request."""

    engine: Engine
    url: str
    clients: list[openai.AsyncOpenAI] = field(default_factory=list)

    def client(self, key: str = KEY) -> openai.AsyncOpenAI:
        """An official client; it is closed with the engine."""
        self.clients.append(openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=20))
        return self.clients[-1]


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Running]:
    engine = Engine(settings)
    config = uvicorn.Config(engine.app(), host="127.0.0.1", port=0, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())  # the public serve() would take over the test runner's signals
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    running = Running(engine, f"http://127.0.0.1:{port}")
    try:
        yield running
    finally:
        for client in running.clients:
            await client.close()
        engine.stopping.set()
        engine.stopped.set()
        server.should_exit = True
        await task


@pytest.fixture
async def simulator() -> AsyncIterator[Running]:
    async with serving(Settings("sim", key=KEY, first_token_millis=1, tokens_per_second=5000)) as running:
        yield running
