"""The least an engine can do: read a request by its content length, answer a constant, or a stream on its schedule."""

import asyncio
import json
import time
from typing import cast

from hack.bench.gatewaybench.schedule import Schedule, chunked, event

ANSWER = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}).encode()
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_END = chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"
SMALL_BYTES = 4096
"""Only a body without a picture is looked into: it may ask for a stream."""


class Stub(asyncio.Protocol):
    """See the module."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.loop = asyncio.get_running_loop()
        self.buffer = bytearray()
        self.head = self.need = 0

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.need and (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end]).lower()
            _, found, length = head.partition(b"content-length:")
            self.head = end + 4
            self.need = self.head + (int(length.split(b"\r\n")[0]) if found else 0)
        if self.need and len(self.buffer) >= self.need:
            body = bytes(self.buffer[self.head : self.need]) if self.need - self.head < SMALL_BYTES else b""
            del self.buffer[: self.need]
            self.need = 0
            self.answer(body)

    def answer(self, body: bytes) -> None:
        if b'"stream"' not in body:
            self.transport.write(REPLY)
            return
        self.schedule, self.number = Schedule.of(json.loads(body)), 0
        # The first event comes at once: by it the client knows that its stream is open.
        self.transport.write(STREAM_HEAD + chunked(event(0)))
        self.loop.call_at(self.schedule.due_us(0) / 1e6, self.send_due)

    def send_due(self) -> None:
        if self.transport.is_closing():
            return
        now_us, schedule, events = time.monotonic_ns() // 1000, self.schedule, b""
        # Timers step by a millisecond.
        while self.number < schedule.count and (due := schedule.due_us(self.number)) <= now_us + 1000:
            events += chunked(event(due))
            self.number += 1
        if self.number == schedule.count:
            self.transport.write(events + STREAM_END)
            return
        if events:
            self.transport.write(events)
        self.loop.call_at(schedule.due_us(self.number) / 1e6, self.send_due)


async def serve(port: int) -> None:
    """Serve until the process ends."""
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()
