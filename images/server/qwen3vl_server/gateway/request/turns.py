"""Turns of the event loop: long work on one request lets others have theirs."""

import asyncio
from dataclasses import dataclass

from qwen3vl_server.gateway.request.limits import SLICE_BYTES


@dataclass(slots=True)
class Turns:
    """Of one request."""

    _used: int = 0

    async def take(self, size: int) -> None:
        """Before work on so many bytes: waits for another turn where this one is used up."""
        self._used += size
        if self._used > SLICE_BYTES:
            await asyncio.sleep(0)
            self._used = size
