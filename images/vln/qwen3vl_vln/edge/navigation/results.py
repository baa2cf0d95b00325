"""What the worker says about pictures, told to the tasks that they are of."""

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.edge.navigation.shared import Shared
from qwen3vl_vln.ipc.channel import Message
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.task.tasks import Entry
from qwen3vl_vln.waypoint import Waypoint


class Results(Shared):
    """What the worker found, and that it is lost."""

    def on_message(self, message: Message) -> None:
        """Take a message of the worker."""
        if message["type"] == "rendered":
            self.views.rendered(message)
            return
        entry = self.tasks.find(message["task"])
        if entry is None:
            return
        task, now, kind = entry.task, self.now(), message["type"]
        epoch, follower = task.epoch, task.follower
        if kind == "result":
            late = task.counts.late_results
            task.result(_result(message), now, self.wall())
            if task.counts.late_results != late:
                self.metrics.discarded("late_result")
            self._waiters.wake(task.task_id, message["frame"])
            self.metrics.result(message["outcome"], message["seconds"])
        elif kind == "call":
            task.call_began(message["epoch"], now)
        elif kind == "opening":
            task.early_plan(_result(message | _OPENING), now)
        elif kind == "failed":
            task.failed(message["epoch"], message["frame"], message["message"], now, deadline=message["deadline"])
            self.metrics.failed(deadline=message["deadline"])
        elif kind == "fault" and message["reason"] == Reason.COSTLY_PICTURE:
            # It has cost what it has cost, whatever became of the task meanwhile.
            task.costly_picture(now)
            self._waiters.wake(task.task_id)
        elif kind == "fault":
            if message["epoch"] == epoch:
                task.camera_fault(Reason(message["reason"]))
                self._waiters.wake(task.task_id)
        elif kind == "looked":
            # A picture of the camera or the writer before says nothing about the present one.
            if message["epoch"] == epoch:
                task.on_decoded(now, changed=message["changed"])
            self.metrics.on_decoded(key=message["key"])
        elif kind == "recording":
            task.on_recording(message["error"])
            self.metrics.recorded(message["bytes"], failed=message["error"] is not None)
        if kind in ("result", "opening") and task.settings.recording and task.follower is not follower:
            self.link.journal.planned(task, message["frame"], now, opening=kind == "opening")
        if task.epoch != epoch:
            self._tell_anew(task)
        self.tasks.touch(entry)

    def worker_lost(self, entry: Entry) -> None:
        """What the worker was asked for a task is lost: who waits for it has the answer of this moment."""
        entry.task.call_lost()
        self._waiters.wake(entry.task.task_id)


_OPENING = {"outcome": "plan", "detail": "opening", "action": "", "environment": "", "progress": None, "clamped": False}


def _result(message: Message) -> Result:
    return Result(
        epoch=message["epoch"],
        frame=message["frame"],
        outcome=message["outcome"],
        detail=message["detail"],
        waypoints=tuple(Waypoint(*point) for point in message["waypoints"]),
        action=message["action"],
        environment=message["environment"],
        progress=message["progress"],
        clamped=message["clamped"],
        model_seconds=message["seconds"],
    )
