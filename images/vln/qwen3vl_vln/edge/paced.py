"""The WebSocket protocol of uvicorn with its pings, and with bounds on what one connection may have done for it.

A read of the socket may hold thousands of messages. They are taken apart piece by piece, at a bounded rate; those above
the bucket are dropped unread, since an answer to one that has waited would be about a moment that is over; and whoever
floods is shown out."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.frames import Frame

from qwen3vl_common.strangers import STRANGER, Stranger
from qwen3vl_vln.edge.floods import FLOOD_PER_SECOND, FLOOD_SECONDS, Bucket, Rate
from qwen3vl_vln.edge.images import START
from qwen3vl_vln.edge.pings import PingedWebSocket
from qwen3vl_vln.edge.stopping import SHORT_BYTES, STOP_FIELD
from qwen3vl_vln.edge.wire import MAGIC
from qwen3vl_vln.errors import TooManyFramesError

LIMIT = TooManyFramesError.close_code
PIECE_BYTES = 4096
"""Of a read, between two looks at the rate."""
PARSED_PER_SECOND, PARSED_AT_ONCE = 2000.0, 400.0
REST_SECONDS = 0.02
MESSAGES_AFTER_CLOSE = 64
FAREWELL_SECONDS = 1.0
"""From telling a flooding peer until its connection is closed, for it to read that first."""


def paced(dropped: Callable[[], None]) -> type[PingedWebSocket]:
    """The protocol (`Config(ws=...)`).

    Args:
        dropped: called for each message that was not read.
    """

    class PacedWebSocket(PingedWebSocket):
        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, app_state, _loop)
            self._stranger: Stranger | None = app_state.get(STRANGER)
            self._waiting = bytearray()
            self._bucket, self._rate = Bucket(), Rate()
            self._parsed = Bucket(PARSED_PER_SECOND, PARSED_AT_ONCE)
            self._after_close = 0
            self._resting = self._deaf = False

        # The connection -----------------------------------------------------------------------------------------

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            if self._stranger is not None:
                self._stranger = self._stranger.again()
                self._stranger.leave = lambda: self._show_out("neither a greeting nor a frame has come")

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._waiting.clear()
            self._known()

        def _known(self) -> None:
            if self._stranger is not None:
                self._stranger.known()
                self._stranger = None

        def _show_out(self, reason: str) -> None:
            if self._deaf or self.transport.is_closing():
                return
            self._deaf = True
            self._waiting.clear()
            self.transport.pause_reading()
            if self.handshake_complete and not self.close_sent:
                self.conn.send_close(LIMIT, reason)
                self.transport.write(b"".join(self.conn.data_to_send()))
                self.close_sent = True
                self.queue.put_nowait({"type": "websocket.disconnect", "code": LIMIT, "reason": reason})
            self.loop.call_later(FAREWELL_SECONDS, self.transport.close)

        # What comes ---------------------------------------------------------------------------------------------

        def data_received(self, data: bytes) -> None:
            self._waiting += data
            self._feed()

        def _feed(self) -> None:
            while self._waiting and not (self.read_paused or self._resting or self._deaf):
                if self.transport.is_closing():
                    self._waiting.clear()
                    return
                piece = bytes(self._waiting[:PIECE_BYTES])
                del self._waiting[:PIECE_BYTES]
                super().data_received(piece)
            if self._waiting and not self.transport.is_closing():
                self.transport.pause_reading()

        async def receive(self) -> Any:
            message = await self.queue.get()
            if self.read_paused and self.queue.empty():
                self.read_paused = False
                self._go_on()
            return message

        async def send(self, message: Any) -> None:
            if self._deaf:
                raise ClientDisconnected
            await super().send(message)
            if message["type"] == "websocket.close":
                self._go_on()  # what waits may end with the peer's own farewell

        def _go_on(self) -> None:
            self._feed()
            held = self._waiting or self.read_paused or self._resting or self._deaf
            if not held and not self.transport.is_closing():
                self.transport.resume_reading()

        def _rested(self) -> None:
            self._resting = False
            self._go_on()

        # Messages and what they are made of ---------------------------------------------------------------------

        def handle_text(self, event: Frame) -> None:
            self._count()
            super().handle_text(event)

        def handle_bytes(self, event: Frame) -> None:
            self._count()
            super().handle_bytes(event)

        def handle_cont(self, event: Frame) -> None:
            self._count()
            super().handle_cont(event)

        def handle_ping(self) -> None:
            self._count()
            super().handle_ping()

        def handle_pong(self, event: Frame) -> None:
            self._count()
            super().handle_pong(event)

        def _count(self) -> None:
            now = self.loop.time()
            if self.close_sent:
                self._after_close += 1
                if self._after_close > MESSAGES_AFTER_CLOSE:
                    self._show_out("")
            elif self._rate.floods(now):
                self._show_out(f"more than {FLOOD_PER_SECOND:g} messages a second in {FLOOD_SECONDS:g} s")
            elif not self._parsed.take(now) and not self._resting:
                self._resting = True
                if not self.transport.is_closing():
                    self.transport.pause_reading()
                self.loop.call_later(REST_SECONDS, self._rested)

        def send_receive_event_to_app(self) -> None:
            if not self.close_sent:
                first, text = self.frames[0], self.curr_msg_data_type == "text"
                stop = (text or first[:2] not in (MAGIC, START[:2])) and _may_stop(first)
                if not stop and not self._bucket.take(self.loop.time()):
                    self.frames = []
                    dropped()
                    return
                if not text or stop or b'"hello"' in first or b'"frame"' in first:
                    self._known()
            super().send_receive_event_to_app()

    return PacedWebSocket


def _may_stop(text: bytes) -> bool:
    """Whether a text is read however many came before it, since it may stop the robot. A greeting never does, and of a
    long one only both ends are looked at: an image's base64 holds any word."""
    ends = text if len(text) <= SHORT_BYTES else text[:SHORT_BYTES] + text[-SHORT_BYTES:]
    if b'"hello"' in ends:
        return False
    if len(text) > SHORT_BYTES or b'"frame"' in ends:
        return STOP_FIELD.search(ends) is not None
    return b"stop" in ends.lower() or "停".encode() in ends
