"""An answer as it goes out: head, body in the framing that the client understands, end."""

import asyncio
from typing import Protocol

from qwen3vl_server.gateway.front import wire

_BODILESS = (204, 304)


class Connection(Protocol):
    """What an exchange needs of the connection that it came by.

    Attributes:
        tasks: those that the server waits for before it ends.
    """

    tasks: set[asyncio.Task[None]]

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def leaving(self) -> bool:
        """The client's next request must find another server."""
        ...

    def send(self, data: bytes | memoryview) -> None: ...
    async def drained(self) -> None:
        """Wait while the client does not read."""
        ...

    def answered(self, *, keep_alive: bool) -> None:
        """The answer is complete."""
        ...

    def give_up(self) -> None:
        """The answer cannot be completed: the client must see that."""
        ...


class AnswerWriter:
    """Writes one answer to its connection.

    Args:
        version: of HTTP, as the client speaks it: 1.0 knows no chunks.
        keep_alive: whether the client would use the connection again.

    Attributes:
        started: a status was sent.
        keep_alive: whether the connection can go on after this answer.
    """

    __slots__ = ("_chunked", "_connection", "_head_unsent", "_left", "_version", "keep_alive", "started")

    def __init__(self, connection: Connection, version: str, keep_alive: bool) -> None:
        self._connection, self._version, self.keep_alive = connection, version, keep_alive
        self.started = self._chunked = False
        self._head_unsent = b""
        self._left: int | None = None

    def begin(self, status: int, headers: wire.Headers, length: int | None) -> None:
        """Status and headers, which go out with the first byte of a body whose length is known.

        Raises:
            RuntimeError: it was begun before.
            ValueError: a header cannot be sent.
        """
        if self.started:
            raise RuntimeError("the answer was begun already")
        connection = self._connection
        if status in _BODILESS:
            length, chunked, framing = 0, False, b""
        else:
            chunked = length is None and self._version == "1.1"
            framing = wire.CHUNKED if chunked else b"" if length is None else wire.length_line(length)
        keep_alive = self.keep_alive and not connection.leaving and (length is not None or chunked)
        head = wire.head_of(status, [*connection.default_headers, *headers], framing, close=not keep_alive)
        self.started, self._chunked, self._left, self.keep_alive = True, chunked, length, keep_alive
        if length:
            self._head_unsent = head
        else:
            connection.send(head)

    def put(self, data: bytes | memoryview) -> None:
        """Some of the body.

        Raises:
            RuntimeError: not begun, or more than was announced.
        """
        if not self.started:
            raise RuntimeError("the answer has not begun")
        if not data:
            return
        if self._chunked:
            self._connection.send(wire.chunk(data))
            return
        if self._left is not None:
            if len(data) > self._left:
                raise RuntimeError("the answer is longer than was announced")
            self._left -= len(data)
        if self._head_unsent:
            data, self._head_unsent = self._head_unsent + data, b""
        self._connection.send(data)

    def take_back(self) -> None:
        """Begin anew, if nothing went out yet."""
        if self._head_unsent:
            self.started, self._head_unsent = False, b""

    @property
    def has_a_length(self) -> bool:
        """Whether its length was announced, so that nothing can be added."""
        return self._left is not None

    @property
    def short(self) -> bool:
        """Whether more was announced than came."""
        return not self.started or bool(self._left)

    def last(self) -> None:
        """Say that it is complete."""
        if self._chunked:
            self._connection.send(wire.LAST_CHUNK)
