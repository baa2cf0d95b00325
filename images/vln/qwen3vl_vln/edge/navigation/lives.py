"""A task's life as its clients have it: made, changed, stopped, deleted. No protocol, and no Kubernetes object."""

import logging
from dataclasses import replace

from qwen3vl_vln.edge.navigation.shared import Shared
from qwen3vl_vln.errors import FinishedError, NotRecordingError
from qwen3vl_vln.task.ceilings import Ceilings
from qwen3vl_vln.task.record import record
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.tasks import Entry

log = logging.getLogger(__name__)


class Lives(Shared):
    """What clients ask for."""

    def create(self, settings: Settings, maker: str | None = None) -> Entry:
        """Make a task as the older protocol does.

        Args:
            maker: who may not make any number of them; None: may.

        Raises:
            RobotBusyError, TooManyTasksError, NotRecordingError, NoUnusedIdError: see there.
        """
        self._can_record(settings)
        settings = self.ceilings.bound(settings)
        task_id = self.tasks.new_id(self.wall())
        if not settings.robot:
            settings = replace(settings, robot=task_id)
        entry = self.tasks.add(task_id, settings, self.wall(), maker=maker, made_at=self.now())
        self.link.tell(entry.task)
        return entry

    def _can_record(self, settings: Settings) -> None:
        if settings.recording.enabled and self.link.options.recordings_dir is None:
            raise NotRecordingError(
                "this VLN API keeps no recordings: start it with --recordings-dir, or leave recording.enabled out"
            )

    def hold_ceilings(self, ceilings: Ceilings) -> None:
        """Bound every task by these from its next answer on."""
        self.ceilings = ceilings
        for entry in self.tasks:
            bound = ceilings.bound(entry.task.settings)
            if entry.task.verdict is None and bound != entry.task.settings:
                entry.task.edit(bound)
                self.link.tell(entry.task)
                self.tasks.touch(entry)

    def change(self, entry: Entry, *, instruction: str | None, paused: bool | None) -> None:
        """Give a task another instruction, or have it pause or go on; None leaves it as it is.

        Raises:
            FinishedError: the task has ended.
        """
        task, before = entry.task, entry.task.epoch
        if task.verdict is not None:
            raise FinishedError(f"task {task.task_id!r} has ended: {task.verdict}", record(task, self.now()))
        if instruction is not None:
            task.edit(replace(task.settings, instruction=instruction))
        if paused is not None:
            (task.pause if paused else task.resume)()
        if task.epoch != before:
            self._tell_anew(task)
        self.tasks.touch(entry)

    def stop(self, entry: Entry, message: str) -> None:
        """Stop a task for good, whoever owns it."""
        entry.task.stop(self.now(), self.wall(), message)
        if self.tasks.find(entry.task.task_id) is entry:  # else it was deleted, and the worker has forgotten it
            self.link.tell(entry.task)
            self.tasks.touch(entry)
        self._waiters.wake(entry.task.task_id)
        log.info("task %s was stopped: %s", entry.task.task_id, message)

    def delete(self, entry: Entry) -> None:
        """Stop a task and forget it."""
        entry.task.stop(self.now(), self.wall(), "deleted")
        self._waiters.wake(entry.task.task_id)
        self.link.forget(entry.task.task_id)
        self.tasks.forget(entry.task.task_id)
