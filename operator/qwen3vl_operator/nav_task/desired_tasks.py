"""What the operator wants of every NavTask: written by reconciling, read by the links to the VLN APIs. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.nav_task.record import Owner, Resume
from qwen3vl_operator.nav_task.spec import NavTask

MOST_GONE = 10_000


class Intent(Enum):
    """What is to become of a task in its VLN API."""

    ASSERT = "Assert"
    STOP = "Stop"
    LEAVE = "Leave"
    """Neither: what runs goes on by the last spec that was understood."""


@dataclass(frozen=True)
class Entry:
    """One NavTask that is there.

    Attributes:
        task: what to assert.
        resume: how far its status says that it had come.
    """

    uid: str
    model: str
    robot: str
    want: Intent
    task: NavTask | None = None
    resume: Resume | None = None


@dataclass
class DesiredTasks:
    """Entries by key. A key that is neither known nor gone was never looked at."""

    _entries: dict[Key, Entry] = field(default_factory=dict)
    _gone: dict[Key, None] = field(default_factory=dict)

    def put(self, key: Key, entry: Entry) -> bool:
        """Note what is wanted; True when it is new for the VLN API."""
        before = self._entries.get(key)
        self._entries[key] = entry
        self._gone.pop(key, None)
        return before is None or (before.want, before.uid, before.task) != (entry.want, entry.uid, entry.task)

    def remove(self, key: Key) -> Entry | None:
        """The NavTask does not exist any more."""
        self._gone[key] = None
        while len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]
        return self._entries.pop(key, None)

    def get(self, key: Key) -> Entry | None:
        """The entry, if the NavTask is there and was looked at."""
        return self._entries.get(key)

    def want(self, key: Key, owner: Owner, model: str) -> Intent | None:
        """What to do about a task of that owner in the VLN API of that model; None: look at the NavTask first."""
        if key in self._gone:
            return Intent.STOP
        entry = self._entries.get(key)
        if entry is None:
            return None
        return entry.want if (entry.uid, entry.model) == (owner.uid, model) else Intent.STOP

    def of_model(self, namespace: str, model: str) -> Iterator[tuple[Key, Entry]]:
        """NavTasks that refer to the model."""
        for key, entry in list(self._entries.items()):
            if (key.namespace, entry.model) == (namespace, model):
                yield key, entry

    def holder(self, key: Key, robot: str) -> Key | None:
        """Another NavTask of the namespace that was given the robot."""
        for other, entry in self._entries.items():
            same = other != key and (other.namespace, entry.robot) == (key.namespace, robot)
            if same and entry.want is Intent.ASSERT:
                return other
        return None
