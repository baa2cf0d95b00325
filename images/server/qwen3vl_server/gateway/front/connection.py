"""One connection: what is written to it, how long it may take, and how it ends."""

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from qwen3vl_common.errors import Overloaded
from qwen3vl_common.strangers import STRANGER, Stranger
from qwen3vl_server.gateway.front import wire
from qwen3vl_server.gateway.front.exchange import Exchange
from qwen3vl_server.gateway.front.flow import PatientFlow
from qwen3vl_server.gateway.front.ledger import Reservation
from qwen3vl_server.gateway.front.message import Message

if TYPE_CHECKING:
    from qwen3vl_server.gateway.front.front import Front


class Phase(Enum):
    """What a connection waits for."""

    HEAD = auto()
    ROOM = auto()
    """Its body is not read yet, for others' bodies are in flight."""
    BODY = auto()
    ANSWER = auto()
    DROP = auto()
    """It was answered before its body; some of that is still read, so that the client sees the answer."""
    CLOSED = auto()


class FrontConnection(HttpToolsProtocol):
    """A connection without what is read from it.

    Attributes:
        front: what connections share; given by `Front.protocol`.
    """

    front: "Front"
    patient: PatientFlow

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, dict(app_state), _loop)
        self._phase = Phase.HEAD
        self._since = self.front.sweeper.now
        self._message: Message | None = None
        self._reservation: Reservation | None = None
        self._exchange: Exchange | None = None
        self._stranger: Stranger | None = None
        self._body = bytearray()
        """What came of a body whose length was told."""
        self._ahead = bytearray()
        """Came before it could be read: requests after the one that is answered, or a body that waits for room."""
        self._leaving = self._served = False
        self._came = self._window_came = 0
        self._dropped = 0
        self._written = self._taken = 0
        self._taken_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        self.flow = self.patient = PatientFlow(transport)
        front = self.front
        self._since = front.sweeper.now
        front.sweeper.add(self)
        self.address = self.client[0] if self.client else ""
        if front.strangers.full(self.address):
            # At once, and without reading: connections beyond the limit must not pile up here instead.
            full = Overloaded("too many connections have not shown a valid key")
            headers = [*self.default_headers, *front.door.refused(full, {})]
            self.send(wire.error_answer(full, headers, close=True))
            self._close()
            return
        self._stranger = front.strangers.meet(transport, self.address)
        self._stranger.leave = transport.abort
        self.app_state[STRANGER] = self._stranger

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.front.sweeper.remove(self)
        if self._stranger is not None:
            self._stranger.known()
        self._end_exchange()
        if self._message is not None:
            self._message.forget_parser()
        self._phase, self._message = Phase.CLOSED, None
        self._ahead.clear()
        self.front.hoarders.discard(self)

    def eof_received(self) -> None:
        self._end_exchange()

    def _end_exchange(self) -> None:
        self._release()
        if self._exchange is not None:
            self._exchange.leave()

    def _release(self) -> None:
        if self._reservation is not None:
            self._body = bytearray()  # its room goes to others at once
            self._reservation.release()
            self._reservation = None

    def shutdown(self) -> None:
        """No further request; the one that has begun is finished."""
        self._leaving = True
        if self._phase is Phase.HEAD and self._message is None and not self._ahead:
            self._close()
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    # What an exchange asks of it.

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        return self.server_state.default_headers

    @property
    def leaving(self) -> bool:
        return self._leaving or self.front.drain.told

    def send(self, data: bytes | memoryview) -> None:
        if not self.transport.is_closing():
            self._written += len(data)
            self.transport.write(data)

    async def drained(self) -> None:
        if self.flow.write_paused:
            await self.flow.drain()

    def answered(self, *, keep_alive: bool) -> None:
        self.server_state.total_requests += 1
        self._exchange = self._message = None
        if self._stranger is not None:
            self._stranger.busy = False
        if self.transport.is_closing():
            self._phase = Phase.CLOSED
        elif keep_alive and not self._leaving:
            self._phase, self._since, self._served = Phase.HEAD, self.front.sweeper.now, True
            if self._ahead:
                self.loop.call_soon(self.go_on)
        elif self._ahead or self.patient.held or self._dropped:
            self.drop_rest(len(self._ahead))
        else:
            self._close()

    def go_on(self) -> None:
        """Read what came ahead of its time."""
        raise NotImplementedError

    def look(self, now: float) -> None:
        """End what has taken too long."""
        raise NotImplementedError

    def give_up(self) -> None:
        self._exchange = None
        self._close()

    def _close(self) -> None:
        self._phase = Phase.CLOSED
        self.transport.close()

    def drop_rest(self, already: int) -> None:
        """The answer was the last one; what the client still sends is read for a while, and `already` bytes were."""
        self._ahead.clear()
        self.front.hoarders.discard(self)
        self._phase, self._since, self._dropped = Phase.DROP, self.front.sweeper.now, 0
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self.patient.let_go()
        self.drop(already)

    def drop(self, size: int) -> None:
        """So many bytes that nobody wants."""
        limits, known = self.front.limits, self._stranger is None
        self._dropped += size
        if self._dropped > (limits.refused_known_bytes if known else limits.refused_bytes):
            self.patient.hold()
