"""What the worker does for all tasks: look at the newest image of each, and ask the model about key frames, fairly.

One key frame a task waits, the newest; calls of different tasks take turns. A call under way is cancelled only when its
answer is not wanted any more: another instruction, a stop, a pause, the end."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import InitVar, dataclass, field
from typing import Any, assert_never

from qwen3vl_vln.ipc.rows import OdometryPose
from qwen3vl_vln.ipc.to_edge import Fault, FrameDecoded, FrameFault, SlotLeft, ToEdge, WantFrame
from qwen3vl_vln.ipc.to_worker import CameraFrame, ForgetTask, LeaveSlot, TaskUpdate, ToScheduler
from qwen3vl_vln.worker.call_queue import CallQueue
from qwen3vl_vln.worker.decoding import Decoder
from qwen3vl_vln.worker.images import KeyImage, scaled, small_already
from qwen3vl_vln.worker.keyframes import CorruptImageError, view
from qwen3vl_vln.worker.model_call import ModelCaller, Recorder
from qwen3vl_vln.worker.question import Model
from qwen3vl_vln.worker.task_state import ContextState, KeyFrame, TaskState

log = logging.getLogger(__name__)


@dataclass
class InferenceScheduler:
    """Works on the messages of the edge.

    Attributes:
        send: takes messages for the edge.
        read: the bytes of a slot.
        calls: how many questions run at once.
        queue: whose turn it is to ask.
        context_length: of the model, in tokens; None where nobody has said.
        recorder: is shown what was seen, asked and answered.
        timeout_seconds: for one question, however often it is asked again with less; None without an end of its own.
        decoder: looks at images.
    """

    model_name: str
    model: Model
    send: Callable[[ToEdge], None]
    read: Callable[[int, int], bytes]
    calls: InitVar[int] = 4
    context_length: int | None = None
    recorder: Recorder | None = None
    timeout_seconds: float | None = None
    decoder: Decoder = field(default_factory=Decoder)
    _jobs: dict[str, TaskState] = field(default_factory=dict)
    _contexts: dict[str, ContextState] = field(default_factory=dict)
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    def __post_init__(self, calls: int) -> None:
        self.queue = CallQueue(calls, self._jobs.get, self._ask, self._spawn)
        self._caller = ModelCaller(
            self.model_name, self.model, self.send, self.context_length, self.recorder, self.timeout_seconds
        )

    def take(self, message: ToScheduler) -> None:
        """Act on a message."""
        match message:
            case TaskUpdate():
                self._configure(message)
            case ForgetTask():
                self._rest(message.task_id)
                self._contexts.pop(message.task_id, None)
            case LeaveSlot():
                # Messages are taken in their order: nothing before this one reads the slot any more.
                self.send(SlotLeft(slot=message.slot))
            case CameraFrame():
                job = self._jobs.get(message.task_id)
                if job is not None and job.epoch == message.epoch:
                    jpeg = self.read(message.slot, message.size)
                    self._spawn(self._look(job, message, jpeg))
            case _:
                assert_never(message)

    def _configure(self, update: TaskUpdate) -> None:
        old = self._jobs.get(update.task_id)
        if not update.active:
            self._rest(update.task_id)
            if update.verdict is not None:
                self._contexts.pop(update.task_id, None)
            return
        if old is not None and old.epoch == update.epoch:
            # Nothing that was asked is void by it; the image that is wanted, or looked at, stays so.
            old.edit(update)
            return
        if old is not None:
            old.cancel()
        self._jobs[update.task_id] = TaskState.begin(
            update, old, self._contexts.setdefault(update.task_id, ContextState())
        )
        self.send(WantFrame(task_id=update.task_id, epoch=update.epoch))

    def _rest(self, task_id: str) -> None:
        if job := self._jobs.pop(task_id, None):
            job.cancel()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("analysis failed", exc_info=error)

    async def _look(self, job: TaskState, message: CameraFrame, jpeg: bytes) -> None:
        task_id = message.task_id
        async with self.decoder.turn(task_id):
            if self._jobs.get(task_id) is not job:
                return
            decoded = await self.decoder.decode(view, jpeg)
        seen, now = decoded.seen, asyncio.get_running_loop().time()
        if decoded.costly or seen is None or seen.covered:
            unseen = Fault.CORRUPT_FRAME if seen is None else Fault.COVERED_CAMERA
            self._fault(job, message, jpeg, Fault.COSTLY_PICTURE if decoded.costly else unseen)
            return
        key = job.chooser.choose(seen, now, _place(message.pose), force=message.force or job.stale)
        changed = job.chooser.changed(seen)
        self.send(FrameDecoded(task_id=task_id, epoch=job.epoch, key=key, changed=changed))
        if self.recorder is not None:
            self.recorder.frame(message, jpeg, key=key)
        # One that somebody waits for is not replaced by a newer one.
        kept = job.waiting is not None and job.waiting.keep and not message.keep
        if key and self._jobs.get(task_id) is job and not kept:
            job.stale = False
            job.waiting = KeyFrame(message.frame, jpeg, now, keep=message.keep)
            self.queue.add(task_id, job)
        self._want(task_id, job, job.chooser.rest_seconds(now))

    def _fault(self, job: TaskState, message: CameraFrame, jpeg: bytes, fault: Fault) -> None:
        self.send(FrameFault(task_id=message.task_id, epoch=job.epoch, fault=fault))
        if self.recorder is not None:
            self.recorder.frame(message, jpeg, fault=fault.value)
        self._want(message.task_id, job, 0.0)

    def _want(self, task_id: str, job: TaskState, seconds: float) -> None:
        """Ask for the next image once it can be a key frame."""
        asyncio.get_running_loop().call_later(seconds, self._ask_for_frame, task_id, job)

    def _ask_for_frame(self, task_id: str, job: TaskState) -> None:
        if self._jobs.get(task_id) is job:
            self.send(WantFrame(task_id=task_id, epoch=job.epoch))

    async def _ask(self, task_id: str, job: TaskState, key: KeyFrame) -> bool:
        """Ask the model about a key frame; False when it gave no answer."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            images = await self._scaled(task_id, job, key)
            if images is None:
                return True
            if not await self._caller.ask(task_id, job, key, images):
                return False
        except Exception as error:
            # Else the robot would wait for an answer that nobody gives.
            log.exception("a call failed")
            self._caller.failed(task_id, job, key, error, loop.time() - began)
            return False
        job.failures = 0
        job.history.append(images.small)
        return True

    async def _scaled(self, task_id: str, job: TaskState, key: KeyFrame) -> KeyImage | None:
        """A key frame as the model is shown it; None where its colours cannot be decoded, or not in time."""
        with contextlib.suppress(CorruptImageError):
            if (images := small_already(key.jpeg)) is not None:
                return images
        async with self.decoder.turn(task_id):
            decoded = await self.decoder.decode(scaled, key.jpeg)
        if decoded.seen is not None and not decoded.costly:
            return decoded.seen
        fault = Fault.COSTLY_PICTURE if decoded.costly else Fault.CORRUPT_FRAME
        self.send(FrameFault(task_id=task_id, epoch=job.epoch, fault=fault))
        job.stale = True
        return None

    async def close(self) -> None:
        """Cancel everything."""
        self._jobs.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.decoder.close()


def _place(pose: OdometryPose | None) -> tuple[float, float, float, float] | None:
    return None if pose is None else (pose.x, pose.y, pose.yaw, pose.origin)
