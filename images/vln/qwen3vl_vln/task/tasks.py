"""All tasks of one process: names, robots' claims, and the finished ones that are still readable."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from qwen3vl_vln.errors import RobotBusyError, RobotChangedError, TooManyTasksError, UnknownTaskError
from qwen3vl_vln.task.delays import Stamps
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.http_writers import HttpWriters, Peer
from qwen3vl_vln.task.lease import Lease
from qwen3vl_vln.task.pace import Pace
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.task import Task
from qwen3vl_vln.unused import unused

FINISHED_SECONDS = 600.0
FINISHED_MOST = 1000
UNFINISHED_MOST = 256
OWNED_ONLY = UNFINISHED_MOST // 4
"""So much of that room is kept for tasks of Kubernetes objects, whatever clients make."""
TASKS_PER_MAKER = 32
NEVER_CAME_SECONDS = 600.0
"""A task that nobody owns and no robot has come for ends after this long."""
WRITERS_MOST = 1000
"""So many writers of a task are remembered."""
GONE_MOST = 10_000
STOPPED_EARLY_MOST = 1000
"""Ids that are remembered as stopped before they began."""


@dataclass
class Entry:
    """A task with what surrounds it.

    Attributes:
        revision: raised by every change, for readers that ask only for what is new.
        newest_offered: number of the newest frame that went to the worker.
        newest_state: of the newest answer.
        maker: the client that made it and may not make any number; None where a Kubernetes object or the operator did.
        made_at: when it was made, if not by a Kubernetes object; seconds on the monotonic clock.
        writers, former_writers: who drove this robot, and who drove another one by this task; by name, and by key and
            address.
        granted: writers of this robot by what they call themselves alone: of one address others may be a former one.
        stamps, http: time stamps of the writer on HTTP, and who else writes there.
    """

    task: Task
    lease: Lease = field(default_factory=Lease)
    stamps: Stamps = field(default_factory=Stamps)
    http: HttpWriters = field(default_factory=HttpWriters)
    revision: int = 0
    newest_offered: int = 0
    newest_state: str = ""
    maker: str | None = None
    made_at: float | None = None
    writers: set[str] = field(default_factory=set)
    former_writers: set[str] = field(default_factory=set)
    granted: set[str] = field(default_factory=set)

    def abandoned(self, now: float) -> bool:
        """Whether nobody owns it and no robot has come for so long that none will."""
        waits = self.task.verdict is None and self.task.started is None
        return waits and self.made_at is not None and now - self.made_at >= NEVER_CAME_SECONDS

    def need_robot(self, peer: Peer, robot: str | None = None) -> None:
        """See that a writer means the robot of this task; one that drove the former robot has to name it.

        A program that names itself anew at each start is known by key and address.

        Raises:
            RobotChangedError: it means another one, or may do so.
        """
        own = self.task.settings.robot
        if robot is not None and robot != own:
            raise RobotChangedError(f"this task is of robot {own!r}, not of {robot!r}")
        if robot is None and self.former_writers and self._drove_another(peer):
            raise RobotChangedError(f"robot_changed: this task is of robot {own!r} now; name it to drive it")

    def _drove_another(self, peer: Peer) -> bool:
        if peer.writer in self.granted:
            return False
        return not self.former_writers.isdisjoint((peer.writer, peer.origin))

    def change_robot(self) -> int:
        """Nobody drives the new robot yet; the epoch of the lease."""
        self.former_writers |= self.writers
        self.writers, self.granted = set(), set()
        return self.lease.drop()

    def drives(self, peer: Peer) -> None:
        """Remember a writer of this robot, which has its lease now."""
        for known_as in (peer.origin, peer.writer):
            if len(self.writers) < WRITERS_MOST:
                self.writers.add(known_as)
        if len(self.granted) < WRITERS_MOST:
            self.granted.add(peer.writer)


@dataclass
class Tasks:
    """Tasks by id. `now` and `wall` are given to what needs a time.

    Attributes:
        boot_id: of this process; a restart makes a new one.
        per_maker: so many unfinished tasks one client may have made.
        suffix: random characters that tell tasks of one second apart.
        pace: of the model, which all tasks share.
    """

    boot_id: str
    per_maker: int = TASKS_PER_MAKER
    suffix: Callable[[], str] = lambda: secrets.token_hex(3)
    pace: Pace = field(default_factory=Pace)
    _entries: dict[str, Entry] = field(default_factory=dict)
    _revisions: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _newest: int = 0
    _stopped_early: dict[str, None] = field(default_factory=dict)
    _gone: dict[str, None] = field(default_factory=dict)

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
        """An id as the older protocol makes them, that no task has or had.

        Raises:
            NoUnusedIdError: none was found.
        """
        return unused("task", lambda: f"vln_{int(wall)}_{self.suffix()}", self._taken)

    def _taken(self, task_id: str) -> bool:
        return task_id in self._entries or task_id in self._gone

    def _remove(self, task_id: str) -> None:
        del self._entries[task_id]
        self._gone[task_id] = None
        if len(self._gone) > GONE_MOST:
            del self._gone[next(iter(self._gone))]

    def add(
        self,
        task_id: str,
        settings: Settings,
        wall: float,
        *,
        owner: Owner | None = None,
        restarted: bool = False,
        maker: str | None = None,
        made_at: float | None = None,
    ) -> Entry:
        """Make a task.

        Args:
            maker, made_at: see `Entry`.

        Raises:
            RobotBusyError: its robot has an unfinished one.
            TooManyTasksError: no more fit.
        """
        self.claim(task_id, settings.robot)
        self._need_room(maker)
        task = Task(task_id, self.boot_id, settings, wall, owner=owner, restarted=restarted, pace=self.pace)
        entry = Entry(task, maker=maker, made_at=made_at)
        self._entries[task_id] = entry
        self.touch(entry)
        return entry

    def _need_room(self, maker: str | None) -> None:
        unfinished = [entry for entry in self._entries.values() if entry.task.verdict is None]
        if len(unfinished) >= UNFINISHED_MOST:
            raise TooManyTasksError(f"{UNFINISHED_MOST} tasks are under way; stop or delete some")
        if maker is None:
            return
        made = [entry for entry in unfinished if entry.maker is not None]
        if sum(entry.maker == maker for entry in made) >= self.per_maker:
            raise TooManyTasksError(f"you made {self.per_maker} tasks that are not finished; stop or delete some")
        if len(made) >= UNFINISHED_MOST - OWNED_ONLY:
            most = f"{UNFINISHED_MOST - OWNED_ONLY} tasks that belong to no NavTask are under way"
            raise TooManyTasksError(f"{most}; stop or delete some")

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
        """Remove a task; its id is not given again."""
        self._remove(task_id)

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
            self._remove(task.task_id)
        return [task.task_id for task in old]
