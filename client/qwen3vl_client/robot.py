"""A robot's connection: sends frames, keeps the newest answer, connects again, and stands whenever it is not sure."""

import asyncio
import contextlib
import random
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.exceptions import InvalidHandshake, InvalidStatus

from qwen3vl_client import states
from qwen3vl_client.connection import Closed, Link, open_link
from qwen3vl_client.freshness import STAND, Command
from qwen3vl_client.images import Images
from qwen3vl_client.logs import written
from qwen3vl_client.outbox import Outbox, PendingFrame
from qwen3vl_client.protocol import Odometry
from qwen3vl_client.retry import LEASE_LOST, Retry
from qwen3vl_client.statistics import Recorder, Statistics
from qwen3vl_client.stopping import StopLatch

STOP_SECONDS = 1.0


def boot_time() -> float:
    """Seconds on a clock that nobody sets and that also runs while the machine sleeps."""
    # Only Linux has CLOCK_BOOTTIME; the monotonic clock of macOS runs during sleep anyway.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ClosedError(RuntimeError):
    """The robot's connection was closed by its own program, or its thread has ended."""


class Robot:
    """One robot and its task.

    Args:
        url: `ws://<service>/vln/robot/<robot>` (whatever task the robot has) or `.../vln/ws/<task>`.
        key: one of the robots' keys.
        writer: names this controller; the same one takes over at once after a reconnect. No two may have one name.
        takeover: take the task from another writer that still sends; once, for who loses it again does not fight.
        robot: the name of this robot: a task of another one is not driven, whatever the address says.
        on_answer: is called with every answer; must not wait.

    Attributes:
        answer: the newest answer, whole.
        refusal: why there is no connection, as far as the server said.
        connections: how often it connected.

    Raises:
        ValueError: the URL is none of a WebSocket.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        writer: str | None = None,
        takeover: bool = False,
        robot: str | None = None,
        clock: Callable[[], float] = boot_time,
        on_answer: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a WebSocket: ws://HOST/vln/robot/ROBOT or wss://…")
        self.url = url
        self.answer: dict[str, Any] | None = None
        self.refusal: str | None = None
        self.connections = 0
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._writer = writer or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        # Another one each time that the program starts: nothing that was planned before is driven then.
        self._run_id, self._robot = uuid.uuid4().hex, robot
        self._takeover, self._clock, self._on_answer = takeover, clock, on_answer
        # A connection by the robot's name is to one task of several: when that has ended, the next one is looked for.
        self._looks_for_next_task = "/vln/robot/" in parts.path
        self._outbox, self._stop, self._recorder = Outbox(), StopLatch(), Recorder()
        self._images = Images()
        self._retry = Retry()
        self._sequence = 0
        self._unanswered = 0
        self._link: Link | None = None
        self._barrier: str | None = None
        self._ended: Command | None = None
        self._stop_confirmed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        if self._closed:
            raise ClosedError("this robot was closed; make another one")
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def until(self, end: asyncio.Event) -> None:
        """Wait for an event, or for the error that ended this connection for good.

        Raises:
            BaseException: that error.
        """
        assert self._running is not None
        ended = asyncio.create_task(end.wait())
        await asyncio.wait({ended, self._running}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            ended.cancel()
            await self._running

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
        camera: int = 0,
    ) -> None:
        """Send an image (None: a tick) as soon as may be; a newer one takes the place of one that still waits.

        Args:
            captured_seconds: when the image was taken, by `boot_time()`; default now, which says nothing about how
                late the camera is. What is older than 0.5 s when it would be sent is not sent.
            odometry: where the robot was then.
            force_key: have the model look at this image.
            blocked: the robot's own sensors forbid going on; it stands here at once.
            emergency_stop: its button is pressed; the same, and the plan is dropped.
            camera: 0 to 15, which of its cameras took the image; a plan by another one's image is dropped.

        Raises:
            ClosedError: after the end of `async with`.
        """
        now = self._clock()
        captured = now if captured_seconds is None else captured_seconds
        dated = captured_seconds is not None
        self.offer(PendingFrame(jpeg, captured, now, odometry, force_key, blocked, emergency_stop, dated, camera))
        self.wake()

    def tick(self, *, odometry: Odometry | None = None, blocked: bool = False, emergency_stop: bool = False) -> None:
        """Ask for the next answer without an image."""
        self.send(None, odometry=odometry, blocked=blocked, emergency_stop=emergency_stop)

    def command(self) -> Command:
        """What the base should do now: zero unless a fresh answer says otherwise. Any thread may call it."""
        if self._stop.holds:
            return Command(state=states.STOPPED, reason=states.STOP_REQUESTED)
        link = self._link
        if self._closed or link is None:
            reason = states.CLOSED if self._closed else states.NOT_CONNECTED
            return Command(reason=reason) if self._ended is None else self._ended
        now = self._clock()
        told = link.freshness.command(now)
        if told.state not in states.ENDED:
            if self._barrier is not None:
                return Command(state=states.HOLD, reason=self._barrier)
            trouble = self._images.trouble(unseen=link.freshness.unseen(now))
            if trouble is not None:
                return Command(state=states.STALE, reason=trouble[0], message=trouble[1])
        return self._ended if told is STAND and self._ended is not None else told

    async def stop(self, *, wait_seconds: float = STOP_SECONDS) -> bool:
        """Stop the task for good; whether the server has confirmed it within this time.

        The robot holds here at once, and until the server gives it another task. Where the server cannot be reached it
        hears of the stop first thing at the next connection.
        """
        self.request_stop()
        return await self.stop_confirmed(wait_seconds)

    def cut(self) -> None:
        """Hear nothing more on this connection, as if the network were gone; for checks. Another one takes its place
        as soon as that is noticed."""
        if self._link is not None:
            self._link.connection.transport.pause_reading()

    @property
    def statistics(self) -> Statistics:
        """How quick the answers were so far."""
        return self._recorder.statistics(
            unanswered=self._unanswered,
            reconnects=max(0, self.connections - 1),
            withheld=self._images.withheld,
            undated=self._images.undated,
        )

    @property
    def latencies(self) -> list[float]:
        """Seconds from sending a frame to its answer, of the newest 20,000 answers."""
        return list(self._recorder.newest.copy())

    # The same in two halves, for a program with threads: the first of any thread, the second of the loop's ----------

    def offer(self, frame: PendingFrame) -> None:
        """Put something into the outbox, as `send` does, without waking the sender."""
        if self._closed:
            raise ClosedError("this robot was closed; make another one")
        self._barrier = states.EMERGENCY_STOP if frame.emergency_stop else states.BLOCKED if frame.blocked else None
        if self._barrier is not None and self._link is not None:
            self._link.freshness.distrust(frame.offered_at)
        if not self._images.of_this_clock(frame.captured_seconds, frame.offered_at, image=frame.jpeg is not None):
            if self._barrier is None:
                return
            # The button is pressed by whatever clock.
            frame = replace(frame, jpeg=None, captured_seconds=frame.offered_at, odometry=None)
        self._outbox.put(frame)

    def wake(self) -> None:
        """Have the sender look into the outbox."""
        if self._link is not None:
            self._link.wake.set()

    def request_stop(self) -> None:
        """Hold here, without telling anybody yet."""
        if self._closed:
            raise ClosedError("this robot was closed; it stands already, but no server will hear of a stop")
        self._stop.request()

    async def stop_confirmed(self, wait_seconds: float) -> bool:
        """Send the stop that was requested, and wait for the server to confirm it."""
        self._stop_confirmed.clear()
        self._hurry.set()
        if self._link is not None:
            self._link.stop_wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                while self._stop.pending:
                    await self._stop_confirmed.wait()
        return not self._stop.pending

    # The connection -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            before, began, code = self._recorder.count, None, None
            self._hurry.clear()
            try:
                async with open_link(self.url, self._headers, self._clock) as link:
                    began = self._clock()
                    self.connections += 1
                    self._link = link
                    await self._serve(link)
            except Closed as closed:
                code = closed.code
                self._note(str(closed))
            except (OSError, InvalidHandshake) as error:
                code = error.response.status_code if isinstance(error, InvalidStatus) else None
                self._note(_words(error))
            except Exception as error:
                # Whatever it was: a robot that never connects again would stand for ever.
                self.refusal = f"the connection ended with an error: {error!r}"
                with written(__name__) as log:
                    log.exception("%s: the connection ended with an error", self.url)
            finally:
                if self._link is not None:
                    self._link.freshness.ended()
                    self._unanswered += self._link.freshness.unanswered
                self._link = None
            # Taking back what somebody took would make two robots' programs take it in turns.
            self._takeover = self._takeover and code != LEASE_LOST
            lasted = 0.0 if began is None else self._clock() - began
            pause = self._retry.next_pause(code, answered=self._recorder.count > before, lasted_seconds=lasted)
            await self._wait(pause * (0.5 + random.random()), code)  # noqa: S311 - spreads robots, hides nothing

    async def _wait(self, seconds: float, code: int | None) -> None:
        if code is not None:
            await asyncio.sleep(seconds)
            return
        # A stop does not wait for the network's next turn.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)

    def _note(self, text: str) -> None:
        if text != self.refusal:
            with written(__name__) as log:
                log.warning("%s: %s", self.url, text)
        self.refusal = text

    async def _serve(self, link: Link) -> None:
        hello: dict[str, Any] = {"writer": self._writer, "run": self._run_id, "takeover": self._takeover}
        hello["stop_epoch"] = self._stop.stop_epoch
        if self._robot is not None:
            hello["robot"] = self._robot
        await link.greet(hello)
        async with link.tasks(self._outbox, self._images, self._stop, self._next_sequence):
            async for body in link.messages():
                self._on_message(link, body)

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def _on_message(self, link: Link, body: dict[str, Any]) -> None:
        if body.get("stopped") is True:
            self._stop.confirmed(body.get("task_id"))
            self._stop_confirmed.set()
        elif isinstance(body.get("hello"), dict):
            self._greeted(link, body["hello"])
        elif "seq" in body:
            self._answered(link, body)

    def _greeted(self, link: Link, hello: dict[str, Any]) -> None:
        link.freshness.boot_id, self.refusal = str(hello.get("boot_id", "")), None
        link.greeted = True
        self._ended = None
        self._stop.greeted(hello.get("task_id"))
        self.wake()

    def _answered(self, link: Link, body: dict[str, Any]) -> None:
        took = link.freshness.answered(body, self._clock())
        if took is None:
            return
        self.answer = body
        self._recorder.took(took)
        if body.get("state") in states.ENDED:
            self._ended = Command(state=str(body["state"]), reason=str(body.get("reason")))
            if self._looks_for_next_task:
                link.ends()
        if self._on_answer is not None:
            self._on_answer(body)
        link.wake.set()


def _words(error: Exception) -> str:
    if isinstance(error, InvalidStatus):
        said = (error.response.body or b"").decode(errors="replace")[:200]
        return f"HTTP {error.response.status_code}: {said}"
    return str(error) or type(error).__name__
