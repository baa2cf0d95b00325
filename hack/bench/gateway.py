"""What the gateway adds: a real gateway process before a lean stub engine, and the stub alone beside it in one run.

Each request carries a picture of 60 KiB. First both are asked at a fixed rate, taking turns, for the added latency;
then as fast as they can for the throughput; the gateway's memory is read after that. Ends within a minute.
--json prints one line.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import uvloop

PICTURE_BYTES = 60 * 1024
RATE_PER_SECOND = 100
CONNECTIONS = 32
DEADLINE_SECONDS = 55.0
ANSWER = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}).encode()
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)


class Stub(asyncio.Protocol):
    """The least an engine can do: read a request by its content length, answer a constant."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.buffer = bytearray()
        self.need = 0

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.need and (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end]).lower()
            self.need = end + 4 + int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if self.need and len(self.buffer) >= self.need:
            del self.buffer[: self.need]
            self.need = 0
            self.transport.write(REPLY)


async def serve_stub(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
    await server.serve_forever()


class Connection:
    """One keep-alive connection that asks the same request again and again."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request

    async def open(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def ask(self) -> float:
        """Seconds to the whole answer."""
        started = time.perf_counter()
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not answered: {head.decode()} {(await self._reader.read(2000)).decode()}")
        await self._reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        return time.perf_counter() - started

    def close(self) -> None:
        self._writer.close()


def request_of(port: int) -> bytes:
    """A chat request with a picture of 640x480 pixels: a JPEG header and as many random bytes as make 60 KiB."""
    header = bytes.fromhex(
        "ffd8 ffc0 0011 08 01e0 0280 03 012200 021101 031101 ffda 000c 03 0100 0211 0311 003f00"
    )  # 640x480
    picture = base64.b64encode(header + os.urandom(PICTURE_BYTES - len(header))).decode()
    parts: list[dict[str, object]] = [{"type": "text", "text": "what is it?"}]
    parts.append({"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}})
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": parts}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer bench\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


async def latencies(ports: tuple[int, int], seconds: float) -> tuple[list[float], list[float]]:
    """Both at a fixed rate; each takes every other turn, so that noise of the machine meets both."""
    connections = [await Connection(port, request_of(port)).open() for port in ports]
    found: tuple[list[float], list[float]] = ([], [])
    for connection in connections:
        for _ in range(100):
            await connection.ask()
    begin = time.perf_counter()
    for turn in range(int(seconds * RATE_PER_SECOND) * 2):
        await asyncio.sleep(max(0.0, begin + turn / (2 * RATE_PER_SECOND) - time.perf_counter()))
        found[turn % 2].append(await connections[turn % 2].ask())
    for connection in connections:
        connection.close()
    return found


async def throughput(port: int, seconds: float) -> float:
    """Answers per second with 32 connections that never pause."""
    end, asked = time.perf_counter() + seconds, 0

    async def worker() -> int:
        connection, done = await Connection(port, request_of(port)).open(), 0
        while time.perf_counter() < end:
            await connection.ask()
            done += 1
        connection.close()
        return done

    started = time.perf_counter()
    asked = sum(await asyncio.gather(*[worker() for _ in range(CONNECTIONS)]))
    return asked / (time.perf_counter() - started)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def quantile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def rss_mib(process_id: int) -> float:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmRSS: is this Linux?")


@contextlib.asynccontextmanager
async def processes(gateway: int, stub: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The stub and the gateway as processes of their own, of which the gateway's is given; both end with the block."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "keys").mkdir()
        (Path(folder) / "keys/bench").write_text("bench")
        routes = Path(folder) / "routes.yaml"
        routes.write_text(json.dumps([{"model": "m", "endpoints": [f"127.0.0.1:{stub}"], "key": "engine"}]))
        options = ["--host=127.0.0.1", f"--port={gateway}", f"--routes={routes}", f"--keys-dir={folder}/keys"]
        commands = (
            ["-m", "hack.bench.gateway", "--stub", str(stub)],
            ["-m", "qwen3vl_server.gateway", *options, "--drain-seconds=0"],
        )
        started = []
        try:
            for command in commands:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", *command, stderr=asyncio.subprocess.DEVNULL
                )
                started.append(process)
            async with asyncio.timeout(20):
                for port, process in zip((stub, gateway), started, strict=True):
                    while True:
                        with contextlib.suppress(OSError):
                            await Connection(port, b"").open()
                            break
                        if process.returncode is not None:
                            raise SystemExit(f"{' '.join(commands[started.index(process)])} ended at once")
                        await asyncio.sleep(0.05)
            yield started[1]
        finally:
            for process in started:
                if process.returncode is None:
                    process.terminate()
                await process.wait()


async def measure(seconds: float) -> dict[str, float]:
    """All figures; `seconds` is the length of each of the four measurements."""
    gateway, stub = free_ports(2)
    async with asyncio.timeout(DEADLINE_SECONDS), processes(gateway, stub) as process:
        idle = rss_mib(process.pid)
        direct, through = await latencies((stub, gateway), seconds)
        figures = {
            "added_p50_ms": quantile(through, 0.5) - quantile(direct, 0.5),
            "added_p99_ms": quantile(through, 0.99) - quantile(direct, 0.99),
            "requests_per_second": await throughput(gateway, seconds),
            "rss_mib": rss_mib(process.pid),
            "rss_idle_mib": idle,
            "gateway_p50_ms": quantile(through, 0.5),
            "gateway_p99_ms": quantile(through, 0.99),
            "stub_p50_ms": quantile(direct, 0.5),
            "stub_p99_ms": quantile(direct, 0.99),
            "stub_requests_per_second": await throughput(stub, seconds),
        }
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="hack/bench/gateway", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line for programs")
    parser.add_argument("--seconds", type=float, default=8, help="length of each measurement (default 8, at most 10)")
    parser.add_argument("--stub", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stub:
        uvloop.run(serve_stub(options.stub))
        return
    figures = uvloop.run(measure(min(options.seconds, 10)))
    figures["load_1m"] = round(os.getloadavg()[0], 2)
    if options.json:
        print(json.dumps(figures))
        return
    print(
        f"a picture of {PICTURE_BYTES // 1024} KiB in each request, {os.cpu_count()} cores, load {figures['load_1m']}"
    )
    for name, value in figures.items():
        print(f"{name:<26} {value:>10,.2f}")


if __name__ == "__main__":
    main()
