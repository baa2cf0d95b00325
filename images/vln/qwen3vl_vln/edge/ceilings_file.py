"""Reads the ceilings again when their file changes: a ConfigMap, mounted as a directory, which Kubernetes swaps."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from qwen3vl_vln.task.ceilings import Ceilings

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class CeilingsFile:
    """One such file.

    Raises:
        OSError, ValueError: it cannot be read at the start; nobody drives without the ceilings that were asked for.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = path.read_bytes()
        self.ceilings = Ceilings.read(self._content)

    def changed(self) -> bool:
        """Read it again; whether the ceilings are others now. Those read before hold on while it cannot be read."""
        try:
            content = self._path.read_bytes()
            if content == self._content:
                return False
            self._content = content
            ceilings, before = Ceilings.read(content), self.ceilings
        except (OSError, ValueError) as error:
            log.error("the ceilings cannot be read, those read before hold on: %s", error)
            return False
        self.ceilings = ceilings
        return ceilings != before

    async def watch(self, hold: Callable[[Ceilings], None]) -> None:
        """Tell of each change until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.changed():
                log.info("the ceilings were read again: %s", dict(self.ceilings.values))
                hold(self.ceilings)
