"""The operator as a process: with the chart's rights, environment, memory limit and probes."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from hack.bench.operatorbench.exposition import samples
from hack.bench.operatorbench.failure import RunFailure
from hack.bench.operatorbench.memory import MemoryLimit
from hack.bench.operatorbench.probes import Probing

STOP_SECONDS = 30
WATCH_SECONDS = 0.5
PASSES = "qwen3vl_operator_pass_seconds_count"
_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12
"""Places behind the command's name in /proc/PID/stat (proc(5))."""


@dataclass
class OperatorProcess:
    """A running operator.

    Attributes:
        peak_mib: highest resident memory so far, also of processes that have ended.
    """

    process: asyncio.subprocess.Process
    health_port: int
    metrics_port: int
    peak_mib: float = 0.0

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_seconds(self) -> float:
        """Processor time of the process so far, in steps of 10 ms."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS

    def rss_mib(self) -> float:
        """Resident memory."""
        return self._memory_mib("VmRSS")

    def _memory_mib(self, field: str) -> float:
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.split(f"{field}:")[1].split()[0]) / 1024

    async def passes(self) -> int | None:
        """Passes over models that have ended, by the operator's own metric; None where it has no such metric."""
        address = f"http://127.0.0.1:{self.metrics_port}/metrics"
        try:
            async with aiohttp.ClientSession() as session, session.get(address) as answer:
                text = await answer.text()
        except aiohttp.ClientError:
            return None
        found = list(samples(text, PASSES))
        models = [one for one in found if one.labels.get("kind", "VisionModel") == "VisionModel"]
        return int(sum(one.value for one in models)) if found else None

    async def guard(self, limit: MemoryLimit) -> None:
        """Notice until cancelled that it ends, or that it takes more memory than it may.

        Raises:
            RunFailure: either happened.
        """
        while self.process.returncode is None:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError):  # it ends just now
                self.peak_mib = max(self.peak_mib, self._memory_mib("VmHWM"))
                if limit.group is None and self.rss_mib() * 2**20 > limit.limit_bytes:
                    raise RunFailure(f"the operator takes more than its {limit.limit_bytes >> 20} MiB")
            await asyncio.sleep(WATCH_SECONDS)
        if self.process.returncode == -signal.SIGKILL:
            raise RunFailure(f"the operator was killed: more than its {limit.limit_bytes >> 20} MiB, by {limit.by}")
        raise RunFailure(f"the operator ended by itself with status {self.process.returncode}: see its log")

    async def stop(self) -> None:
        """End it: politely, then by force."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in sockets]


async def spawn(source: Path, environment: dict[str, str], limit: MemoryLimit, log: Path) -> OperatorProcess:
    """Start the operator of the checkout at `source`."""
    health, metrics = free_ports(2)
    known = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{source / 'operator'}:{source / 'images/common'}",
        "QWEN3VL_HEALTH_PORT": str(health),
        "QWEN3VL_METRICS_PORT": str(metrics),
        # What an older commit has instead of the ports.
        "QWEN3VL_HEALTH_ENDPOINT": f"http://127.0.0.1:{health}/healthz",
    }
    command = limit.command([sys.executable, "-m", "qwen3vl_operator"])
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment | known, stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    return OperatorProcess(process, health, metrics)


@contextlib.asynccontextmanager
async def operating(
    source: Path, environment: dict[str, str], *, limit: MemoryLimit, probing: Probing, log: Path
) -> AsyncIterator[OperatorProcess]:
    """The operator, watched and probed. It ends with the block.

    Raises:
        RunFailure: it ended by itself, took too much memory, or failed its probes; in an exception group.
    """
    operator = await spawn(source, environment, limit, log)
    try:
        async with asyncio.TaskGroup() as group:
            url = f"http://127.0.0.1:{operator.health_port}"
            guards = [group.create_task(operator.guard(limit)), group.create_task(probing.run(url))]
            yield operator
            for guard in guards:
                guard.cancel()
    finally:
        await operator.stop()
