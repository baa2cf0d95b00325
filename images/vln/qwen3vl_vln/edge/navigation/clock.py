"""What happens to tasks because time goes by, whoever says nothing: ends, a silent worker, forgetting."""

import asyncio

from qwen3vl_vln.edge.navigation.shared import Shared
from qwen3vl_vln.task.tasks import NEVER_CAME_SECONDS

LOOK_SECONDS = 0.1


class Clock(Shared):
    """The periodic look at all tasks."""

    async def watch_clock(self) -> None:
        """End tasks that are over by the clock, and notice a silent worker."""
        while True:
            self.look_at_clock()
            await asyncio.sleep(LOOK_SECONDS)

    def look_at_clock(self) -> None:
        """One such look."""
        now, wall = self.now(), self.wall()
        silent = self.link.silent(now)
        self.link.journal.flush(now, silent=silent)
        for entry in self.tasks:
            task = entry.task
            if task.verdict is not None:
                continue
            if task.worker_silent != silent:
                (task.on_worker_silent if silent else task.on_worker_back)()
                self.tasks.touch(entry)
            before = task.state(now)
            task.expire(now, wall)
            if entry.abandoned(now):
                task.abandon(f"no robot came within {NEVER_CAME_SECONDS / 60:g} minutes", now, wall)
            if task.verdict is not None:
                self.link.tell(task)
                self._waiters.wake(entry.task.task_id)
            if task.state(now) != before or task.calls.since is not None:
                self.tasks.touch(entry)
        for task_id in self.tasks.sweep(now):
            self.link.forget(task_id)
