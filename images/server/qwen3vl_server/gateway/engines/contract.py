"""What the engines' side is given by its caller: a request, someone who takes the answer, patience."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class EngineRequest(Protocol):
    """A request as an engine shall see it."""

    @property
    def body(self) -> bytes:
        """JSON, complete."""

    @property
    def stream(self) -> bool:
        """Whether an event stream was asked for."""


class Sink(Protocol):
    """The client's side of one answer. Each call waits while the client does not read."""

    @property
    def started(self) -> bool:
        """Whether the status was sent: errors are events from then on."""

    async def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], length: int | None) -> None:
        """Begin the answer; `length` None: not known before its end."""

    async def write(self, data: bytes | memoryview) -> None:
        """A piece of the body."""

    async def end(self) -> None:
        """The body is complete."""

    def release_body(self) -> None:
        """The request's body is not needed any more."""


@dataclass(frozen=True)
class Timeouts:
    """Patience with engines, in seconds: for a connection, for the answer's first byte (the whole answer where it is no
    stream), between two later ones."""

    connect: float
    first_byte: float
    idle: float


class Outgoing:
    """A request's body until no endpoint can be asked again: then nothing here refers to it."""

    __slots__ = ("_sink", "body")

    def __init__(self, body: bytes, sink: Sink) -> None:
        self.body = body
        self._sink = sink

    def release(self) -> None:
        """Once more is no error."""
        if self.body:
            self.body = b""
            self._sink.release_body()
