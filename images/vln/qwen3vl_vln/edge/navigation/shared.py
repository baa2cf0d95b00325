"""What all parts of `Navigation` act on: the tasks, the worker's link, who waits for it, and the clocks."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from qwen3vl_vln.edge.link import WorkerLink
from qwen3vl_vln.edge.metrics import Metrics
from qwen3vl_vln.edge.views import Views
from qwen3vl_vln.edge.waiters import Waiters
from qwen3vl_vln.task.ceilings import NONE, Ceilings
from qwen3vl_vln.task.task import Task
from qwen3vl_vln.task.tasks import Entry, Tasks


@dataclass
class Shared:
    """All tasks, the worker's link and the clocks.

    Attributes:
        robot_changed: is called when a task got another robot, for those who are connected to it.
    """

    link: WorkerLink
    metrics: Metrics
    tasks: Tasks = field(default_factory=lambda: Tasks(secrets.token_hex(8)))
    ceilings: Ceilings = NONE
    robot_changed: Callable[[Entry], None] = lambda entry: None
    views: Views = field(init=False)
    _waiters: Waiters = field(default_factory=Waiters)

    def __post_init__(self) -> None:
        self.views = Views(self.link, self.metrics)

    @property
    def boot_id(self) -> str:
        """Of this process; a restart makes a new one."""
        return self.tasks.boot_id

    @staticmethod
    def now() -> float:
        """Seconds on the monotonic clock that all of this is measured by."""
        return time.monotonic()

    @staticmethod
    def wall() -> float:
        """Unix time, which somebody may set."""
        return time.time()

    def _tell_anew(self, task: Task) -> None:
        """What was asked for the task is void: who waits for it has the answer of this moment."""
        self.link.tell(task)
        self._waiters.wake(task.task_id)
