"""A running gateway on loopback before engines that a test commands."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
import uvicorn
from fastapi import FastAPI
from tests.support.polling import until
from tests.support.stub_engine import StubEngine, engine_running
from uvicorn.server import ServerState

from qwen3vl_common.drain import Drain
from qwen3vl_common.keys import KeyRing, derive
from qwen3vl_server.gateway.app import create_app, create_metrics_app
from qwen3vl_server.gateway.clients import Clients
from qwen3vl_server.gateway.discovery import Directory
from qwen3vl_server.gateway.engines import Engines, Timeouts
from qwen3vl_server.gateway.front import Front, FrontLimits
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.proxy import EngineDoor, Gateway
from qwen3vl_server.gateway.request import Limits
from qwen3vl_server.gateway.routes import Route

KEY = "robot-key"
SECRET = bytes(range(32))
LIMIT = 33_554_432


@dataclass
class Running:
    """The gateway's parts beside its address, and the engines behind it."""

    url: str
    metrics_url: str
    gateway: Gateway
    engines: list[StubEngine]
    http: aiohttp.ClientSession
    clients: list[openai.AsyncOpenAI] = field(default_factory=list)

    def openai(self, key: str = KEY) -> openai.AsyncOpenAI:
        self.clients.append(openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=20))
        return self.clients[-1]

    @property
    def engine(self) -> StubEngine:
        return self.engines[0]

    def route(self, **changes: Any) -> None:
        """Change the route of model `m`."""
        routes = self.gateway.directory.routes
        self.gateway.directory.routes = {**routes, "m": replace(routes["m"], **changes)}

    def metric(self, name: str, **labels: str) -> float:
        return self.gateway.metrics.registry.get_sample_value(f"qwen3vl_gateway_{name}", labels) or 0.0

    async def quiet(self) -> None:
        """Nothing of any request is left: no in-flight request, no connection in use, no task."""
        await until(lambda: self.metric("open_upstream_connections") == 0)
        await until(lambda: self.metric("in_flight", model="m") == 0)
        await until(lambda: not request_tasks())


def request_tasks() -> list[str]:
    """Names of the coroutines that belong to requests in the gateway."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if re.search(r"EngineDoor|run_asgi", name)]


@contextlib.asynccontextmanager
async def serving(app: FastAPI, http: type[asyncio.Protocol] | str = "httptools") -> AsyncIterator[str]:
    """An ASGI application on a free port, by uvicorn's protocol without its server: that one needs 0.2 s to end."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, ws="none", http=http)
    config.load()
    state = ServerState()
    make: Callable[..., asyncio.Protocol] = config.http_protocol_class  # its Protocol type has no constructor
    protocol = partial(make, config=config, server_state=state, app_state={})
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        await until(lambda: not state.tasks and not state.connections)


@pytest.fixture
async def running(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A gateway with model `m` served by two engines of which one is in use; time-outs of well under a second."""
    (tmp_path / "lab").write_text(KEY)
    keys = KeyRing(tmp_path)
    keys.reload()
    metrics = Metrics()
    async with contextlib.AsyncExitStack() as stack:
        stubs = [await stack.enter_async_context(engine_running(StubEngine())) for _ in range(2)]
        route = Route("m", "models", "model-m", "stub", 4096, 1_700_000_000, (stubs[0].address,))
        directory = Directory({"m": route}, complete=True)
        engines = Engines(
            Timeouts(connect=1, first_byte=0.7, idle=0.7),
            lambda r: derive(SECRET, "engine", r.namespace, r.model),
            metrics,
            directory.gone_seconds,
        )
        stack.push_async_callback(engines.close)
        gateway = Gateway(directory, Clients(keys, SECRET), engines, metrics, Limits(33_554_432, 4), Drain())
        front = Front(EngineDoor(gateway), gateway.drain, FrontLimits(max_body_bytes=LIMIT))
        url = await stack.enter_async_context(serving(create_app(gateway), front.protocol()))
        metrics_url = await stack.enter_async_context(serving(create_metrics_app(gateway)))
        http = await stack.enter_async_context(aiohttp.ClientSession(url, headers={"authorization": f"Bearer {KEY}"}))
        found = Running(url, metrics_url, gateway, stubs, http)
        yield found
        for client in found.clients:
            await client.close()
