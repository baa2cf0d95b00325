"""One connection to an engine: one request at a time, one coroutine that waits for what comes of it."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from qwen3vl_server.gateway.engines.answer import Answer

HELD_BYTES = 1 << 16
"""Of a stream that its client does not take; the engine waits then."""
RECEIVED_BYTES = 1 << 16
"""What the kernel may hold of it, and hence the most that one read adds."""
WRITTEN_BYTES = 1 << 20
"""Of a request that the kernel has not taken; more is not written before it does."""


class Connection(asyncio.Protocol):
    """Made by the loop.

    Attributes:
        reused: whether it carried a request before.
        heard_at: when the last byte came, or might have come for the first time; the loop's clock.
        writable: whether more may be written.
        half_sent: a request was begun and not written to its end.
        answer: of the present request.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._reading = True
        self.reused = False
        self.heard_at = self.idle_since = 0.0
        self.writable = True
        self.half_sent = False
        self.answer: Answer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITTEN_BYTES)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        answer = self.answer
        if answer is None:
            self.abort()  # nobody asked
            return
        self.heard_at = self._loop.time()
        answer.feed(data)
        if answer.streaming and answer.buffered > HELD_BYTES and self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()
        if answer.news:
            self.wake()

    def eof_received(self) -> None:
        """Called by the loop, which closes the connection then."""
        self._ended(orderly=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._transport = None
        self._ended(orderly=exc is None)

    def pause_writing(self) -> None:
        """Called by the loop."""
        self.writable = False

    def resume_writing(self) -> None:
        """Called by the loop."""
        self.writable = True
        self.wake()

    def _ended(self, *, orderly: bool) -> None:
        if self.answer is not None:
            self.answer.close(orderly=orderly)
            self.wake()

    @property
    def open(self) -> bool:
        """Whether a request may be written."""
        return self._transport is not None and not self._transport.is_closing()

    def begin(self, on_status: Callable[[int], None]) -> Answer:
        """The answer to the request that is written next."""
        self.answer = answer = Answer(on_status)
        self.heard_at = self._loop.time()
        return answer

    def write(self, *pieces: bytes | memoryview) -> None:
        """Without waiting; nothing when the connection is lost, which the answer says."""
        if self._transport is not None and self.open:
            self._transport.writelines(pieces)
        else:
            self._ended(orderly=False)

    def take(self) -> bytes:
        """What came of a stream since the last time."""
        assert self.answer is not None, "nothing was asked"
        pieces = self.answer.take()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_on(self) -> None:
        """What was taken has gone to the client; the engine may send more."""
        if not self._reading:
            self._reading = True
            self.heard_at = self._loop.time()  # that nothing came was not the engine's fault
            if self._transport is not None and self.open:
                self._transport.resume_reading()

    def changed(self) -> "asyncio.Future[None]":
        """Done at the next news, when there is room to write, or by `wake`."""
        self._waiter = self._loop.create_future()
        return self._waiter

    def wake(self) -> None:
        """Whoever waits looks again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def finish(self) -> bool:
        """The request is over; whether another may follow."""
        answer = self._part()
        self.reused = True
        if answer is None or not answer.reusable or self.half_sent or not self._reading or self._transport is None:
            return False
        return not self._transport.is_closing() and not self._transport.get_write_buffer_size()

    def abort(self) -> None:
        """Close it at once: an engine cancels its work then."""
        self._part()
        if self._transport is not None:
            self._transport.abort()

    def _part(self) -> Answer | None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.part()
        return answer
