"""Whole events out of a stream's chunks, so that comments and errors can follow a stream anywhere. Pure.

A half-sent event cannot be taken back: clients would try to read it as JSON and never see the error behind it."""

END = b"\n\n"
END_CRLF = b"\n\r\n"
"""Also the end of `\\r\\n\\r\\n`."""
HELD_BYTES = 1 << 20
"""More than that of one event is passed on before its end."""


class WholeEvents:
    """Hands on bytes unchanged and in order, up to the end of the last complete event.

    Attributes:
        inside: whether part of an event, too large to be held, was handed on without its end.
    """

    __slots__ = ("_held", "_seen", "inside")

    def __init__(self) -> None:
        self._held = bytearray()
        self._seen = 0
        self.inside = False

    def feed(self, chunk: bytes) -> bytes:
        """Bytes that may be sent now; empty while an event is incomplete."""
        if not self._held and chunk.endswith(END):
            self.inside = False
            return chunk
        self._held += chunk
        cut = self._end()
        if cut:
            self.inside = False
        elif len(self._held) > HELD_BYTES:
            # What may begin an end stays, so that it is not cut in two.
            cut = len(self._held) - len(END_CRLF)
            self.inside = True
        ready = bytes(self._held[:cut])
        del self._held[:cut]
        self._seen = len(self._held)
        return ready

    def _end(self) -> int:
        """Where the last complete event ends; 0: nowhere. What was searched before is not searched again."""
        start = max(0, self._seen - len(END_CRLF) + 1)
        ends = (position + len(mark) for mark in (END, END_CRLF) if (position := self._held.rfind(mark, start)) >= 0)
        return max(ends, default=0)

    @property
    def held(self) -> bytes:
        """The beginning of the event that is not complete."""
        return bytes(self._held)

    def rest(self) -> bytes:
        """What is left at the stream's regular end."""
        rest = self.held
        self._held.clear()
        self._seen = 0
        return rest
