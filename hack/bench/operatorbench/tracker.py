"""What watches have told so far, and waiting for what they will tell."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hack.bench.operatorbench.cluster import Object

See = Callable[[str, Object], None]


@dataclass
class Tracker:
    """The newest state of objects, as a function of each kind reads it: plural and name → fact.

    Attributes:
        changed_at: monotonic time of the last event.
    """

    facts: dict[tuple[str, str], Any] = field(default_factory=dict)
    changed_at: float = field(default_factory=time.monotonic)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def seer(self, plural: str, fact: Callable[[Object], Any]) -> See:
        """What a watch of that kind calls with each event."""

        def see(kind: str, body: Object) -> None:
            key = plural, body["metadata"]["name"]
            if kind == "DELETED":
                self.facts.pop(key, None)
            else:
                self.facts[key] = fact(body)
            self.changed_at = time.monotonic()
            self._changed.set()

        return see

    async def until(self, holds: Callable[[], bool], *, pause_seconds: float = 0.0) -> None:
        """Wait until it holds; it is asked after each event, but not more often than with this pause."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()
            await asyncio.sleep(pause_seconds)
