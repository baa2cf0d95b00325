"""One open WebSocket, and how it is ended. It knows no task but as what it was opened for."""

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import Receive, Send

from qwen3vl_vln.edge.identity import Caller
from qwen3vl_vln.task.delays import Delay, Stamps
from qwen3vl_vln.task.http_writers import Peer
from qwen3vl_vln.task.round_trips import RoundTrips
from qwen3vl_vln.task.tasks import Entry

LONGEST_REASON_BYTES = 123


@dataclass(eq=False)
class Connection:
    """One open WebSocket.

    Attributes:
        writer, run: who drives by it; a writer that does not name its run has another one on each connection.
        dated: it has named its run, and says how old its images are.
        peer: where it comes from, by the name that it gives itself; whom it is remembered as.
        robot: that it has named.
        replaced: another connection has its lease.
        orphaned: its task got another robot.
    """

    entry: Entry
    caller: Caller
    receive: Receive
    send: Send
    writer: str
    run: str
    peer: Peer
    robot: str | None = None
    dated: bool = False
    lease_epoch: int | None = None
    delay: Delay = field(default_factory=Delay)
    stamps: Stamps = field(default_factory=Stamps)
    trips: RoundTrips = field(default_factory=RoundTrips)
    replaced: bool = False
    orphaned: bool = False
    greeted: bool = False

    async def answer(self, body: Any) -> None:
        """Send one JSON text message."""
        await self.send({"type": "websocket.send", "text": orjson.dumps(body).decode()})


async def close(send: Send, code: int, reason: str) -> None:
    """End a connection, with as much of the reason as fits: a close message counts bytes."""
    short = reason.encode(errors="replace")[:LONGEST_REASON_BYTES].decode(errors="ignore")
    await send({"type": "websocket.close", "code": code, "reason": short})


async def quietly(closing: Awaitable[None]) -> None:
    """Have it closed, though it may have gone meanwhile."""
    with contextlib.suppress(OSError, RuntimeError):
        await closing


class Closings:
    """Connections that are told their end beside everything else: whoever they are of may be slow, or gone."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    def close(self, connection: Connection, code: int, reason: str) -> None:
        """End this one."""
        task = asyncio.ensure_future(quietly(close(connection.send, code, reason)))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
