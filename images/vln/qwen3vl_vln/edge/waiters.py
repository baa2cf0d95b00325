"""Requests that wait for the model's word about their image: woken by the right result, and not for ever."""

import asyncio
import math

from qwen3vl_vln.errors import SyncTimeoutError, TooManyWaitersError

SYNC_SECONDS = 60.0
WAITERS_MOST = 8
"""To a task."""


class Waiters:
    """Who waits, by task, each for an image's number."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[int, asyncio.Future[None]]]] = {}

    def count(self, task_id: str) -> int:
        """How many wait for this task."""
        return len(self._waiting.get(task_id, ()))

    def need_room(self, task_id: str) -> None:
        """See that one more may wait for this task.

        Raises:
            TooManyWaitersError: it may not.
        """
        if self.count(task_id) >= WAITERS_MOST:
            raise TooManyWaitersError(f"{WAITERS_MOST} requests wait for this task already")

    async def result(self, task_id: str, number: int) -> None:
        """Wait for the result of this image or of a newer one, or until nobody can hope for one any more.

        Raises:
            SyncTimeoutError: nothing came for 60 s.
        """
        waiting = self._waiting.setdefault(task_id, [])
        mine = number, asyncio.get_running_loop().create_future()
        waiting.append(mine)
        try:
            await asyncio.wait_for(mine[1], SYNC_SECONDS)
        except TimeoutError:
            raise SyncTimeoutError(f"the model has not answered in {SYNC_SECONDS:g} s") from None
        finally:
            waiting.remove(mine)
            if not waiting and self._waiting.get(task_id) is waiting:
                del self._waiting[task_id]

    def wake(self, task_id: str, number: float = math.inf) -> None:
        """Wake who waits for this image or an older one; without a number, all."""
        for waited_for, done in self._waiting.get(task_id, ()):
            if waited_for <= number and not done.done():
                done.set_result(None)
