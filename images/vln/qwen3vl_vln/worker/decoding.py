"""Where images are decoded: two threads for all tasks, one image of a task at a time.

A robot whose images take long to decode waits for its own."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

THREADS = 2
COSTLY_SECONDS = 0.2
"""Of a processor, which other robots do not make longer; an image of 1920x1080 takes a twentieth of it."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Decoded(Generic[Found]):
    """What was seen in an image, None when it cannot be decoded, and what that took."""

    seen: Found | None
    processor_seconds: float

    @property
    def costly(self) -> bool:
        """Whether images like this one would keep a processor from other robots."""
        return self.processor_seconds > COSTLY_SECONDS


class Decoder:
    """Looks at images in threads.

    Args:
        clock: processor time of the calling thread, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, "decoder")
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    @contextlib.asynccontextmanager
    async def turn(self, task_id: str) -> AsyncIterator[None]:
        """Wait until no other image of the task is being decoded, and be the one meanwhile."""
        lock, waiting = self._turns.get(task_id, (asyncio.Lock(), 0))
        self._turns[task_id] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            _, waiting = self._turns[task_id]
            if waiting > 1:
                self._turns[task_id] = lock, waiting - 1
            else:
                del self._turns[task_id]

    async def decode(self, look: Callable[[bytes], Found], jpeg: bytes) -> Decoded[Found]:
        """What `look` sees in an image; ValueError is its word for one that cannot be decoded."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._decode, look, jpeg)

    def _decode(self, look: Callable[[bytes], Found], jpeg: bytes) -> Decoded[Found]:
        began, seen = self._clock(), None
        try:
            seen = look(jpeg)
        except ValueError:
            pass
        except Exception:
            # Else nobody would ask for this robot's next image.
            log.exception("looking at an image failed")
        return Decoded(seen, self._clock() - began)

    def close(self) -> None:
        """Decode nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
