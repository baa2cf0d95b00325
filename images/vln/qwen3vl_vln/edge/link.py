"""The edge's end of the worker: tells it what tasks want, hands images over, and takes what it found."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from qwen3vl_vln.edge.frame_slots import FrameSlots
from qwen3vl_vln.edge.journal import Journal
from qwen3vl_vln.edge.worker_process import WorkerProcess
from qwen3vl_vln.ipc.channel import EdgeEnd
from qwen3vl_vln.ipc.frame_slots import Arena
from qwen3vl_vln.ipc.to_edge import Alive, SlotLeft, ToEdge, ToNavigation, WantFrame
from qwen3vl_vln.ipc.to_worker import DrawView, ForgetTask, TaskUpdate, ToWorker, WorkerSettings
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.task import Task

log = logging.getLogger(__name__)

SILENT_SECONDS = 1.0


class Sender(Protocol):
    """Takes messages for the worker, as `EdgeEnd` does."""

    def send(self, message: ToWorker) -> None:
        """Send soon."""


@dataclass
class WorkerLink:
    """Speaks with the one worker that it keeps alive.

    Attributes:
        options: what the worker is told first.
        on_message: takes each message of the worker that is not about transport.
        tasks: gives all tasks that a new worker must know.
        process: the worker's.
        frames: images on their way to it.
        journal: what recorded tasks answered.
    """

    options: WorkerSettings
    on_message: Callable[[ToNavigation], None]
    tasks: Callable[[], list[Task]]
    _view_inputs: Arena | None = None
    _view_outputs: Arena | None = None
    _channel: Sender | None = None
    _heard_at: float = 0.0

    def __post_init__(self) -> None:
        self.process = WorkerProcess(lambda: self._heard_at)
        self.frames = FrameSlots(self.send)
        self.journal = Journal(self.send)

    async def run(self) -> None:
        """Keep a worker running until cancelled."""
        options = self.options
        frames = Arena.make(options.slots, options.slot_bytes)
        self._view_inputs = inputs = Arena.make(options.view_slots, options.slot_bytes)
        self._view_outputs = outputs = Arena.make(options.view_slots, options.output_slot_bytes)
        inherited = {"--frames-fd": frames.fd, "--view-inputs-fd": inputs.fd, "--view-outputs-fd": outputs.fd}
        await self.process.run(inherited, partial(self._speak, frames))

    async def _speak(self, frames: Arena, channel: EdgeEnd) -> None:
        channel.send(self.options)
        self.join(frames, channel)
        try:
            async for message in channel.messages():
                self.hear(message)
        except (KeyError, TypeError, ValueError):
            log.exception("the worker speaks nonsense")
        finally:
            self._channel = None

    def join(self, frames: Arena, channel: Sender) -> None:
        """Speak with a new worker over this channel; it is told of every task."""
        # What the one before said last does not speak for this one.
        self._channel, self._heard_at = channel, 0.0
        self.frames.begin(frames, self.options.slots)
        for task in self.tasks():
            self.tell(task, again=True)

    def hear(self, message: ToEdge) -> None:
        """Take a message of the worker."""
        self._heard_at = asyncio.get_running_loop().time()
        match message:
            case WantFrame():
                self.frames.wanted(message)
            case SlotLeft():
                self.frames.left(message)
            case Alive():
                pass
            case _:  # each one of `ToNavigation`, as types have it
                self.on_message(message)

    def silent(self, now: float) -> bool:
        """Whether nothing was heard of the worker for a second."""
        return self._channel is None or now - self._heard_at > SILENT_SECONDS

    @property
    def restarts(self) -> int:
        """So often a worker had to be started again."""
        return self.process.restarts

    def tell(self, task: Task, *, again: bool = False) -> None:
        """Say what a task wants now; what was under way for an older epoch is given up there.

        Args:
            again: to a worker that was started anew.
        """
        self.frames.follow(task.task_id, task.epoch)
        settings = task.settings
        self.send(
            TaskUpdate(
                task_id=task.task_id,
                epoch=task.epoch,
                active=task.verdict is None and not task.paused,
                instruction=settings.instruction,
                reverse=settings.limits.reverse,
                keyframes=settings.keyframes,
                history_frames=settings.history.frames,
                language=settings.prompt.language,
                profile=settings.prompt.profile,
                camera_number=task.camera_monitor.number,
                camera=settings.camera,
                recording=settings.recording.enabled,
                robot=settings.robot,
                limits=settings.limits,
                phase=task.phase.value,
                verdict=None if task.verdict is None else task.verdict.value,
                message=task.message,
                again=again,
            )
        )
        if settings.recording.enabled and task.verdict is not None:
            self.journal.ends(task.task_id)
        if task.verdict is not None:
            self.frames.ended(task.task_id)

    def forget(self, task_id: str) -> None:
        """The task is gone."""
        if self.frames.forget(task_id):
            self.send(ForgetTask(task_id=task_id))

    def offer(self, task: Task, frame: Frame, now: float) -> int | None:
        """See `FrameSlots.offer`."""
        return self.frames.offer(task, frame, now)

    # Drawing for viewers. Of each place one image is under way: `Views` shows the next one when the worker has told
    # of the one before, or is gone.

    def show(self, task_id: str, slot: int, image: bytes, scene: Scene) -> bool:
        """Give an image to be drawn; False when there is no worker."""
        if self._view_inputs is None or self._channel is None:
            return False
        self._view_inputs.write(slot, image)
        self.send(DrawView(task_id=task_id, slot=slot, size=len(image), scene=scene))
        return True

    def drawn(self, slot: int, size: int) -> bytes:
        """What the worker drew, once it has told of it."""
        return self._view_outputs.read(slot, size) if self._view_outputs is not None else b""

    def send(self, message: ToWorker) -> None:
        """Send a message to the worker, if there is one."""
        if self._channel is not None:
            self._channel.send(message)
