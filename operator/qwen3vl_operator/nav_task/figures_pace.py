"""News of walks that are nothing but figures, handed on at a pace: a thousand robots must not fill the queue."""

import asyncio
from collections.abc import Callable

from qwen3vl_operator.kube.key import Key

PER_SECOND = 25
"""A little more than may be written: what waits longer would be looked at in vain."""


class FiguresPace:
    """Hands keys on in the order in which they came, each once however often it came meanwhile.

    Args:
        notify: takes them.
    """

    def __init__(self, notify: Callable[[Key], None]) -> None:
        self._notify = notify
        self._waiting: dict[Key, None] = {}
        self._came = asyncio.Event()

    def add(self, key: Key) -> None:
        """There are new figures."""
        self._waiting[key] = None
        self._came.set()

    async def run(self) -> None:
        """Hand on for ever."""
        while True:
            await self._came.wait()
            key = next(iter(self._waiting))
            del self._waiting[key]
            if not self._waiting:
                self._came.clear()
            self._notify(key)
            await asyncio.sleep(1 / PER_SECOND)
