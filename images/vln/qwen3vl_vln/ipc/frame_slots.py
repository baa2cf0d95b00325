"""Memory that both processes have mapped, for images: slots of equal size.

The edge writes a slot only after the worker asked for it, and the worker asks again only after it has read it: nobody
ever writes where the other reads."""

import mmap
import os
from dataclasses import dataclass

VIEW_SLOTS = 16
"""Tasks that are drawn for viewers at once."""
OUTPUT_SLOT_BYTES = 4 * 1024 * 1024
"""More than any drawn image has; what is not written takes no memory."""


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
        """Put an image into a slot; at most `slot_bytes`."""
        start = slot * self.slot_bytes
        self._memory[start : start + len(data)] = data

    def read(self, slot: int, size: int) -> bytes:
        """A copy of an image."""
        start = slot * self.slot_bytes
        return self._memory[start : start + size]
