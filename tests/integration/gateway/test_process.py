"""The gateway as the process it is in a pod: what it refuses to start with, keys that change, and how it leaves."""

import asyncio
import contextlib
import json
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from kubernetes.aio.config import kube_config
from tests.support.gateway_process import COMMAND, KEY, GatewayProcess, gateway_running
from tests.support.polling import until
from tests.support.processes import ENVIRONMENT, free_port
from tests.support.stub_engine import STREAM, StubEngine, engine_running

from qwen3vl_server.gateway.__main__ import main

ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


@dataclass(frozen=True)
class Started:
    """A started gateway, and the engine on the test's own loop behind it."""

    gateway: GatewayProcess
    engine: StubEngine

    async def status(self, path: str, key: str = KEY) -> int:
        headers = {"authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession() as http, http.get(self.gateway.url + path, headers=headers) as response:
            return response.status

    async def becomes(self, path: str, status: int, key: str = KEY) -> None:
        async def there() -> bool:
            return await self.status(path, key) == status

        await until(there, 15, f"{path} answers {status}")

    def stop(self) -> None:
        self.gateway.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Its exit status."""
        return await asyncio.to_thread(self.gateway.process.wait, 10)


@contextlib.asynccontextmanager
async def started(tmp_path: Path, *arguments: str) -> AsyncIterator[Started]:
    async with engine_running(StubEngine()) as engine:
        with gateway_running(tmp_path, engine.address, *arguments) as gateway:
            yield Started(gateway, engine)


async def test_told_to_stop_it_finishes_an_open_stream_and_leaves_with_0(tmp_path: Path) -> None:
    async with (
        started(tmp_path, "--drain-seconds=0.5", "--finish-seconds=300") as found,
        aiohttp.ClientSession() as http,
    ):
        found.engine.mode = "slow:1.5"
        headers = {"authorization": f"Bearer {KEY}"}
        async with http.post(f"{found.gateway.url}/v1/chat/completions", json=ASK, headers=headers) as stream:
            first = await stream.content.readany()
            found.stop()
            await found.becomes("/ready", 503)
            assert await found.status("/v1/models") == 200, "requests sent in good faith are still served"
            assert first + await stream.read() == STREAM
        assert await found.ended() == 0
        lines = [json.loads(line) for line in found.gateway.log.read_text().splitlines()]
        assert any("told to stop" in line["message"] for line in lines)
        assert not any("exception" in line or line["level"] == "error" for line in lines)


async def test_the_second_port_answers_until_the_last_answer_has_ended(tmp_path: Path) -> None:
    async with (
        started(tmp_path, "--drain-seconds=0.1", "--finish-seconds=300") as found,
        aiohttp.ClientSession(f"http://127.0.0.1:{found.gateway.metrics_port}") as second,
        aiohttp.ClientSession() as http,
    ):
        found.engine.mode = "slow:2"
        headers = {"authorization": f"Bearer {KEY}"}
        async with http.post(f"{found.gateway.url}/v1/chat/completions", json=ASK, headers=headers) as stream:
            first = await stream.content.readany()
            found.stop()

            async def closed() -> bool:
                try:
                    return await found.status("/health") != 200
                except aiohttp.ClientConnectionError:
                    return True

            await until(closed, 10, "nobody is let in any more")
            for path, status, words in (
                ("/health", 200, "ok"),
                ("/ready", 503, "stopping"),
                ("/metrics", 200, 'qwen3vl_gateway_in_flight{model="m"} 1.0'),
                ("/v1/models", 404, "/health, /ready, /metrics"),
            ):
                async with second.get(path) as answer:
                    assert answer.status == status
                    assert words in await answer.text()
            assert first + await stream.read() == STREAM
        assert await found.ended() == 0


async def test_an_answer_that_does_not_end_is_ended_with_an_error_event(tmp_path: Path) -> None:
    arguments = ("--drain-seconds=0.1", "--finish-seconds=0.3")
    async with started(tmp_path, *arguments) as found, aiohttp.ClientSession() as http:
        found.engine.mode = "stall"
        headers = {"authorization": f"Bearer {KEY}"}
        async with http.post(f"{found.gateway.url}/v1/chat/completions", json=ASK, headers=headers) as stream:
            await stream.content.readany()
            found.stop()
            end = await stream.read()
        assert json.loads(end.removeprefix(b"data: "))["error"]["code"] == "model_unavailable"
        assert await found.ended() == 0
        assert "exception" not in found.gateway.log.read_text()
        await until(lambda: found.engine.cancelled == 1)


async def test_keys_change_without_a_restart_and_are_never_logged(tmp_path: Path) -> None:
    async with started(tmp_path) as found:
        await found.becomes("/v1/models", 401, "second")
        (found.gateway.keys / "lab").write_text("second\nfirst\n")
        await found.becomes("/v1/models", 200, "second")
        await found.becomes("/v1/models", 200, "first")
        (found.gateway.keys / "lab").write_text("second\n")
        await found.becomes("/v1/models", 401, "first")
        log = found.gateway.log.read_text()
        assert "keys of 1 clients" in log
        assert "second" not in log


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "where the models are"),
        (["--routes=ROUTES"], "--keys-dir is missing"),
        (["--routes=ROUTES", "--keys-dir=MISSING"], "MISSING does not exist"),
        (["--routes=BROKEN", "--no-auth"], "is not YAML"),
        (["--routes=WRONG", "--no-auth"], "entry 0 has no model"),
        (["--routes=FOLDER", "--no-auth"], "Is a directory"),
        (["--routes=ROUTES", "--no-auth", "--internal-key-file=SHORT"], "has 5 bytes"),
        (["--routes=ROUTES", "--no-auth", "--port=http"], "invalid int value"),
        (["--routes=ROUTES", "--no-auth", "--max-bytes-in-flight=1000"], "--max-body-bytes"),
        (["--namespaces=a", "--no-auth"], "--internal-key-file is missing"),
        (["--namespaces=a", "--no-auth", "--internal-key-file=KEY"], "no Kubernetes"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    contents = {"ROUTES": "[]", "BROKEN": "[", "WRONG": "[{}]", "SHORT": "short", "KEY": "k" * 32}
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "FOLDER").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(sys, "argv", ["gateway", *arguments])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("which", ["port", "metrics-port"])
def test_a_port_that_is_taken_ends_the_process_without_a_traceback(tmp_path: Path, which: str) -> None:
    (tmp_path / "routes").write_text("[]")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"port": free_port(), "metrics-port": free_port(), which: taken.getsockname()[1]}
        options = [f"--routes={tmp_path / 'routes'}", "--no-auth", "--host=127.0.0.1"]
        options += [f"--{name}={port}" for name, port in ports.items()]
        done = subprocess.run([*COMMAND, *options], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


async def test_neither_port_reads_headers_without_end(tmp_path: Path) -> None:
    async with started(tmp_path) as found:
        for port in (found.gateway.port, found.gateway.metrics_port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health HTTP/1.1\r\nhost: g\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
            writer.close()
            assert await found.status("/health") == 200
