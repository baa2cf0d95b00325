"""Workers of a queue for a while, and a handler that remembers when it was asked for what."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import TypeVar

from qwen3vl_operator.kube.queue import Queue

K = TypeVar("K", bound=Hashable)


def now() -> float:
    return asyncio.get_running_loop().time()


@contextlib.asynccontextmanager
async def working(
    queue: Queue[K], handle: Callable[[K], Awaitable[float | None]], workers: int = 1
) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(queue.work(handle)) for _ in range(workers)]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Recorder:
    """Handles keys, remembers when; `seconds` is how long one takes, `again` what it answers."""

    def __init__(self, seconds: float = 0, again: float | None = None) -> None:
        self.seconds, self.again = seconds, again
        self.started: list[tuple[float, str]] = []
        self.active: list[str] = []
        self.failures: dict[str, int] = {}

    async def __call__(self, key: str) -> float | None:
        assert key not in self.active, f"two workers on {key}"
        self.started.append((now(), key))
        self.active.append(key)
        await asyncio.sleep(self.seconds)
        self.active.remove(key)
        if self.failures.get(key, 0) > 0:
            self.failures[key] -= 1
            raise ValueError("no")
        return self.again

    def times(self, key: str) -> list[float]:
        return [time for time, started in self.started if started == key]
