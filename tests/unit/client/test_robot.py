"""The robot's connection against servers that misbehave: it stands, says why, and comes back."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable

from qwen3vl_client.robot import Robot

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
UNKNOWN_TASK = bytes([0x88, 14]) + (4004).to_bytes(2, "big") + b"unknown task"

Answer = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def upgrade(reader: asyncio.StreamReader) -> bytes:
    """The answer to one WebSocket upgrade."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    key = next(value for name, value in fields.items() if name.lower() == "sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
        "Sec-WebSocket-Protocol: qwen3vl.vln.v1",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def text_frame(body: dict[str, object]) -> bytes:
    """One unmasked text frame of less than 126 bytes."""
    payload = json.dumps(body).encode()
    return bytes([0x81, len(payload)]) + payload


async def connect_to(answer: Answer, until: Callable[[Robot], bool]) -> Robot:
    """A robot whose n-th connection is answered by `answer(n, ...)`, until something is true of it."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        try:
            await answer(count, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(10), Robot(f"ws://127.0.0.1:{port}/vln/robot/a") as robot:
        while not until(robot):
            await asyncio.sleep(0.01)
            assert robot.command().linear_mps == 0.0
    server.close()
    return robot


async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that knows the task."""
    writer.write(await upgrade(reader) + text_frame({"hello": {"boot_id": "b"}}))
    await reader.read()


def test_closed_before_the_hello_is_sent() -> None:
    """A server that has just begun closes in the same packet as its handshake: the task is not known yet."""

    async def answer(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number < 3:
            writer.write(await upgrade(reader) + UNKNOWN_TASK)
            await writer.drain()
            return
        await welcome(reader, writer)

    robot = asyncio.run(connect_to(answer, lambda robot: robot.connections >= 3 and robot.refusal is None))
    assert robot.connections == 3


def test_says_what_the_server_said() -> None:
    async def answer(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await upgrade(reader))
        await asyncio.sleep(0.05)
        writer.write(UNKNOWN_TASK)
        await writer.drain()

    robot = asyncio.run(connect_to(answer, lambda robot: robot.connections >= 2))
    assert robot.refusal == "closed with 4004: unknown task"


def test_rubbish_does_not_end_the_robot() -> None:
    """Text that is no JSON, then a server that is well."""

    async def answer(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.write(await upgrade(reader) + bytes([0x81, 4]) + b"}{][")
            await reader.read()
            return
        await welcome(reader, writer)

    robot = asyncio.run(connect_to(answer, lambda robot: robot.connections >= 2 and robot.refusal is None))
    assert robot.connections == 2


def test_a_server_that_resets_and_one_that_speaks_no_websocket() -> None:
    async def answer(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.transport.abort()
        elif number == 2:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nabsent"[:-1])
            await writer.drain()
        else:
            await welcome(reader, writer)

    robot = asyncio.run(connect_to(answer, lambda robot: robot.connections >= 1))
    assert robot.connections == 1
