"""Whose turn it is to ask the model: calls of different tasks take turns, so many at once, and of each task one.

A key frame that waited for long is given up for an image of now; a task whose call failed pauses, longer each time,
while others use its place."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from qwen3vl_vln.worker.task_state import KeyFrame, TaskState

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.25, 5.0
OLD_KEY_FRAME_SECONDS = 0.5
"""A key frame that waited longer for the model is replaced by an image of now."""


@dataclass
class CallQueue:
    """Gives turns.

    Attributes:
        calls: how many run at once.
        state_of: the present state of a task; of another one no call is begun.
        ask: asks the model about a key frame; False when it gave no answer.
        spawn: runs a call beside all else.
    """

    calls: int
    state_of: Callable[[str], TaskState | None]
    ask: Callable[[str, TaskState, KeyFrame], Awaitable[bool]]
    spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
    _waiting: deque[str] = field(default_factory=deque)
    _running: int = 0

    @property
    def idle(self) -> bool:
        """Whether nobody waits and no call is under way."""
        return not self._waiting and not self._running

    def add(self, task_id: str, job: TaskState) -> None:
        """A task has a key frame to be asked about; it is not queued twice, nor while its call is under way."""
        if not job.queued and job.call is None:
            job.queued = True
            self._waiting.append(task_id)
            self._start()

    def _start(self) -> None:
        while self._waiting and self._running < self.calls:
            task_id = self._waiting.popleft()
            job = self.state_of(task_id)
            if job is None or not job.queued:
                continue
            job.queued = False
            if job.waiting is None:
                continue
            key, job.waiting = job.waiting, None
            self._running += 1
            job.call = self.spawn(self._call(task_id, job, key))
            # Not at the end of the call itself: one that is cancelled before it began has none.
            job.call.add_done_callback(partial(self._ended, task_id, job))

    async def _call(self, task_id: str, job: TaskState, key: KeyFrame) -> None:
        if not await self.ask(task_id, job, key):
            await self._back_off(job)

    def _ended(self, task_id: str, job: TaskState, _: "asyncio.Task[None]") -> None:
        self._running -= 1
        job.call = None
        self._go_on(task_id, job)

    async def _back_off(self, job: TaskState) -> None:
        job.failures += 1
        # Others may use the place meanwhile.
        self._running -= 1
        self._start()
        try:
            await asyncio.sleep(min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(job.failures - 1, 10)))
        finally:
            self._running += 1
            job.stale = True

    def _go_on(self, task_id: str, job: TaskState) -> None:
        if self.state_of(task_id) is job and job.waiting is not None:
            old = asyncio.get_running_loop().time() - job.waiting.at > OLD_KEY_FRAME_SECONDS
            if old and not job.waiting.keep:
                job.waiting, job.stale = None, True
            else:
                self.add(task_id, job)
        self._start()
