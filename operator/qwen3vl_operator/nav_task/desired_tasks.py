"""What the operator wants of every NavTask: written by reconciling, read by the links to the VLN APIs. No I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from qwen3vl_common.navigation.record import Owner
from qwen3vl_common.navigation.requests import Resume
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.nav_task.spec import NavTask, task_id

MOST_GONE = 10_000
MOST_STOPS = 10_000
"""Of one model: far more than a VLN API takes tasks; only one that is never there again has so many."""


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
        session: the VLN API may have been told of it, also by an operator before this one.
    """

    uid: str
    model: str
    robot: str
    want: Intent
    task: NavTask | None = None
    resume: Resume | None = None
    session: bool = False


@dataclass
class DesiredTasks:
    """Entries by key, and the stops that no VLN API has confirmed yet.

    A key that is neither known nor gone was never looked at. A stop is for good: an object that was to be stopped is
    not asserted again, whatever an older view of it says, and its stop is kept here until it is confirmed.
    """

    _entries: dict[Key, Entry] = field(default_factory=dict)
    _gone: dict[Key, None] = field(default_factory=dict)
    _by_model: dict[tuple[str, str], dict[Key, None]] = field(default_factory=dict)
    _by_robot: dict[tuple[str, str], dict[Key, None]] = field(default_factory=dict)
    _stops: dict[tuple[str, str], dict[str, Key]] = field(default_factory=dict)

    def put(self, key: Key, entry: Entry) -> bool:
        """Note what is wanted; True when it is new for the VLN API."""
        before = self._entries.get(key)
        if before is not None and before.uid != entry.uid:
            self.remove(key)  # an object of that name that is no more
            before = None
        self._gone.pop(key, None)
        if before is not None and before.want is Intent.STOP:
            entry = replace(entry, want=Intent.STOP, task=None)
        asserted = entry.want is Intent.ASSERT or (before is not None and before.session)
        if asserted and not entry.session:
            entry = replace(entry, session=True)
        self._keep(key, before, entry)
        if entry.want is Intent.STOP and entry.session and (before is None or before.want is not Intent.STOP):
            self.must_stop(key, entry.model, task_id(key.name, entry.uid))
        return before is None or (before.want, before.uid, before.task) != (entry.want, entry.uid, entry.task)

    def _keep(self, key: Key, before: Entry | None, entry: Entry) -> None:
        self._entries[key] = entry
        if before is None or (before.model, before.robot) != (entry.model, entry.robot):
            if before is not None:
                self._leave(key, before)
            self._by_model.setdefault((key.namespace, entry.model), {})[key] = None
            self._by_robot.setdefault((key.namespace, entry.robot), {})[key] = None

    def _leave(self, key: Key, entry: Entry) -> None:
        for index, name in ((self._by_model, entry.model), (self._by_robot, entry.robot)):
            of_name = index[key.namespace, name]
            del of_name[key]
            if not of_name:
                del index[key.namespace, name]

    def stop(self, key: Key) -> Entry | None:
        """Note that the NavTask is to be stopped; its entry, or None when nothing is known of it."""
        entry = self._entries.get(key)
        if entry is not None and entry.want is not Intent.STOP:
            self.put(key, replace(entry, want=Intent.STOP, task=None))
        return self._entries.get(key)

    def remove(self, key: Key) -> Entry | None:
        """The NavTask does not exist any more."""
        self._gone[key] = None
        while len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._leave(key, entry)
            if entry.want is not Intent.STOP and entry.session:
                self.must_stop(key, entry.model, task_id(key.name, entry.uid))
        return entry

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
        """NavTasks that refer to the model, as they are when asked for."""
        for key in list(self._by_model.get((namespace, model), ())):
            if (entry := self._entries.get(key)) is not None:
                yield key, entry

    def holder(self, key: Key, robot: str) -> Key | None:
        """Another NavTask of the namespace that was given the robot."""
        for other in self._by_robot.get((key.namespace, robot), ()):
            if other != key and self._entries[other].want is Intent.ASSERT:
                return other
        return None

    # Stops ----------------------------------------------------------------------------------------------------------

    def must_stop(self, key: Key, model: str, task_id: str) -> None:
        """The VLN API of the model has, or may have, a task that is to be stopped."""
        of_model = self._stops.setdefault((key.namespace, model), {})
        of_model[task_id] = key
        while len(of_model) > MOST_STOPS:
            del of_model[next(iter(of_model))]

    def stops(self, namespace: str, model: str) -> Mapping[str, Key]:
        """Ids of tasks that the VLN API must be told to stop, with their NavTasks."""
        return self._stops.get((namespace, model), {})

    def stopped(self, namespace: str, model: str, task_id: str) -> None:
        """The VLN API has confirmed it, or has ended the task before."""
        of_model = self._stops.get((namespace, model), {})
        of_model.pop(task_id, None)
        if not of_model:
            self._stops.pop((namespace, model), None)

    def forget_stops(self, namespace: str, model: str) -> None:
        """The model has no VLN API any more: its tasks ended with it."""
        self._stops.pop((namespace, model), None)
