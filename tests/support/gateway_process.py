"""The gateway as the process it is in a pod, for tests that speak to it from outside; and an engine beside the test."""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.polling import eventually
from tests.support.processes import ENVIRONMENT, free_port
from tests.support.stub_engine import StubEngine, engine_running

COMMAND = (sys.executable, "-m", "qwen3vl_server.gateway")
KEY = "first"
START_SECONDS = 30
STOP_SECONDS = 10


@dataclass(frozen=True)
class GatewayProcess:
    """A started gateway on loopback, which knows the model `m` and the key `first`."""

    process: subprocess.Popen[bytes]
    port: int
    metrics_port: int
    keys: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def rss_mib(self) -> float:
        """Resident memory."""
        return self._memory_mib("VmRSS")

    @property
    def peak_mib(self) -> float:
        """The most that was ever resident."""
        return self._memory_mib("VmHWM")

    def _memory_mib(self, name: str) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split(f"{name}:")[1].split()[0]) / 1024

    def answers(self, path: str, seconds: float = 1) -> bool:
        """Whether the path answers with 200 in time."""
        with contextlib.suppress(OSError), urllib.request.urlopen(self.url + path, timeout=seconds) as answer:
            return bool(answer.status == 200)
        return False


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def gateway_running(folder: Path, engine: str, *arguments: str) -> Iterator[GatewayProcess]:
    """The gateway before the engine at this address, until the block ends."""
    keys, routes, log = folder / "keys", folder / "routes.yaml", folder / "gateway.log"
    port, metrics_port = free_port(), free_port()
    keys.mkdir()
    (keys / "lab").write_text(KEY)
    routes.write_text(json.dumps([{"model": "m", "endpoints": [engine]}]))
    command = [*COMMAND, f"--routes={routes}", f"--keys-dir={keys}"]
    command += ["--host=127.0.0.1", f"--port={port}", f"--metrics-port={metrics_port}"]
    command += ["--drain-seconds=0", "--finish-seconds=1", *arguments]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, env=ENVIRONMENT)
    with _ended(process):
        gateway = GatewayProcess(process, port, metrics_port, keys, log)
        eventually(lambda: gateway.answers("/ready"), START_SECONDS, "the gateway is ready", log.read_text)
        yield gateway


@contextlib.contextmanager
def simulator_running() -> Iterator[str]:
    """The simulator as a process that serves the model `m`; its address."""
    port = free_port()
    command = [sys.executable, "-m", "qwen3vl_server.simulator", "--model-name=m", "--host=127.0.0.1"]
    command += [f"--port={port}", "--first-token-millis=5", "--tokens-per-second=500", "--log-level=warning"]
    with _ended(subprocess.Popen(command, env=ENVIRONMENT)):

        def healthy() -> bool:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return True
            return False

        eventually(healthy, START_SECONDS, "the simulator answers")
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def stub_engine_beside() -> Iterator[StubEngine]:
    """A stub engine on a loop in a thread of its own, for tests that block."""
    engine, ready = StubEngine(), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with engine_running(engine):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(START_SECONDS), "the stub engine did not start"
        yield engine
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
