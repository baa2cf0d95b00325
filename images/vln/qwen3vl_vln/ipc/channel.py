"""How the two processes talk: small messages over a socket pair, pictures through memory that both have mapped.

The edge writes a slot only after the worker asked for a frame, and the worker asks again only after it has read it:
nobody ever writes where the other reads."""

import asyncio
import contextlib
import mmap
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

Message = dict[str, Any]
LONGEST_MESSAGE = 1 << 20


@dataclass
class Arena:
    """Slots of equal size in one memory file; pages that were never written take no memory."""

    fd: int
    slots: int
    slot_bytes: int

    def __post_init__(self) -> None:
        self._memory = mmap.mmap(self.fd, self.slots * self.slot_bytes)

    @classmethod
    def make(cls, slots: int, slot_bytes: int) -> "Arena":
        """A new arena; children inherit `fd`."""
        fd = os.memfd_create("qwen3vl-frames", 0)
        os.ftruncate(fd, slots * slot_bytes)
        return cls(fd, slots, slot_bytes)

    def write(self, slot: int, data: bytes) -> None:
        """Put a picture into a slot; at most `slot_bytes`."""
        start = slot * self.slot_bytes
        self._memory[start : start + len(data)] = data

    def read(self, slot: int, size: int) -> bytes:
        """A copy of a picture."""
        start = slot * self.slot_bytes
        return self._memory[start : start + size]


class Channel:
    """One end of the socket pair: JSON messages, one a line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, end: socket.socket) -> "Channel":
        """The channel over one end of a socket pair."""
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end, limit=LONGEST_MESSAGE))

    def send(self, message: Message) -> None:
        """Send soon; a closed other end is noticed by the reader."""
        if not self._writer.is_closing():
            self._writer.write(orjson.dumps(message) + b"\n")

    async def messages(self) -> AsyncIterator[Message]:
        """What comes, until the other end is closed."""
        while True:
            try:
                line = await self._reader.readline()
            except ConnectionError:
                return
            if not line:
                return
            yield orjson.loads(line)

    async def close(self) -> None:
        """Close this end."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
