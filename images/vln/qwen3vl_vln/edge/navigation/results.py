"""What the worker says about images, told to the tasks that they are of."""

from typing import assert_never

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.edge.navigation.shared import Shared
from qwen3vl_vln.ipc.to_edge import (
    CallBegan,
    CallFailed,
    CallResult,
    ContextWarning,
    EarlyPlan,
    Fault,
    FrameDecoded,
    FrameFault,
    ModelWarm,
    RecordingStatus,
    ToNavigation,
    ViewDrawn,
)
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.task.tasks import Entry


class Results(Shared):
    """What the worker found, and that it is lost."""

    def on_message(self, message: ToNavigation) -> None:
        """Take a message of the worker."""
        if isinstance(message, ViewDrawn):
            self.views.rendered(message)
            return
        if isinstance(message, ModelWarm):
            self.tasks.pace.warmed_up(message.seconds)
            return
        entry = self.tasks.find(message.task_id)
        if entry is None:
            return
        task, now = entry.task, self.now()
        epoch, follower, recorded = task.epoch, task.follower, task.settings.recording.enabled
        match message:
            case CallBegan():
                task.call_began(message.epoch, now)
            case EarlyPlan():
                task.early_plan(_early(message), now)
            case CallResult():
                late = task.counts.late_results
                task.result(_result(message), now, self.wall())
                if task.counts.late_results != late:
                    self.metrics.discarded("late_result")
                self._waiters.wake(task.task_id, message.frame)
                self.metrics.result(message.outcome, message.seconds)
            case CallFailed():
                task.failed(
                    message.epoch,
                    message.frame,
                    message.message,
                    now,
                    deadline=message.deadline,
                    context_too_small=message.context_too_small,
                )
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
                # An image of the camera or the writer before says nothing about the present one.
                if message.epoch == epoch:
                    task.on_decoded(now, changed=message.changed)
                self.metrics.on_decoded(key=message.key)
            case ContextWarning():
                task.on_context(message.text)
            case RecordingStatus():
                task.on_recording(message.error)
                self.metrics.recorded(message.finished_bytes, failed=message.error is not None)
            case _:
                assert_never(message)
        if isinstance(message, EarlyPlan | CallResult) and recorded and task.follower is not follower:
            self.link.journal.planned(task, message.frame, now, opening=isinstance(message, EarlyPlan))
        if task.epoch != epoch:
            self._tell_anew(task)
        self.tasks.touch(entry)

    def worker_lost(self, entry: Entry) -> None:
        """What the worker was asked for a task is lost: who waits for it has the answer of this moment."""
        entry.task.call_lost()
        entry.task.on_context("")  # the next one has said nothing yet, and says what is missing anew
        self._waiters.wake(entry.task.task_id)


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
