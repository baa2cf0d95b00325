"""A task's life as its NavTask has it: the operator asserts what the object says, again and again."""

from dataclasses import dataclass, replace

from qwen3vl_common.navigation.settings import WantedState
from qwen3vl_common.navigation.states import Verdict
from qwen3vl_vln.edge.navigation.lives import Lives
from qwen3vl_vln.errors import FinishedError, OwnedError, StaleGenerationError
from qwen3vl_vln.task.delays import Stamps
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.http_writers import HttpWriters
from qwen3vl_vln.task.record import record
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.tasks import Entry


@dataclass(frozen=True)
class Assertion:
    """What the operator says about a task of a NavTask.

    Attributes:
        ignored: names of fields that were sent and are not known here.
    """

    owner: Owner
    settings: Settings
    state: WantedState
    elapsed_seconds: float = 0.0
    steps: int = 0
    resumed: bool = False
    ignored: tuple[str, ...] = ()


class Assertions(Lives):
    """What the operator asks for."""

    def assert_task(self, task_id: str, wish: Assertion) -> Entry:
        """Bring a NavTask's task to what its object says; saying it again changes nothing.

        Raises:
            StaleGenerationError: a newer generation was asserted before.
            FinishedError: the task has ended.
            RobotBusyError: its robot has another unfinished task.
            OwnedError: the id belongs to another object, or to nobody.
            NotRecordingError: it is to be recorded, and there is no folder for that.
        """
        self._can_record(wish.settings)
        wish = replace(wish, settings=self.ceilings.bound(wish.settings))
        entry = self.tasks.find(task_id)
        if entry is None:
            entry = self._first(task_id, wish)
        task, owner = entry.task, entry.task.owner
        if owner is None or owner.uid != wish.owner.uid:
            raise OwnedError(f"task {task_id!r} is not of this NavTask")
        if wish.owner.generation < owner.generation:
            raise StaleGenerationError(f"generation {owner.generation} was asserted already")
        if task.verdict is not None:
            if wish.state == "Stopped" and task.verdict is Verdict.CANCELLED:
                task.owned_by(wish.owner)
                return entry
            raise FinishedError(f"task {task_id!r} has ended: {task.verdict}", record(task, self.now()))
        self.tasks.claim(task_id, wish.settings.robot)
        before = task.epoch, task.settings
        task.owned_by(wish.owner)
        other_robot = wish.settings.robot != task.settings.robot
        task.edit(wish.settings)
        if other_robot:
            entry.stamps, entry.http = Stamps(), HttpWriters()
            task.other_robot(entry.change_robot())
            self.robot_changed(entry)
        if wish.state == "Stopped":
            task.stop(self.now(), self.wall(), "spec.state is Stopped")
        elif wish.state == "Paused":
            task.pause()
        else:
            task.resume()
        if task.epoch != before[0]:
            self._tell_anew(task)
        elif task.settings != before[1]:
            self.link.tell(task)
        self.tasks.touch(entry)
        return entry

    def _first(self, task_id: str, wish: Assertion) -> Entry:
        entry = self.tasks.add(task_id, wish.settings, self.wall(), owner=wish.owner, restarted=wish.resumed)
        if wish.resumed:
            entry.task.continues(wish.elapsed_seconds, wish.steps, self.now())
        if self.tasks.was_stopped_early(task_id):
            self.stop(entry, "stopped by operator before it began")
        else:
            self.link.tell(entry.task)
        return entry

    def stop_asserted(self, task_id: str) -> None:
        """Stop a NavTask's task, also when its assertion is still under way to here: it then ends as it begins.

        Raises:
            UnknownTaskError: it is not there, or not yet.
        """
        if self.tasks.find(task_id) is None:
            self.tasks.stop_early(task_id)
        self.stop(self.tasks.get(task_id), "stopped by operator")
