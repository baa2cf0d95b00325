"""What a stream's request tells the stub, in fields that every proxy hands on, and the mark on each event.

All processes of the bench run on one machine, so they share the monotonic clock.
"""

import re
from dataclasses import dataclass

MARK = re.compile(rb"chatcmpl-(\d{16})")
"""In each event: when the engine owed it, in microseconds of the monotonic clock."""
_INTERVAL_US = 10**7
"""Intervals are shorter than this; the start stands above them in one integer of 64 bits."""


@dataclass(frozen=True)
class Schedule:
    """When a stream's events are due: `count` of them from `start` on (monotonic, ms), `interval_us` apart."""

    start_ms: int
    interval_us: int
    count: int

    def fields(self) -> dict[str, int]:
        """As fields of a chat request."""
        if not 0 < self.interval_us < _INTERVAL_US:
            raise ValueError(f"an interval of {self.interval_us} us")
        return {"seed": self.start_ms * _INTERVAL_US + self.interval_us, "max_tokens": self.count}

    @classmethod
    def of(cls, body: dict[str, int]) -> "Schedule":
        """From a request that came through a proxy."""
        return cls(*divmod(body["seed"], _INTERVAL_US), body["max_tokens"])

    def due_us(self, number: int) -> int:
        """When event `number` (from 0) is due."""
        return self.start_ms * 1000 + number * self.interval_us


def event(due_us: int) -> bytes:
    """A token as engines send one, with its mark."""
    return (
        b'data: {"id":"chatcmpl-%016d","object":"chat.completion.chunk","created":1700000000,"model":"m",'
        b'"choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}\n\n' % due_us
    )


def chunked(content: bytes) -> bytes:
    """One chunk of HTTP's chunked coding."""
    return b"%x\r\n%s\r\n" % (len(content), content)
