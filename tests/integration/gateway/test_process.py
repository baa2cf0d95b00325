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
import yaml
from kubernetes.aio.config import kube_config
from tests.support.polling import until
from tests.support.processes import ENVIRONMENT, free_port
from tests.support.stub_engine import STREAM, StubEngine, engine_running

from qwen3vl_server.gateway.__main__ import main

COMMAND = [sys.executable, "-m", "qwen3vl_server.gateway"]
ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


@dataclass
class Process:
    """A started gateway."""

    process: asyncio.subprocess.Process
    url: str
    engine: StubEngine
    keys: Path
    log: Path

    async def status(self, path: str, key: str = "first") -> int:
        headers = {"authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession() as http, http.get(self.url + path, headers=headers) as response:
            return response.status

    async def becomes(self, path: str, status: int, key: str = "first") -> None:
        async def there() -> bool:
            return await self.status(path, key) == status

        await until(there, 15, f"{path} answers {status}")


@contextlib.asynccontextmanager
async def started(tmp_path: Path, *arguments: str) -> AsyncIterator[Process]:
    keys, log = tmp_path / "keys", tmp_path / "log"
    keys.mkdir()
    (keys / "lab").write_text("first")
    port = free_port()
    async with engine_running(StubEngine()) as engine:
        routes = tmp_path / "routes.yaml"
        routes.write_text(yaml.safe_dump([{"model": "m", "endpoints": [engine.address]}]))
        options = [f"--routes={routes}", f"--keys-dir={keys}", "--host=127.0.0.1", f"--port={port}", *arguments]
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(*COMMAND, *options, stderr=sink, env=ENVIRONMENT)
        found = Process(process, f"http://127.0.0.1:{port}", engine, keys, log)
        try:
            async with asyncio.timeout(30):
                while True:
                    with contextlib.suppress(aiohttp.ClientConnectionError):
                        if await found.status("/ready") == 200:
                            break
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.05)
            yield found
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_told_to_stop_it_finishes_an_open_stream_and_leaves_with_0(tmp_path: Path) -> None:
    async with started(tmp_path, "--drain-seconds=0.5") as gateway, aiohttp.ClientSession() as http:
        gateway.engine.mode = "slow:1.5"
        headers = {"authorization": "Bearer first"}
        async with http.post(f"{gateway.url}/v1/chat/completions", json=ASK, headers=headers) as stream:
            first = await stream.content.readany()
            gateway.process.send_signal(signal.SIGTERM)
            await gateway.becomes("/ready", 503)
            assert await gateway.status("/v1/models") == 200, "requests sent in good faith are still served"
            assert first + await stream.read() == STREAM
        assert await asyncio.wait_for(gateway.process.wait(), 10) == 0
        lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
        assert any("told to stop" in line["message"] for line in lines)
        assert not any("exception" in line or line["level"] == "error" for line in lines)


async def test_an_answer_that_does_not_end_is_ended_with_an_error_event(tmp_path: Path) -> None:
    arguments = ("--drain-seconds=0.1", "--finish-seconds=0.3")
    async with started(tmp_path, *arguments) as gateway, aiohttp.ClientSession() as http:
        gateway.engine.mode = "stall"
        headers = {"authorization": "Bearer first"}
        async with http.post(f"{gateway.url}/v1/chat/completions", json=ASK, headers=headers) as stream:
            await stream.content.readany()
            gateway.process.send_signal(signal.SIGTERM)
            end = await stream.read()
        assert json.loads(end.removeprefix(b"data: "))["error"]["code"] == "model_unavailable"
        assert await asyncio.wait_for(gateway.process.wait(), 10) == 0
        assert "exception" not in gateway.log.read_text()
        await until(lambda: gateway.engine.cancelled == 1)


async def test_keys_change_without_a_restart_and_are_never_logged(tmp_path: Path) -> None:
    async with started(tmp_path) as gateway:
        await gateway.becomes("/v1/models", 401, "second")
        (gateway.keys / "lab").write_text("second\nfirst\n")
        await gateway.becomes("/v1/models", 200, "second")
        await gateway.becomes("/v1/models", 200, "first")
        (gateway.keys / "lab").write_text("second\n")
        await gateway.becomes("/v1/models", 401, "first")
        log = gateway.log.read_text()
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


def test_a_port_that_is_taken_ends_the_process_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "routes").write_text("[]")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = [f"--routes={tmp_path / 'routes'}", "--no-auth", "--host=127.0.0.1", f"--port={port}"]
        done = subprocess.run([*COMMAND, *options], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "address already in use" in done.stderr
    assert "Traceback" not in done.stderr
