"""How the two processes talk: messages over a socket pair, one a line. Images lie in memory that both have mapped
(`frame_slots`)."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from qwen3vl_vln.ipc.messages import encode
from qwen3vl_vln.ipc.to_edge import ToEdge
from qwen3vl_vln.ipc.to_worker import ToWorker

LONGEST_MESSAGE = 1 << 20

Sent = TypeVar("Sent", bound=ToWorker | ToEdge)
Received = TypeVar("Received", bound=ToWorker | ToEdge)


class Channel(Generic[Sent, Received]):
    """One end of the socket pair.

    Args:
        decode: reads a message of the other end.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decode: Callable[[bytes], Received]
    ) -> None:
        self._reader, self._writer, self._decode = reader, writer, decode

    @classmethod
    async def over(cls, end: socket.socket, decode: Callable[[bytes], Received]) -> "Channel[Sent, Received]":
        """The channel over one end of a socket pair."""
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end, limit=LONGEST_MESSAGE), decode)

    def send(self, message: Sent) -> None:
        """Send soon; a closed other end is noticed by the reader."""
        if not self._writer.is_closing():
            self._writer.write(encode(message) + b"\n")

    async def messages(self) -> AsyncIterator[Received]:
        """What comes, until the other end is closed.

        Raises:
            UnreadableMessageError: it is no message.
        """
        while True:
            try:
                line = await self._reader.readline()
            except ConnectionError:
                return
            if not line:
                return
            yield self._decode(line)

    async def close(self) -> None:
        """Close this end."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


EdgeEnd = Channel[ToWorker, ToEdge]
WorkerEnd = Channel[ToEdge, ToWorker]
