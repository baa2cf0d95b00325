"""Many streams at once: opened one after another, then watched for as long as their events are due."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from hack.bench.gatewaybench.asking import http_request
from hack.bench.gatewaybench.figures import quantile
from hack.bench.gatewaybench.schedule import MARK, Schedule

OPENED_PER_SECOND = 800
OPENING_SECONDS = 1.0
"""Beside the time that opening takes at this pace."""
IN_TIME_SECONDS = 0.25
ENOUGH_SHARE = 0.95
LATE_SECONDS = 3.0
"""So long after the last event is due, the rest is taken for lost."""
LOOK_SECONDS = 0.1
MARK_BYTES = len("chatcmpl-") + 16


@dataclass
class Stream(asyncio.Protocol):
    """One stream of one connection.

    Attributes:
        arrivals: seconds, monotonic, and when the event was due, in the same unit; the first event of all is left out.
        error: what ended it, where it did not end by `[DONE]`.
    """

    request: bytes
    arrivals: list[tuple[float, float]] = field(default_factory=list)
    opened: bool = False
    done: bool = False
    error: str = ""
    _tail: bytes = b""
    _transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now, data = time.monotonic(), self._tail + data
        if not self.opened:
            self.opened = True
            if not data.startswith(b"HTTP/1.1 200"):
                self.fail(data[:200].decode(errors="replace"))
        read = 0
        for mark in MARK.finditer(data):
            read = mark.end()
            if due_us := int(mark[1]):
                self.arrivals.append((now, due_us / 1e6))
        # A mark may be cut in two.
        self._tail = data[max(read, len(data) - MARK_BYTES + 1) :]
        if b'"error"' in data:
            self.fail(data[:200].decode(errors="replace"))
        elif b"[DONE]" in data:
            self.done = True

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done:
            self.fail("the connection was closed in the middle of the stream")

    def fail(self, error: str) -> None:
        """Remember the first thing that went wrong."""
        self.error = self.error or error

    def close(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()


@dataclass(frozen=True)
class Watched:
    """What was seen of many streams.

    Attributes:
        in_time: share of the owed events that came no later than 0.25 s after they were due.
        gap_p99_seconds: of the time between two events of one stream; None where no stream had two.
        errors: streams that did not end by `[DONE]`, or were answered with an error.
        example: one of the errors.
    """

    in_time: float
    gap_p99_seconds: float | None
    errors: int
    example: str

    @property
    def kept_up(self) -> bool:
        """Whether 95 % of the events came in time."""
        return self.in_time >= ENOUGH_SHARE


def watched(streams: Sequence[Stream], owed: int) -> Watched:
    """The figures of streams that have ended or were given up."""
    in_time = sum(at - due <= IN_TIME_SECONDS for stream in streams for at, due in stream.arrivals)
    gaps = [
        later[0] - at[0] for stream in streams for at, later in zip(stream.arrivals, stream.arrivals[1:], strict=False)
    ]
    failed = [stream.error for stream in streams if stream.error]
    return Watched(in_time / owed, quantile(gaps, 0.99) if gaps else None, len(failed), failed[0] if failed else "")


async def watch(port: int, count: int, tokens_per_second: float, seconds: float) -> Watched:
    """Open so many streams at one rate of tokens and watch them for so many seconds."""
    loop, events = asyncio.get_running_loop(), max(2, round(tokens_per_second * seconds))
    interval_us = round(1e6 / tokens_per_second)
    start_ms = round(1000 * (time.monotonic() + count / OPENED_PER_SECOND + OPENING_SECONDS))
    streams: list[Stream] = []
    opening: list[asyncio.Task[object]] = []
    began = time.monotonic()
    for number in range(count):
        # Engines do not speak in unison.
        schedule = Schedule(start_ms + random.randrange(max(1, interval_us // 1000)), interval_us, events)  # noqa: S311
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True} | schedule.fields()
        stream = Stream(http_request(json.dumps(body).encode()))
        streams.append(stream)
        opening.append(asyncio.create_task(_open(loop, stream, port)))
        await asyncio.sleep(max(0.0, began + number / OPENED_PER_SECOND - time.monotonic()))
    await asyncio.gather(*opening)
    last = start_ms / 1000 + (events + 1) * interval_us / 1e6 + LATE_SECONDS
    for _ in range(round((last - time.monotonic()) / LOOK_SECONDS)):
        if all(stream.done or stream.error for stream in streams):
            break
        await asyncio.sleep(LOOK_SECONDS)
    for stream in streams:
        if not stream.done:
            stream.fail(f"not ended {LATE_SECONDS:g} s after its last event was due")
        stream.close()
    await asyncio.sleep(2 * LOOK_SECONDS)  # the closed ones leave the proxy
    return watched(streams, count * events)


async def _open(loop: asyncio.AbstractEventLoop, stream: Stream, port: int) -> None:
    try:
        await loop.create_connection(lambda: stream, "127.0.0.1", port)
    except OSError as error:
        stream.fail(str(error))
