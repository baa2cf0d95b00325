"""A VLN API by hand: says what a test wants, and remembers what it heard."""

import contextlib
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

HEAD = struct.Struct("<2sBBHHIIQfffffI")
WITHHELD, EMERGENCY_STOP, BLOCKED, FORCE_KEY = 32, 16, 8, 4


@dataclass(frozen=True)
class Heard:
    """A frame or tick."""

    sequence: int
    flags: int
    jpeg: bytes
    age_ms: int


@dataclass
class Vln:
    """The server's side of one address.

    Attributes:
        greetings: each connection's hello.
        heard: frames and ticks of all connections.
        texts: other texts.
    """

    port: int = 0
    greetings: list[dict[str, Any]] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    texts: list[dict[str, Any]] = field(default_factory=list)

    def url(self, path: str = "/vln/robot/a") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


def read(data: bytes) -> Heard:
    """The robot's bytes."""
    fields = HEAD.unpack_from(data)
    return Heard(sequence=fields[5], flags=fields[4], jpeg=data[HEAD.size :], age_ms=fields[-1])


def answer(sequence: int, **more: Any) -> dict[str, Any]:
    """One that moves."""
    body = {"task_id": "t", "seq": sequence, "plan_id": "b-t-1", "state": "moving", "reason": "following_plan"}
    return body | {"linear_vel": 0.4, "angular_vel": 0.0, "valid_ms": 250} | more


Talk = Callable[[ServerConnection, Vln, int], Awaitable[None]]


@contextlib.asynccontextmanager
async def vln(talk: Talk) -> AsyncIterator[Vln]:
    """A server whose n-th connection is `talk(connection, vln, n)`, after its greeting was read."""
    server = Vln()

    async def connected(connection: ServerConnection) -> None:
        server.greetings.append(json.loads(await connection.recv())["hello"])
        await talk(connection, server, len(server.greetings))

    async with serve(connected, "127.0.0.1", 0, subprotocols=["qwen3vl.vln.v1"], compression=None) as listening:  # type: ignore[list-item]
        server.port = listening.sockets[0].getsockname()[1]
        yield server


async def greet(connection: ServerConnection, *, task: str = "t") -> None:
    """Say who this server is."""
    await connection.send(json.dumps({"hello": {"boot_id": "b", "task_id": task}}))


async def answer_all(connection: ServerConnection, server: Vln, **more: Any) -> None:
    """Answer every frame, and confirm every stop."""
    async for data in connection:
        if isinstance(data, str):
            server.texts.append(json.loads(data))
            await connection.send(json.dumps({"stopped": True, "task_id": more.get("task_id", "t"), "seq": None}))
            continue
        frame = read(data)
        server.heard.append(frame)
        await connection.send(json.dumps(answer(frame.sequence, **more)))
