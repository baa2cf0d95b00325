"""One answer of an engine as its bytes come in: head, body, end. Pure: no socket, no clock."""

from collections.abc import Callable
from enum import StrEnum

import httptools

HEAD_BYTES = 65_536
"""Of an answer before its body, interim answers (1xx) included."""
WHOLE_BYTES = 64 << 20
"""Of an answer that is no stream."""
ERROR_BYTES = 65_536
"""How much is read of an answer whose status is not 200."""
_NO_BODY = (204, 304)


class Broken(StrEnum):
    """Why an answer will never be complete."""

    CLOSED = "closed"
    GARBAGE = "garbage"
    TOO_LARGE = "too_large"


class Answer:
    """Is fed what the engine sends. The `on_` methods are for the parser.

    Args:
        on_status: called with the final status when the head is complete.

    Attributes:
        status: 0 until the head is complete.
        content_type, retry_after: headers; empty where there is none.
        streaming: whether it is a stream of events.
        buffered: bytes of the body that were not taken yet.
        complete: whether the end was read.
        reusable: whether the connection may carry another request; false until `complete`.
        broken: why it never will be complete.
        touched: whether any byte came.
        flowing: whether any byte of a stream's events came: some engines send the head of one long before.
    """

    __slots__ = (
        "_chunked",
        "_head_bytes",
        "_interim",
        "_length",
        "_on_status",
        "_parser",
        "_pieces",
        "broken",
        "buffered",
        "complete",
        "content_type",
        "flowing",
        "retry_after",
        "reusable",
        "status",
        "streaming",
        "touched",
    )

    def __init__(self, on_status: Callable[[int], None]) -> None:
        self._on_status = on_status
        # It refers to us and we to it; `part` ends that.
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._head_bytes = 0
        self._interim = False
        self._length: int | None = None
        self._chunked = False
        self.status = 0
        self.content_type = self.retry_after = b""
        self.streaming = self.complete = self.reusable = self.touched = self.flowing = False
        self.broken: Broken | None = None
        self.buffered = 0

    @property
    def news(self) -> bool:
        """Whether there is something to act on: events, the whole answer, or that there will be none."""
        return self.complete or self.broken is not None or (self.streaming and self.buffered > 0)

    def feed(self, data: bytes) -> None:
        """Bytes from the engine."""
        self.touched = True
        if self.complete or self.broken or self._parser is None:
            self.reusable = False
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.reusable = False
            if not self.complete:
                self.broken = self.broken or Broken.GARBAGE
            return
        if not self.status:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.broken = Broken.GARBAGE

    def close(self, *, orderly: bool) -> None:
        """The engine closed the connection; `orderly`: it said that this is the end."""
        self.reusable = False
        if self.complete or self.broken:
            return
        if orderly and self.status and self._length is None and not self._chunked:
            self.complete = True
        else:
            self.broken = Broken.CLOSED

    def part(self) -> None:
        """Nothing will come any more: what is kept goes with the last reference, without the collector of cycles."""
        self._parser = None

    def take(self) -> list[bytes]:
        """The body's bytes since the last time."""
        pieces, self._pieces, self.buffered = self._pieces, [], 0
        return pieces

    def on_message_begin(self) -> None:
        """More than was asked for, when it comes behind the end."""
        self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field; after the head it is a trailer, which says nothing about the answer."""
        if self.status:
            return
        match name.lower():
            case b"content-type":
                self.content_type = value
            case b"retry-after":
                self.retry_after = value
            case b"content-length":
                self._length = int(value) if value.isdigit() and len(value) < 20 else -1
            case b"transfer-encoding":
                self._chunked = True
                if value.lower() != b"chunked":
                    self.broken = Broken.GARBAGE
            case b"content-encoding" if value.lower() != b"identity":
                self.broken = Broken.GARBAGE

    def on_headers_complete(self) -> None:
        """The head of a final or an interim answer."""
        status = self._parser.get_status_code() if self._parser else 0
        if 100 <= status < 200:
            self._interim = True
            return
        self.status = status
        self.streaming = status == 200 and self.content_type.lower().startswith(b"text/event-stream")
        if self._length is None and status in _NO_BODY:
            self._length = 0
        if not self.streaming and self._length is not None and not 0 <= self._length <= WHOLE_BYTES:
            self.broken = Broken.TOO_LARGE
        self._on_status(status)

    def on_body(self, data: bytes) -> None:
        """Part of the body."""
        if self.complete or self.broken:
            return
        self._pieces.append(data)
        self.buffered += len(data)
        if self.streaming:
            self.flowing = True
            return
        if self.status != 200 and self.buffered > ERROR_BYTES:
            self.complete = True
        elif self.buffered > WHOLE_BYTES:
            self._pieces.clear()
            self.broken = Broken.TOO_LARGE

    def on_message_complete(self) -> None:
        """The end of a final or an interim answer."""
        if self._interim:
            self._interim = False
            self._length, self._chunked, self.content_type, self.retry_after = None, False, b"", b""
        elif not self.complete and not self.broken:
            self.complete = True
            self.reusable = self._parser is not None and self._parser.should_keep_alive()
