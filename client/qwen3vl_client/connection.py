"""One connection to the VLN API: opens it, sends what waits, reads messages, and ends it when nothing is heard."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from qwen3vl_client.freshness import SILENT_SECONDS, Freshness
from qwen3vl_client.images import Images
from qwen3vl_client.outbox import Outbox, PendingFrame
from qwen3vl_client.protocol import SUBPROTOCOL, message
from qwen3vl_client.stopping import StopLatch

SEND_BUFFER_BYTES = 128 * 1024
OPEN_SECONDS = 2.0
WATCH_SECONDS = 0.1
NEXT_TASK_SECONDS = 1.0
"""How long the end of a task is still told on its connection."""
APPLICATION_CODES = 4000


class Closed(Exception):
    """The server ended the connection, or it was ended here because nothing was heard.

    Attributes:
        code: the server's close code, where it is one of this protocol.
    """

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Link:
    """An open connection.

    Attributes:
        freshness: what was sent and answered on it.
        wake: something may have to be sent.
        stop_wake: the same of a stop, which no frame may hold up.
        greeted: the server has said who it is.
    """

    connection: ClientConnection
    clock: Callable[[], float]
    freshness: Freshness = field(default_factory=Freshness)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    stop_wake: asyncio.Event = field(default_factory=asyncio.Event)
    greeted: bool = False
    _opened_at: float = 0.0
    _stops_told: int = 0
    _stop_told_at: float | None = None
    _ends_at: float | None = None
    _cause: str | None = None

    async def greet(self, hello: dict[str, Any]) -> None:
        """Say who writes; a stop that nobody has confirmed yet goes with it.

        Raises:
            Closed: the server had closed already, saying why.
        """
        self._opened_at = self.clock()
        if hello["stop_epoch"]:
            self._stops_told, self._stop_told_at = hello["stop_epoch"], self._opened_at
        try:
            await self.connection.send(json.dumps({"hello": hello}))
        except ConnectionClosed as closed:
            raise self._closed(closed) from None

    def ends(self) -> None:
        """The task has ended: after a moment in which that can be heard, connect to the next one."""
        if self._ends_at is None:
            self._ends_at = self.clock() + NEXT_TASK_SECONDS

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """What the server says.

        Raises:
            Closed: the server closed with a code of this protocol, or was silent.
            ValueError: it says something that is no JSON object.
        """
        try:
            async for text in self.connection:
                body = json.loads(text)
                if not isinstance(body, dict):
                    raise ValueError(f"the server says {str(body)[:100]!r}, which is no JSON object")
                yield body
        except ConnectionClosed as closed:
            raise self._closed(closed) from None
        if self._cause is not None:
            raise Closed(self._cause)

    @contextlib.asynccontextmanager
    async def tasks(
        self, outbox: Outbox, images: Images, stop: StopLatch, sequence: Callable[[], int]
    ) -> AsyncIterator[None]:
        """Send and watch meanwhile."""
        running = [
            asyncio.create_task(self._send(outbox, images, sequence)),
            asyncio.create_task(self._send_stop(stop)),
            asyncio.create_task(self._watch(stop)),
        ]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _closed(self, closed: ConnectionClosed) -> Closed:
        received = closed.rcvd
        if self._cause is None and received is not None and received.code >= APPLICATION_CODES:
            return Closed(f"closed with {received.code}: {received.reason}", received.code)
        return Closed(self._cause or f"the connection broke: {closed}")

    async def _send(self, outbox: Outbox, images: Images, sequence: Callable[[], int]) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            freshness = self.freshness
            ticks = freshness.may_send(image=False)
            # An image that turns out to be too old goes as a tick.
            frame = outbox.take(self.clock(), images=ticks and freshness.may_send(image=True), ticks=ticks)
            if frame is None:
                continue
            data = self._sealed(frame, images, sequence())
            with contextlib.suppress(ConnectionClosed):
                await self.connection.send(data)

    def _sealed(self, frame: PendingFrame, images: Images, number: int) -> bytes:
        """The bytes of a frame that goes out now; without an image where that is too old by now."""
        now = self.clock()
        age = now - frame.captured_seconds
        withheld = frame.jpeg is not None and not images.young(age, dated=frame.dated)
        jpeg = None if withheld else frame.jpeg
        self.freshness.sent(number, now, image=jpeg is not None)
        return message(
            number,
            frame.captured_seconds,
            jpeg=jpeg,
            # That pose is as old as the image, and no place of now.
            odometry=None if withheld else frame.odometry,
            force_key=frame.force_key,
            blocked=frame.blocked,
            emergency_stop=frame.emergency_stop,
            camera=frame.camera,
            age_seconds=age,
            withheld=withheld,
        )

    async def _send_stop(self, stop: StopLatch) -> None:
        while True:
            if stop.pending and self._stops_told < stop.requested:
                self._stops_told = stop.requested
                self._stop_told_at = self.clock()
                with contextlib.suppress(ConnectionClosed):
                    await self.connection.send(json.dumps({"stop": True}))
            await self.stop_wake.wait()
            self.stop_wake.clear()

    async def _watch(self, stop: StopLatch) -> None:
        while self._cause is None:
            await asyncio.sleep(WATCH_SECONDS)
            now = self.clock()
            if self._ends_at is not None and now >= self._ends_at:
                await self.connection.close()
                return
            self._cause = self._silence(stop, now)
        self.connection.transport.abort()

    def _silence(self, stop: StopLatch, now: float) -> str | None:
        """What has not been heard for too long, if anything."""
        if self.freshness.silent(now):
            return "no answer for 500 ms"
        if stop.pending and self._stop_told_at is not None and now - self._stop_told_at > SILENT_SECONDS:
            return "a stop was not confirmed for 500 ms"
        if not self.greeted and now - self._opened_at > OPEN_SECONDS:
            return "no greeting for 2 s"
        return None


@contextlib.asynccontextmanager
async def open_link(url: str, headers: dict[str, str], clock: Callable[[], float]) -> AsyncIterator[Link]:
    """Connect.

    Raises:
        OSError, websockets.exceptions.InvalidHandshake: nobody there, or refused.
    """
    async with connect(
        url,
        additional_headers=headers,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        compression=None,
        ping_interval=None,
        open_timeout=OPEN_SECONDS,
        close_timeout=0.2,
        proxy=None,
    ) as connection:
        sock = connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield Link(connection, clock)
        finally:
            # Whatever ends it here is no error of the server's.
            await connection.close()
