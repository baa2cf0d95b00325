"""A robot's connection: sends frames, keeps the newest answer, connects again, and stands whenever it is not sure."""

import asyncio
import contextlib
import json
import logging
import random
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from qwen3vl_client.freshness import STAND, Command, Freshness
from qwen3vl_client.protocol import SUBPROTOCOL, Odometry, message

log = logging.getLogger(__name__)

SEND_BUFFER_BYTES = 128 * 1024
OPEN_SECONDS = 2.0
WATCH_SECONDS = 0.1
LATENCIES_REMEMBERED = 100_000
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.05, 2.0


def boot_time() -> float:
    """Seconds on a clock that nobody sets and that also runs while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Robot:
    """One robot and its task.

    Args:
        url: `ws://<service>/vln/robot/<robot>` (whatever task the robot has) or `.../vln/ws/<task>`.
        key: one of the robots' keys.
        writer: names this controller; the same one takes over at once after a reconnect.
        takeover: take the task from another writer that still sends.
        on_answer: is called with every answer.

    Attributes:
        answer: the newest answer, whole.
        refusal: why there is no connection, as far as the server said.
        connections: how often it connected.
        answered: frames and ticks that had an answer.
        latencies: seconds from sending a frame to its answer.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        writer: str | None = None,
        takeover: bool = False,
        clock: Callable[[], float] = boot_time,
        on_answer: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.url = url
        self.answer: dict[str, Any] | None = None
        self.refusal: str | None = None
        self.connections = 0
        self.answered = 0
        self.latencies: deque[float] = deque(maxlen=LATENCIES_REMEMBERED)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._writer = writer or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._takeover, self._clock, self._on_answer = takeover, clock, on_answer
        self._sequence = 0
        self._stops = 0
        self._freshness: Freshness | None = None
        self._connection: ClientConnection | None = None
        self._waiting: tuple[float, bytes | None, dict[str, Any]] | None = None
        self._wake = asyncio.Event()
        self._sent_at: dict[int, float] = {}
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    # What a control loop calls; none of it waits --------------------------------------------------------------------

    def send(
        self,
        jpeg: bytes | None,
        *,
        captured_seconds: float | None = None,
        odometry: Odometry | None = None,
        force_key: bool = False,
        blocked: bool = False,
        emergency_stop: bool = False,
    ) -> None:
        """Send a picture (None: a tick) as soon as may be; a newer one takes the place of one that still waits."""
        flags = {"odometry": odometry, "force_key": force_key, "blocked": blocked, "emergency_stop": emergency_stop}
        captured = self._clock() if captured_seconds is None else captured_seconds
        if jpeg is None and self._waiting is not None and self._waiting[1] is not None:
            # A picture that waits is worth more than a tick: both ask for the same answer.
            return
        self._waiting = (captured, jpeg, flags)
        self._wake.set()

    def tick(self, *, odometry: Odometry | None = None, blocked: bool = False, emergency_stop: bool = False) -> None:
        """Ask for the next answer without a picture."""
        self.send(None, odometry=odometry, blocked=blocked, emergency_stop=emergency_stop)

    def command(self) -> Command:
        """What the base should do now: zero unless a fresh answer says otherwise."""
        if self._freshness is None or self._stops:
            return Command(state="stopped", reason="stop_requested") if self._stops else STAND
        return self._freshness.command(self._clock())

    async def stop(self) -> None:
        """Stop the task for good. Holds here at once; the server hears of it now or at the next connection."""
        self._stops += 1
        if self._connection is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._connection.send(json.dumps({"stop": True}))

    # The connection -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        while True:
            before = self.answered
            try:
                await self._serve()
                # A connection that gave no answer is a failure too: the task may not exist yet.
                failures = 0 if self.answered > before else failures + 1
            except (OSError, InvalidHandshake) as error:
                failures += 1
                self._note_refusal(error)
            except Exception:
                # Whatever it was: a robot that never connects again would stand for ever.
                failures += 1
                log.exception("%s: the connection ended with an error of this program", self.url)
            finally:
                self._freshness = self._connection = None
            delay = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures, 8))
            await asyncio.sleep(delay * (0.5 + random.random()))  # noqa: S311 - spreads robots, hides nothing

    def _note_refusal(self, error: Exception) -> None:
        text = str(error)
        if isinstance(error, InvalidStatus):
            text = f"HTTP {error.response.status_code}: {error.response.body.decode(errors='replace')[:200]}"
        if text != self.refusal:
            log.warning("%s: %s", self.url, text)
        self.refusal = text

    async def _serve(self) -> None:
        async with connect(
            self.url,
            additional_headers=self._headers,
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
            self._connection, self._freshness = connection, Freshness()
            self.connections += 1
            self._sent_at.clear()
            hello = {"writer": self._writer, "takeover": self._takeover, "stop_epoch": self._stops}
            helpers: list[asyncio.Task[None]] = []
            try:
                # The server may have closed already, saying why.
                await connection.send(json.dumps({"hello": hello}))
                helpers = [
                    asyncio.create_task(self._sender(connection, self._freshness)),
                    asyncio.create_task(self._watch(connection, self._freshness)),
                ]
                await self._receiver(connection, self._freshness)
            except ConnectionClosed as closed:
                self._note_close(closed)
            finally:
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)

    def _note_close(self, closed: ConnectionClosed) -> None:
        if closed.rcvd is not None and closed.rcvd.code >= 4000:
            self.refusal = f"closed with {closed.rcvd.code}: {closed.rcvd.reason}"
            log.warning("%s: %s", self.url, self.refusal)

    async def _sender(self, connection: ClientConnection, freshness: Freshness) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._waiting is None or not freshness.may_send():
                continue
            (captured, jpeg, flags), self._waiting = self._waiting, None
            self._sequence += 1
            now = self._clock()
            freshness.sent(self._sequence, now)
            self._sent_at[self._sequence] = now
            with contextlib.suppress(ConnectionClosed):
                await connection.send(message(self._sequence, captured, jpeg=jpeg, **flags))

    async def _watch(self, connection: ClientConnection, freshness: Freshness) -> None:
        silent = False
        while not silent:
            await asyncio.sleep(WATCH_SECONDS)
            silent = freshness.silent(self._clock())
        self.refusal = "no answer for 500 ms"
        log.warning("%s: %s", self.url, self.refusal)
        connection.transport.abort()

    async def _receiver(self, connection: ClientConnection, freshness: Freshness) -> None:
        async for text in connection:
            body = json.loads(text)
            if "hello" in body:
                freshness.boot_id, self.refusal = body["hello"]["boot_id"], None
            elif "seq" in body:
                now = self._clock()
                if freshness.answered(body, now):
                    self.answer = body
                sent = self._sent_at.pop(body["seq"], None)
                if sent is not None:
                    self.latencies.append(now - sent)
                    self.answered += 1
                if self._on_answer is not None:
                    self._on_answer(body)
                self._wake.set()
