"""All tasks of one process: names, robots' claims, and the finished ones that are still readable."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from qwen3vl_vln.task.errors import RobotBusyError, TooManyTasksError, UnknownTaskError
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.lease import Lease
from qwen3vl_vln.task.pace import Pace
from qwen3vl_vln.task.task import Settings, Task
from qwen3vl_vln.unused import unused

FINISHED_SECONDS = 600.0
FINISHED_MOST = 1000
UNFINISHED_MOST = 256
STOPPED_EARLY_MOST = 1000
"""Ids that are remembered as stopped before they began."""


@dataclass
class Entry:
    """A task with what surrounds it.

    Attributes:
        revision: raised by every change, for readers that ask only for what is new.
        newest_offered: number of the newest frame that went to the worker.
        newest_state: of the newest answer.
    """

    task: Task
    lease: Lease = field(default_factory=Lease)
    revision: int = 0
    newest_offered: int = 0
    newest_state: str = ""


@dataclass
class Tasks:
    """Tasks by id. `now` and `wall` are given to what needs a time.

    Attributes:
        boot_id: of this process; a restart makes a new one.
        suffix: random characters that tell tasks of one second apart.
        pace: of the model, which all tasks share.
    """

    boot_id: str
    suffix: Callable[[], str] = lambda: secrets.token_hex(3)
    pace: Pace = field(default_factory=Pace)
    _entries: dict[str, Entry] = field(default_factory=dict)
    _revisions: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _newest: int = 0
    _stopped_early: dict[str, None] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, task_id: str) -> Entry:
        """The task of that id.

        Raises:
            UnknownTaskError: there is none.
        """
        entry = self._entries.get(task_id)
        if entry is None:
            raise UnknownTaskError(f"there is no task {task_id!r}; make one with POST /vln/task/create")
        return entry

    def find(self, task_id: str) -> Entry | None:
        """The task of that id, or None."""
        return self._entries.get(task_id)

    def of_robot(self, robot: str) -> Entry | None:
        """The unfinished task of a robot."""
        for entry in self._entries.values():
            if entry.task.settings.robot == robot and entry.task.verdict is None:
                return entry
        return None

    def new_id(self, wall: float) -> str:
        """An id as the older protocol makes them, that no task has.

        Raises:
            NoUnusedIdError: none was found.
        """
        return unused("task", lambda: f"vln_{int(wall)}_{self.suffix()}", self._entries.__contains__)

    def add(
        self, task_id: str, settings: Settings, wall: float, *, owner: Owner | None = None, restarted: bool = False
    ) -> Entry:
        """Make a task.

        Raises:
            RobotBusyError: its robot has an unfinished one.
            TooManyTasksError: no more fit.
        """
        self.claim(task_id, settings.robot)
        if sum(entry.task.verdict is None for entry in self._entries.values()) >= UNFINISHED_MOST:
            raise TooManyTasksError(f"{UNFINISHED_MOST} tasks are under way; finish or delete some")
        task = Task(task_id, self.boot_id, settings, wall, owner=owner, restarted=restarted, pace=self.pace)
        entry = Entry(task)
        self._entries[task_id] = entry
        self.touch(entry)
        return entry

    def claim(self, task_id: str, robot: str) -> None:
        """See that no other unfinished task has the robot.

        Raises:
            RobotBusyError: one has.
        """
        other = self.of_robot(robot)
        if other is not None and other.task.task_id != task_id:
            raise RobotBusyError(f"robot {robot!r} has the unfinished task {other.task.task_id!r}; stop that one first")

    def stop_early(self, task_id: str) -> None:
        """A task that is not there is stopped: when its assertion comes after all, it has ended."""
        self._stopped_early.pop(task_id, None)
        self._stopped_early[task_id] = None
        while len(self._stopped_early) > STOPPED_EARLY_MOST:
            del self._stopped_early[next(iter(self._stopped_early))]

    def was_stopped_early(self, task_id: str) -> bool:
        """Whether a task was stopped before it began."""
        return task_id in self._stopped_early

    def forget(self, task_id: str) -> None:
        """Remove a task."""
        del self._entries[task_id]

    def touch(self, entry: Entry) -> None:
        """Note that something about the task changed."""
        self._newest = entry.revision = next(self._revisions)

    @property
    def cursor(self) -> str:
        """What to ask `since` next time."""
        return f"{self.boot_id}:{self._newest}"

    def since(self, cursor: str | None) -> list[Entry]:
        """Tasks that changed after that cursor; all of them without one, or when it is of another process."""
        boot, _, revision = (cursor or "").partition(":")
        after = int(revision) if boot == self.boot_id and revision.isdecimal() else 0
        return [entry for entry in self._entries.values() if entry.revision > after]

    def sweep(self, now: float) -> list[str]:
        """Forget tasks that have been finished for long, or too many of them; their ids.

        Args:
            now: seconds on the monotonic clock; the time of day may be set meanwhile.
        """
        finished = [entry.task for entry in self._entries.values() if entry.task.verdict is not None]
        finished.sort(key=lambda task: task.ended or 0.0)
        surplus = max(0, len(finished) - FINISHED_MOST)
        old = [t for i, t in enumerate(finished) if i < surplus or now - (t.ended or 0.0) > FINISHED_SECONDS]
        for task in old:
            del self._entries[task.task_id]
        return [task.task_id for task in old]
