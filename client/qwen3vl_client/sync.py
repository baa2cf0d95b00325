"""The same robot for a plain control loop: the connection lives on a thread of its own, which no command waits for."""

import asyncio
import atexit
import concurrent.futures
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from qwen3vl_client import states
from qwen3vl_client.freshness import Command
from qwen3vl_client.logs import written
from qwen3vl_client.outbox import PendingFrame
from qwen3vl_client.protocol import Odometry
from qwen3vl_client.robot import STOP_SECONDS, ClosedError, Robot, boot_time
from qwen3vl_client.statistics import Statistics

JOIN_SECONDS = 2.0
ANSWER_SECONDS = 0.5
"""How much longer than asked for `stop` waits for a thread that does not answer."""


class SyncRobot:
    """One robot and its task, for programs without an event loop.

    `with SyncRobot(url, key=key) as robot:`, or `start()` and `close()`. Every call may come from any thread. Where the
    connection's thread has ended, whatever the cause, `command()` is zero and its reason says so.

    Args:
        url, key, writer, takeover, robot: as for `Robot`.
        on_answer: is called with every answer, on the connection's thread; must not wait.

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
        on_answer: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._robot = Robot(url, key=key, writer=writer, takeover=takeover, robot=robot, on_answer=on_answer)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._end: asyncio.Event | None = None
        self._ready = threading.Event()
        self._waking = False
        self._closed = False
        self._error: str | None = None

    def start(self) -> Self:
        """Begin to connect; returns at once.

        Raises:
            ClosedError: it was closed before.
        """
        if self._closed:
            raise ClosedError("this robot was closed; make another one")
        if self._thread is None:
            self._thread = threading.Thread(target=self._live, name="qwen3vl-robot", daemon=True)
            self._thread.start()
            atexit.register(self.close)
            self._ready.wait(JOIN_SECONDS)
        return self

    def close(self) -> None:
        """End the connection; the robot stands. Calling it again changes nothing."""
        self._closed = True
        atexit.unregister(self.close)
        # After a fork the thread lives in the parent only, and so does the connection: it is left alone here.
        if self._thread is None or not self._thread.is_alive() or self._loop is None or self._end is None:
            return
        self._loop.call_soon_threadsafe(self._end.set)
        if threading.current_thread() is not self._thread:
            self._thread.join(JOIN_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What a control loop calls --------------------------------------------------------------------------------------

    def command(self) -> Command:
        """What the base should do now: zero unless a fresh answer says otherwise. Never waits and never raises."""
        why = self._absence()
        return self._robot.command() if why is None else Command(state=states.ERROR, reason=why)

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
        """Send an image (None: a tick) as soon as may be; see `Robot.send`.

        Raises:
            ClosedError: not started, closed, or the connection's thread has ended.
        """
        self._need()
        now = boot_time()
        captured = now if captured_seconds is None else captured_seconds
        dated = captured_seconds is not None
        self._robot.offer(
            PendingFrame(jpeg, captured, now, odometry, force_key, blocked, emergency_stop, dated, camera)
        )
        # One wake-up at a time: a loop that is late must not gather thousands.
        if not self._waking:
            self._waking = True
            self._soon(self._wake)

    def tick(self, *, odometry: Odometry | None = None, blocked: bool = False, emergency_stop: bool = False) -> None:
        """Ask for the next answer without an image."""
        self.send(None, odometry=odometry, blocked=blocked, emergency_stop=emergency_stop)

    def stop(self, *, wait_seconds: float = STOP_SECONDS) -> bool:
        """Stop the task for good; whether the server has confirmed it within this time. See `Robot.stop`.

        Raises:
            ClosedError: not started, closed, or the connection's thread has ended; the robot stands then anyway.
        """
        self._need()
        self._robot.request_stop()
        assert self._loop is not None
        try:
            asked = asyncio.run_coroutine_threadsafe(self._robot.stop_confirmed(wait_seconds), self._loop)
            return asked.result(wait_seconds + ANSWER_SECONDS)
        except (TimeoutError, concurrent.futures.CancelledError, RuntimeError):
            return False

    def cut(self) -> None:
        """Hear nothing more on this connection; see `Robot.cut`."""
        self._need()
        self._soon(self._robot.cut)

    # What may be looked at ------------------------------------------------------------------------------------------

    @property
    def answer(self) -> dict[str, Any] | None:
        """The newest answer, whole."""
        return self._robot.answer

    @property
    def refusal(self) -> str | None:
        """Why there is no connection, as far as the server said."""
        return self._robot.refusal

    @property
    def connections(self) -> int:
        """How often it connected."""
        return self._robot.connections

    @property
    def statistics(self) -> Statistics:
        """How quick the answers were so far."""
        return self._robot.statistics

    @property
    def alive(self) -> bool:
        """The connection's thread lives in this process."""
        return self._absence() is None

    # The thread -----------------------------------------------------------------------------------------------------

    def _absence(self) -> str | None:
        if self._closed:
            return states.CLOSED
        if self._thread is None:
            return states.NOT_STARTED
        if not self._thread.is_alive():
            return f"thread_ended: {self._error or 'not in this process'}"
        if self._loop is None:
            return states.NOT_STARTED
        return None

    def _need(self) -> None:
        why = self._absence()
        if why is not None:
            raise ClosedError(f"the robot's connection does not live: {why}")

    def _soon(self, call: Callable[[], None]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError as error:
            raise ClosedError(f"the robot's connection does not live: {error}") from None

    def _wake(self) -> None:
        self._waking = False
        self._robot.wake()

    def _live(self) -> None:
        try:
            asyncio.run(self._connect())
        except BaseException as error:
            self._error = repr(error)
            with written(__name__) as log:
                log.exception("the thread of a robot's connection has ended")
        finally:
            self._ready.set()

    async def _connect(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with self._robot as robot:
            self._ready.set()
            await robot.until(self._end)
