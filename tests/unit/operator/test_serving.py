"""The operator's own server, asked by a real client: probes, metrics, and a port that somebody else has."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from qwen3vl_operator.serving import Ports, ServingError, serve


class Operator:
    """What the server asks: as a test wants it."""

    def __init__(self) -> None:
        self.not_live: str | None = None
        self.not_ready: str | None = None

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[tuple[Ports, aiohttp.ClientSession]]:
        serving = serve(
            0,
            0,
            live=lambda: self.not_live,
            ready=lambda: self.not_ready,
            metrics=lambda: b"up 1\n",
            figures=lambda: {"depth": 3, "stalled_seconds": 0.5},
            host="127.0.0.1",
        )
        async with serving as ports, aiohttp.ClientSession() as session:
            yield ports, session


async def ask(session: aiohttp.ClientSession, port: int, path: str, method: str = "GET") -> tuple[int, str]:
    async with session.request(method, f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_healthz_answers_figures_and_why_the_process_should_be_started_anew() -> None:
    operator = Operator()
    async with operator.served() as (ports, session):
        status, text = await ask(session, ports.health, "/healthz")
        assert (status, json.loads(text)) == (200, {"live": True, "depth": 3, "stalled_seconds": 0.5})
        operator.not_live = "no pass has ended for 181 s although 3 keys are due"
        status, text = await ask(session, ports.health, "/healthz")
        assert status == 500
        assert json.loads(text)["why"] == operator.not_live
        assert len(text.splitlines()) == 1


async def test_readyz_says_what_is_waited_for() -> None:
    operator = Operator()
    operator.not_ready = "no namespace is listed yet: robots answers 429"
    async with operator.served() as (ports, session):
        status, text = await ask(session, ports.health, "/readyz")
        assert (status, json.loads(text)) == (503, {"ready": False, "why": operator.not_ready})
        operator.not_ready = None
        status, text = await ask(session, ports.health, "/readyz")
        assert (status, json.loads(text)) == (200, {"ready": True})


async def test_metrics_stand_on_a_port_of_their_own_and_nothing_else_does() -> None:
    async with Operator().served() as (ports, session):
        assert await ask(session, ports.metrics, "/metrics") == (200, "up 1\n")
        async with session.get(f"http://127.0.0.1:{ports.metrics}/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        for port, path in ((ports.health, "/metrics"), (ports.metrics, "/healthz"), (ports.health, "/")):
            status, text = await ask(session, port, path)
            assert status == 404
            assert len(text) < 30


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_head_is_answered_like_get_without_a_body(path: str) -> None:
    async with Operator().served() as (ports, session):
        assert await ask(session, ports.health, path, "HEAD") == (200, "")


async def test_a_port_in_use_is_one_clear_sentence_and_the_other_port_is_free_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
        port, free = taken.getsockname()[1], other.getsockname()[1]
        other.close()
        with pytest.raises(ServingError, match=rf"port {port} for /metrics is in use"):
            async with serve(free, port, live=lambda: None, ready=lambda: None, metrics=lambda: b"", host="127.0.0.1"):
                pass
        with socket.create_server(("127.0.0.1", free)):
            pass


async def test_a_client_that_keeps_its_connection_does_not_hold_up_the_end() -> None:
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:
        async with Operator().served() as (ports, _):
            assert (await ask(session, ports.health, "/healthz"))[0] == 200
            _, writer = await asyncio.open_connection("127.0.0.1", ports.health)
            writer.write(b"GET /healthz HTTP/1.1\r\n")  # and says no more
            await writer.drain()
            ends = loop.time()
        assert loop.time() - ends < 10
        writer.close()


async def test_requests_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        async with Operator().served() as (ports, session):
            await ask(session, ports.health, "/healthz")
    assert caplog.records == []
