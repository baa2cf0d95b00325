"""A robot's frame in, the answer for this moment out; and which writer's frames those of a task are.

The hot path: nothing here waits but `frame_sync`, which a client asks for."""

import logging

from qwen3vl_common.navigation.states import Reason, State, Verdict
from qwen3vl_vln.edge.navigation.shared import Shared
from qwen3vl_vln.errors import EndedError, ModelLostError
from qwen3vl_vln.task.answer import Answer, answer
from qwen3vl_vln.task.delays import Stamps
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.http_writers import Peer
from qwen3vl_vln.task.task import Task
from qwen3vl_vln.task.tasks import Entry

log = logging.getLogger(__name__)


class Frames(Shared):
    """What robots ask for."""

    def frame(self, entry: Entry, frame: Frame) -> Answer:
        """Take a frame and give the answer for this moment; the image is looked at afterwards."""
        task, wall = entry.task, self.wall()
        epoch = task.epoch
        offered = task.frame(frame)
        body = self._answer(task, frame.received_at, wall, frame.sequence)
        if offered:
            number = self.link.offer(task, frame, frame.received_at)
            entry.newest_offered = entry.newest_offered if number is None else number
        if task.epoch != epoch:
            self.link.tell(task)
        if task.settings.recording.enabled:
            self.link.journal.answered(task.task_id, body, frame.received_at)
        self.tasks.touch(entry)
        self._count(entry, body, frame)
        return body

    def _count(self, entry: Entry, body: Answer, frame: Frame) -> None:
        state = body["state"]
        self.metrics.answered(state, frame.image is not None)
        if state == State.MOVING:
            self.metrics.moved(body["age_ms"] / 1000)
        elif entry.newest_state == State.MOVING:
            self.metrics.paused(body["reason"])
        if body["reason"] == Reason.OLD_SEQUENCE:
            self.metrics.discarded(Reason.OLD_SEQUENCE.value)
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
        if entry.task.verdict is Verdict.MODEL_LOST:
            raise ModelLostError(entry.task.message)
        if entry.task.verdict not in (None, Verdict.GOAL_REACHED):
            raise EndedError(f"the task ended meanwhile: {entry.task.verdict}")
        return self._answer(entry.task, self.now(), self.wall(), None, waited=True)

    def answer_now(self, entry: Entry, sequence: int | None) -> Answer:
        """The answer of a task that takes no frame: it has ended, or its frame was refused."""
        return self._answer(entry.task, self.now(), self.wall(), sequence)

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
        task.granted(epoch, other=other)
        if task.epoch != before:
            self._tell_anew(task)
        self.tasks.touch(entry)
        return epoch

    def admit_http(self, entry: Entry, peer: Peer, now: float, *, robot: str | None = None) -> None:
        """Have a frame by HTTP be of the task's writer.

        Args:
            robot: that it names.

        Raises:
            RobotChangedError: it drove another robot by this task.
            LeaseBusyError: another writer has the task, or another connection of the same.
        """
        entry.need_robot(peer, robot)
        entry.http.admit(peer, now)
        # Nobody greets here: after a silence, or on another connection than before, it may have been started anew.
        anew = entry.http.replaced(peer) or (entry.lease.quiet(now) and not entry.http.continues(peer))
        if anew or not entry.lease.holds(peer.writer, None, now):
            entry.lease.holds(peer.writer, self.grant(entry, peer.writer, takeover=False, anew=anew), now)
            entry.drives(peer)
        entry.http.took(peer, now)
        entry.task.linked(None)
        if entry.task.warn("writers", entry.http.warning):
            log.warning("task %s: %s", entry.task.task_id, entry.http.warning)
