"""What can be asked of this process, without any protocol: make a task, hand a frame over, stop, read. One place for
all ways in, so that HTTP and WebSocket cannot differ."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from qwen3vl_vln.edge.link import WorkerLink
from qwen3vl_vln.edge.metrics import Metrics
from qwen3vl_vln.edge.views import Views
from qwen3vl_vln.edge.waiters import Waiters
from qwen3vl_vln.ipc.to_edge import (
    CallBegan,
    CallFailed,
    CallResult,
    EarlyPlan,
    Fault,
    FrameDecoded,
    FrameFault,
    RecordingStatus,
    ToNavigation,
    ViewDrawn,
)
from qwen3vl_vln.task.answer import Answer, answer
from qwen3vl_vln.task.ceilings import NONE, Ceilings
from qwen3vl_vln.task.delays import Stamps
from qwen3vl_vln.task.errors import (
    EndedError,
    FinishedError,
    ModelLostError,
    NotRecordingError,
    OwnedError,
    StaleGenerationError,
)
from qwen3vl_vln.task.events import Frame, Owner, Result
from qwen3vl_vln.task.http_writers import HttpWriters, Peer
from qwen3vl_vln.task.record import record
from qwen3vl_vln.task.task import Settings, Task
from qwen3vl_vln.task.tasks import NEVER_CAME_SECONDS, Entry, Tasks
from qwen3vl_vln.task.words import Reason

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Assertion:
    """What the operator says about a task of a NavTask.

    Attributes:
        ignored: names of fields that were sent and are not known here.
    """

    owner: Owner
    settings: Settings
    state: str
    elapsed_seconds: float = 0.0
    steps: int = 0
    resumed: bool = False
    ignored: tuple[str, ...] = ()


@dataclass
class Navigation:
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

    # Robots ---------------------------------------------------------------------------------------------------------

    def frame(self, entry: Entry, frame: Frame) -> Answer:
        """Take a frame and give the answer for this moment; the picture is looked at afterwards."""
        task, wall = entry.task, time.time()
        epoch = task.epoch
        offered = task.frame(frame)
        body = self._answer(task, frame.received_at, wall, frame.sequence)
        if offered:
            number = self.link.offer(task, frame, frame.received_at)
            entry.newest_offered = entry.newest_offered if number is None else number
        if task.epoch != epoch:
            self.link.tell(task)
        if task.settings.recording:
            self.link.journal.answered(task.task_id, body, frame.received_at)
        self.tasks.touch(entry)
        self._count(entry, body, frame)
        return body

    def _count(self, entry: Entry, body: Answer, frame: Frame) -> None:
        state = body["state"]
        self.metrics.answered(state, frame.image is not None)
        if state == "moving":
            self.metrics.moved(body["age_ms"] / 1000)
        elif entry.newest_state == "moving":
            self.metrics.paused(body["reason"])
        if body["reason"] == "old_sequence":
            self.metrics.discarded("old_sequence")
        entry.newest_state = state

    async def frame_sync(self, entry: Entry, frame: Frame) -> Answer:
        """Have the model look at this frame and wait for its result, or for one of a newer frame.

        Raises:
            TooManyWaitersError, SyncTimeoutError, ModelLostError, EndedError: see there.
        """
        task_id = entry.task.task_id
        self._waiters.need_room(task_id)
        before = entry.newest_offered
        body = self.frame(entry, frame)
        if entry.newest_offered == before:
            return body
        await self._waiters.result(task_id, entry.newest_offered)
        entry.lease.waited(self.now())
        if entry.task.verdict == "ModelLost":
            raise ModelLostError(entry.task.message)
        if entry.task.verdict is not None and entry.task.verdict != "GoalReached":
            raise EndedError(f"the task ended meanwhile: {entry.task.verdict}")
        return self._answer(entry.task, self.now(), time.time(), None, waited=True)

    def worker_lost(self, entry: Entry) -> None:
        """What the worker was asked for a task is lost: who waits for it has the answer of this moment."""
        entry.task.call_lost()
        self._waiters.wake(entry.task.task_id)

    def answer_now(self, entry: Entry, sequence: int | None) -> Answer:
        """The answer of a task that takes no frame: it has ended, or its frame was refused."""
        return self._answer(entry.task, self.now(), time.time(), sequence)

    def _answer(self, task: Task, now: float, wall: float, sequence: int | None, *, waited: bool = False) -> Answer:
        body = answer(task, now, wall, sequence=sequence, waited=waited)
        if task.settings.visualize:
            body["visualized_frame"] = self.views.visualized(task, now)
        return body

    def grant(self, entry: Entry, writer: str, *, takeover: bool, run: str = "", anew: bool = False) -> int:
        """Give a run of a writer the task; its lease epoch.

        Args:
            anew: it may be another start of its program.

        Raises:
            LeaseBusyError: another writer has it.
        """
        task, before = entry.task, entry.task.epoch
        other = entry.lease.writer is not None and (anew or not entry.lease.of(writer, run))
        epoch = entry.lease.grant(writer, self.now(), run=run, takeover=takeover)
        entry.stamps = Stamps()
        entry.drives(writer)
        task.granted(epoch, other=other)
        if task.epoch != before:
            self._tell_anew(task)
        self.tasks.touch(entry)
        return epoch

    def _tell_anew(self, task: Task) -> None:
        """What was asked for the task is void: who waits for it has the answer of this moment."""
        self.link.tell(task)
        self._waiters.wake(task.task_id)

    def admit_http(self, entry: Entry, peer: Peer, now: float, *, robot: str | None = None) -> None:
        """Have a frame by HTTP be of the task's writer.

        Args:
            robot: that it names.

        Raises:
            RobotChangedError: it drove another robot by this task.
            LeaseBusyError: another writer has the task, or another connection of the same.
        """
        entry.need_robot(peer.writer, robot)
        entry.http.admit(peer, now)
        # Nobody greets here: after a silence, or on another connection than before, it may have been started anew.
        anew = entry.http.replaced(peer) or (entry.lease.quiet(now) and not entry.http.continues(peer))
        if anew or not entry.lease.holds(peer.writer, None, now):
            entry.lease.holds(peer.writer, self.grant(entry, peer.writer, takeover=False, anew=anew), now)
        entry.http.took(peer, now)
        entry.task.linked(None)
        if entry.http.warning and entry.task.warnings.get("writers") != entry.http.warning:
            entry.task.warnings["writers"] = entry.http.warning
            log.warning("task %s: %s", entry.task.task_id, entry.http.warning)

    # Clients --------------------------------------------------------------------------------------------------------

    def create(self, settings: Settings, maker: str | None = None) -> Entry:
        """Make a task as the older protocol does.

        Args:
            maker: who may not make any number of them; None: may.

        Raises:
            RobotBusyError, TooManyTasksError, NotRecordingError, NoUnusedIdError: see there.
        """
        self._can_record(settings)
        settings = self.ceilings.bound(settings)
        task_id = self.tasks.new_id(time.time())
        if not settings.robot:
            settings = replace(settings, robot=task_id)
        entry = self.tasks.add(task_id, settings, time.time(), maker=maker, made_at=self.now())
        self.link.tell(entry.task)
        return entry

    def _can_record(self, settings: Settings) -> None:
        if settings.recording and self.link.options.recordings_dir is None:
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
        entry.task.stop(self.now(), time.time(), message)
        self.link.tell(entry.task)
        self.tasks.touch(entry)
        self._waiters.wake(entry.task.task_id)
        log.info("task %s was stopped: %s", entry.task.task_id, message)

    def stop_asserted(self, task_id: str) -> None:
        """Stop a NavTask's task, also when its assertion is still under way to here: it then ends as it begins.

        Raises:
            UnknownTaskError: it is not there, or not yet.
        """
        if self.tasks.find(task_id) is None:
            self.tasks.stop_early(task_id)
        self.stop(self.tasks.get(task_id), "stopped by operator")

    def delete(self, entry: Entry) -> None:
        """Stop a task and forget it."""
        entry.task.stop(self.now(), time.time(), "deleted")
        self._waiters.wake(entry.task.task_id)
        self.link.forget(entry.task.task_id)
        self.tasks.forget(entry.task.task_id)

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

    # The operator ---------------------------------------------------------------------------------------------------

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
            if wish.state == "Stopped" and task.verdict == "Cancelled":
                task.owner = wish.owner
                return entry
            raise FinishedError(f"task {task_id!r} has ended: {task.verdict}", record(task, self.now()))
        self.tasks.claim(task_id, wish.settings.robot)
        before = task.epoch, task.settings
        task.owner = wish.owner
        other_robot = wish.settings.robot != task.settings.robot
        task.edit(wish.settings)
        if other_robot:
            entry.stamps, entry.http = Stamps(), HttpWriters()
            task.other_robot(entry.change_robot())
            self.robot_changed(entry)
        if wish.state == "Stopped":
            task.stop(self.now(), time.time(), "spec.state is Stopped")
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
        entry = self.tasks.add(task_id, wish.settings, time.time(), owner=wish.owner, restarted=wish.resumed)
        if wish.resumed:
            now = self.now()
            entry.task.started = now - wish.elapsed_seconds
            entry.task.last_frame_at = now
            entry.task.steps = wish.steps
        if self.tasks.was_stopped_early(task_id):
            self.stop(entry, "stopped by operator before it began")
        else:
            self.link.tell(entry.task)
        return entry

    # The worker -----------------------------------------------------------------------------------------------------

    def on_message(self, message: ToNavigation) -> None:
        """Take a message of the worker."""
        if isinstance(message, ViewDrawn):
            self.views.rendered(message)
            return
        entry = self.tasks.find(message.task_id)
        if entry is None:
            return
        task, now = entry.task, self.now()
        epoch, drive = task.epoch, task.drive
        match message:
            case CallBegan():
                task.call_began(message.epoch, now)
            case EarlyPlan():
                task.early_plan(_early(message), now)
            case CallResult():
                late = task.counts.late_results
                task.result(_result(message), now, time.time())
                if task.counts.late_results != late:
                    self.metrics.discarded("late_result")
                self._waiters.wake(task.task_id, message.frame)
                self.metrics.result(message.outcome, message.seconds)
            case CallFailed():
                task.failed(message.epoch, message.frame, message.message, now, deadline=message.deadline)
                self.metrics.failed(deadline=message.deadline)
            case FrameFault(fault=Fault.COSTLY_PICTURE):
                # It has cost what it has cost, whatever became of the task meanwhile.
                task.costly_picture(now)
                self._waiters.wake(task.task_id)
            case FrameFault():
                if message.epoch == epoch:
                    task.camera_fault(Reason(message.fault))
                    self._waiters.wake(task.task_id)
            case FrameDecoded():
                # A picture of the camera or the writer before says nothing about the present one.
                if message.epoch == epoch:
                    task.on_decoded(now, changed=message.changed)
                self.metrics.on_decoded(key=message.key)
            case RecordingStatus():
                task.recording_error = message.error
                self.metrics.recorded(message.finished_bytes, failed=message.error is not None)
            case _:
                assert_never(message)
        if isinstance(message, EarlyPlan | CallResult) and task.settings.recording and task.drive is not drive:
            self.link.journal.planned(task, message.frame, now, opening=isinstance(message, EarlyPlan))
        if task.epoch != epoch:
            self._tell_anew(task)
        self.tasks.touch(entry)

    # The clock ------------------------------------------------------------------------------------------------------

    async def watch_clock(self) -> None:
        """End tasks that are over by the clock, and notice a silent worker."""
        while True:
            self.look_at_clock()
            await asyncio.sleep(LOOK_SECONDS)

    def look_at_clock(self) -> None:
        """One such look."""
        now, wall = self.now(), time.time()
        silent = self.link.silent(now)
        self.link.journal.flush(now, silent=silent)
        for entry in self.tasks:
            task = entry.task
            if task.verdict is not None:
                continue
            if task.worker_silent != silent:
                task.worker_silent = silent
                if silent:
                    task.call_lost()
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


def _early(message: EarlyPlan) -> Result:
    return Result(
        epoch=message.epoch,
        frame=message.frame,
        outcome="plan",
        detail="opening",
        waypoints=message.waypoints,
        model_seconds=message.seconds,
    )


def _result(message: CallResult) -> Result:
    return Result(
        epoch=message.epoch,
        frame=message.frame,
        outcome=message.outcome,
        detail=message.detail,
        waypoints=message.waypoints,
        action=message.action,
        environment=message.environment,
        progress=message.progress,
        clamped=message.clamped,
        model_seconds=message.seconds,
    )


def tasks_of(navigation: Navigation) -> list[Task]:
    """Every task that a new worker must know; what the one before was asked is lost."""
    entries = [entry for entry in navigation.tasks if entry.task.verdict is None]
    for entry in entries:
        navigation.worker_lost(entry)
    return [entry.task for entry in entries]
