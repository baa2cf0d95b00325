"""Whole events out of a stream's chunks, so that an error event can follow a stream that breaks anywhere. Pure.

A half-sent event cannot be taken back: clients would try to read it as JSON and never see the error behind it."""

END = b"\n\n"
END_CRLF = b"\r\n\r\n"
HELD_BYTES = 1 << 20
"""More than that is passed on as it is: an event of that size is none that an engine sends."""


class WholeEvents:
    """Hands on bytes unchanged and in order, up to the end of the last complete event."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Bytes that may be sent now; empty while an event is incomplete."""
        if not self._held and chunk.endswith(END):
            return chunk
        content = self._held + chunk
        ends = (position + len(mark) for mark in (END, END_CRLF) if (position := content.rfind(mark)) >= 0)
        cut = len(content) if len(content) > HELD_BYTES else max(ends, default=0)
        self._held = content[cut:]
        return content[:cut]

    def rest(self) -> bytes:
        """What is left at the stream's regular end."""
        held, self._held = self._held, b""
        return held
