"""Requests that a client sends ahead of an answer: kept as bytes, and read one at a time, for a parsed request costs
more memory than its bytes."""

from qwen3vl_server.gateway.front.connection import Phase
from qwen3vl_server.gateway.front.heads import HeadReader

_SLICE = 16 * 1024
"""Read at a time of what came ahead: less has to be put back."""


class PipelinedReader(HeadReader):
    """A connection that reads the next request once the last one is answered and the answer was taken."""

    _tight = False
    """Told of every byte that the client does not take."""

    def read_body(self, data: bytes) -> None:
        """Some bytes of a body, and perhaps of what follows it."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase is Phase.BODY:
            self.read_body(data)
        elif phase is Phase.HEAD and not self._ahead:
            self.read_head(data)
        elif phase is Phase.DROP:
            self.drop(len(data))
        elif phase is not Phase.CLOSED:
            self._ahead += data
            self.bound_ahead()

    def put_back(self, data: bytes) -> None:
        """It belongs to the next request."""
        self._ahead[:0] = data
        self.bound_ahead()

    def bound_ahead(self) -> None:
        """Read no further where much is there already."""
        if len(self._ahead) <= self.front.limits.ahead_bytes:
            return
        in_room, hoarders = self._phase is Phase.ROOM, self.front.hoarders
        if not in_room and self._stranger is None and len(hoarders) < self.front.limits.hoarders:
            hoarders.add(self)
        kept = in_room or self in hoarders
        if kept or self._stranger is not None or self._phase is not Phase.ANSWER:
            self.patient.hold()
        # Else it is read on, and dropped: where nothing is read nobody sees a client leave.
        if kept:
            return
        self._dropped += len(self._ahead)
        self._ahead.clear()
        self._leaving = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def go_on(self) -> None:
        if self._phase is not Phase.HEAD or not self._ahead or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size():
            # Whoever sends requests and does not take the answers gets no further one. `resume_writing` goes on.
            self._tight = True
            self.transport.set_write_buffer_limits(high=0)
            return
        if self._tight:
            self._tight = False
            self.transport.set_write_buffer_limits()
        self._read_one()

    def _read_one(self) -> None:
        ahead = self._ahead
        more = True
        while ahead and more:
            data = bytes(ahead[:_SLICE])
            del ahead[:_SLICE]
            if self._phase is Phase.BODY:
                self.read_body(data)
            else:
                self.read_head(data)
            more = self._phase is Phase.BODY or (self._phase is Phase.HEAD and self._message is not None)
        if len(ahead) <= self.front.limits.ahead_bytes and self._phase is not Phase.ROOM:
            self.front.hoarders.discard(self)
            self.patient.let_go()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._ahead and self._phase is Phase.HEAD:
            self.loop.call_soon(self.go_on)
