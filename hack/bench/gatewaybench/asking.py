"""The side that asks: keep-alive connections that send the same request again and again, as lean as asyncio allows."""

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable
from typing import cast

from hack.bench.gatewaybench.figures import Block

PICTURE_BYTES = 60 * 1024
RATE_PER_SECOND = 100
CONNECTIONS = 32
ANSWER_SECONDS = 30.0
KEY = "sk-of-the-bench-which-is-no-secret"
"""As LiteLLM wants one: it begins with sk- and is long."""
# Width and height, 640x480, stand in a JPEG's frame header; no proxy looks at the pixels behind it.
JPEG_HEADER = bytes.fromhex("ffd8 ffc0 0011 08 01e0 0280 03 012200 021101 031101 ffda 000c 03 0100 0211 0311 003f00")


class UnexpectedAnswer(Exception):
    """Something else than 200 and a whole answer."""


def http_request(body: bytes) -> bytes:
    """A chat request with its key."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def picture_request() -> bytes:
    """A chat request with a picture of 640x480 pixels: a JPEG's headers and as many random bytes as make 60 KiB."""
    picture = JPEG_HEADER + os.urandom(PICTURE_BYTES - len(JPEG_HEADER) - 2) + b"\xff\xd9"
    url = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    parts: list[dict[str, object]] = [{"type": "text", "text": "what is it?"}]
    parts.append({"type": "image_url", "image_url": {"url": url}})
    return http_request(json.dumps({"model": "m", "messages": [{"role": "user", "content": parts}]}).encode())


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self) -> None:
        self._answered: asyncio.Future[None] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._answered is None or self._answered.done() or not is_whole(self._received):
            return
        if self._received.startswith(b"HTTP/1.1 200"):
            self._answered.set_result(None)
        else:
            self._answered.set_exception(UnexpectedAnswer(self._received[:2000].decode(errors="replace")))

    def connection_lost(self, _: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(UnexpectedAnswer("the connection was closed before the answer was whole"))

    async def ask(self, request: bytes) -> float:
        """Seconds to the whole answer.

        Raises:
            UnexpectedAnswer: it was another one than 200.
            TimeoutError: there was none.
        """
        self._received, self._answered = b"", asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(request)
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._answered
        return time.perf_counter() - began

    def close(self) -> None:
        """Close it."""
        self._transport.close()


def is_whole(received: bytes) -> bool:
    """Whether an answer is complete, by its length or its last chunk."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    _, sized, length = head.lower().partition(b"content-length:")
    return len(body) >= int(length.split(b"\r\n")[0]) if sized else body.endswith(b"0\r\n\r\n")


async def connect(port: int) -> Connection:
    """A new connection."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def warm_up(port: int, requests: int) -> None:
    """Requests that nobody measures: imports, caches and pools are filled by them."""
    connection, request = await connect(port), picture_request()
    for _ in range(requests):
        await connection.ask(request)
    connection.close()


async def paced(port: int, requests: int, cpu_seconds: Callable[[], float]) -> Block:
    """Requests at the fixed rate over one connection."""
    connection, request = await connect(port), picture_request()
    await connection.ask(request)
    latencies: list[float] = []
    cpu, began = cpu_seconds(), time.perf_counter()
    for turn in range(requests):
        await asyncio.sleep(max(0.0, began + turn / RATE_PER_SECOND - time.perf_counter()))
        latencies.append(await connection.ask(request))
    block = Block(latencies, time.perf_counter() - began, cpu_seconds() - cpu)
    connection.close()
    return block


async def saturated(port: int, requests: int, cpu_seconds: Callable[[], float]) -> Block:
    """Requests over 32 connections that never pause."""
    request, left = picture_request(), iter(range(requests))
    connections = [await connect(port) for _ in range(CONNECTIONS)]
    latencies: list[float] = []

    async def work(connection: Connection) -> None:
        for _ in left:
            latencies.append(await connection.ask(request))

    cpu, began = cpu_seconds(), time.perf_counter()
    await asyncio.gather(*map(work, connections))
    block = Block(latencies, time.perf_counter() - began, cpu_seconds() - cpu)
    for connection in connections:
        connection.close()
    return block
