"""What can be asked of this process, without any protocol: make a task, hand a frame over, stop, read. One place for
all ways in, so that HTTP and WebSocket cannot differ."""

from dataclasses import dataclass
from typing import Any

from qwen3vl_vln.edge.navigation.assertions import Assertion, Assertions
from qwen3vl_vln.edge.navigation.clock import Clock
from qwen3vl_vln.edge.navigation.frames import Frames
from qwen3vl_vln.edge.navigation.results import Results
from qwen3vl_vln.task.record import record
from qwen3vl_vln.task.task import Task

__all__ = ["Assertion", "Navigation", "tasks_of"]


@dataclass
class Navigation(Frames, Assertions, Results, Clock):
    """All of it, and what it has to tell about all tasks together."""

    def records(self, cursor: str | None) -> list[dict[str, Any]]:
        """Records of tasks that changed after a cursor."""
        now = self.now()
        return [record(entry.task, now) for entry in self.tasks.since(cursor)]

    def statistics(self) -> dict[str, Any]:
        """Totals over all tasks, with the older protocol's names."""
        tasks = [entry.task for entry in self.tasks]
        seconds = [second for task in tasks for second in task.calls.seconds]
        analysed = sum(task.counts.analysed for task in tasks)
        return {
            "total_requests": sum(task.counts.frames for task in tasks),
            "processed": analysed,
            "dropped": sum(task.counts.images for task in tasks) - analysed,
            "errors": sum(task.counts.model_errors for task in tasks),
            "avg_inference_time": sum(seconds) / len(seconds) if seconds else 0.0,
            "queue_size": sum(task.calls.since is not None for task in tasks),
            "running": not self.link.silent(self.now()),
        }


def tasks_of(navigation: Navigation) -> list[Task]:
    """Every task that a new worker must know; what the one before was asked is lost."""
    entries = [entry for entry in navigation.tasks if entry.task.verdict is None]
    for entry in entries:
        navigation.worker_lost(entry)
    return [entry.task for entry in entries]
