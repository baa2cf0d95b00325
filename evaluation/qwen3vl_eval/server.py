"""The VLN API without its sockets: both of its halves in one process, joined by a channel of function calls.

Tasks, motion, key frames, prompts and parser are the product's own code; only transport and processes are left out."""

import asyncio
from collections.abc import Callable
from typing import Any, assert_never

from qwen3vl_vln.edge.link import WorkerLink
from qwen3vl_vln.edge.metrics import Metrics
from qwen3vl_vln.edge.navigation import Navigation, tasks_of
from qwen3vl_vln.edge.wire import Bounds, read
from qwen3vl_vln.ipc.frame_slots import Arena
from qwen3vl_vln.ipc.messages import decode_to_edge, decode_to_worker, encode
from qwen3vl_vln.ipc.to_edge import Alive, FrameDecoded, ToEdge
from qwen3vl_vln.ipc.to_worker import (
    CameraFrame,
    DrawView,
    ForgetTask,
    JournalBatch,
    LeaveSlot,
    TaskUpdate,
    ToWorker,
    WorkerSettings,
)
from qwen3vl_vln.task.delays import Delay
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.task import Task
from qwen3vl_vln.task.tasks import Tasks
from qwen3vl_vln.worker.decoding import Decoder
from qwen3vl_vln.worker.question import Model
from qwen3vl_vln.worker.scheduler import InferenceScheduler

BOOT_ID = "b00710ad"
TASK_ID = "walk"
ALIVE_SECONDS = 0.2
_WRITER = "robot"
_OPTIONS = WorkerSettings(
    model_name="model",
    gateway_url="",
    max_model_calls=1,
    model_timeout_seconds=30.0,
    log_level="error",
    slots=1,
    slot_bytes=0,
)

Develop = Callable[[bytes], bytes]
"""Makes the picture of what was sent in its place."""


class _Pictures(Arena):
    """One slot; what is read from it is developed only then."""

    def __init__(self, develop: Develop) -> None:
        self._develop, self._data = develop, b""

    def write(self, slot: int, data: bytes) -> None:
        self._data = data

    def read(self, slot: int, size: int) -> bytes:
        return self._develop(self._data)


class _Sender:
    """Messages for the worker's side, which arrive as soon as all that is under way is done."""

    def __init__(self, take: Callable[[ToWorker], None]) -> None:
        self._take = take

    def send(self, message: ToWorker) -> None:
        """Send soon."""
        asyncio.get_running_loop().call_soon(self._take, decode_to_worker(encode(message)))


class _Navigation(Navigation):
    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()


class Server:
    """One task of one robot. Made and used within a running loop.

    Args:
        develop: makes the JPEG of what was sent as a picture, when somebody looks at it.
        context_length: of the model, in tokens; None where nobody has said.

    Attributes:
        key_frames: pictures that the worker chose for the model.
    """

    def __init__(
        self, settings: Settings, model: Model, develop: Develop = bytes, context_length: int | None = None
    ) -> None:
        link = WorkerLink(_OPTIONS, lambda message: self._navigation.on_message(message), self._tasks)
        self._navigation = _Navigation(link, Metrics(), Tasks(BOOT_ID))
        self._link = link
        self.key_frames = 0
        # By the processor's time a collection of garbage in this process would be a costly picture.
        decoder = Decoder(clock=asyncio.get_running_loop().time)
        self._scheduler = InferenceScheduler(
            "model",
            model,
            self._hear,
            lambda slot, size: pictures.read(slot, size),
            calls=1,
            context_length=context_length,
            decoder=decoder,
        )
        pictures = _Pictures(develop)
        self._entry = self._navigation.tasks.add(TASK_ID, settings, 0.0)
        link.join(pictures, _Sender(self._told))
        self._beat()
        self._clock = asyncio.create_task(self._navigation.watch_clock())

    def _tasks(self) -> list[Task]:
        return tasks_of(self._navigation)

    def _told(self, message: ToWorker) -> None:
        match message:
            case TaskUpdate() | ForgetTask() | CameraFrame() | LeaveSlot():
                self._scheduler.take(message)
            case WorkerSettings() | JournalBatch() | DrawView():
                pass  # nothing is recorded or drawn here
            case _:
                assert_never(message)

    def _hear(self, message: ToEdge) -> None:
        self.key_frames += isinstance(message, FrameDecoded) and message.key
        asyncio.get_running_loop().call_soon(self._link.hear, decode_to_edge(encode(message)))

    def _beat(self) -> None:
        self._hear(Alive())
        asyncio.get_running_loop().call_later(ALIVE_SECONDS, self._beat)

    @property
    def task(self) -> Task:
        """The task, for looking at."""
        return self._entry.task

    def edit(self, settings: Settings) -> None:
        """Change what the task is about."""
        self.task.edit(settings)
        self._link.tell(self.task)

    def connect(self) -> "Connection":
        """The robot's controller connects, or connects again."""
        return Connection(self)

    def grant(self) -> None:
        """Give the robot's controller the task."""
        self._navigation.grant(self._entry, _WRITER, takeover=False)

    def take(self, data: bytes, delay: Delay) -> dict[str, Any]:
        """A message of the robot arrives; the answer that goes out at once."""
        now = self._navigation.now()
        frame = read(data, now, Bounds(), delay)
        if frame is None:
            raise ValueError("the robot sent a message of an unknown type")
        return self._navigation.frame(self._entry, frame)

    async def close(self) -> None:
        """End what runs here."""
        self._clock.cancel()
        await self._scheduler.close()


class Connection:
    """What the server remembers of one connection."""

    def __init__(self, server: Server) -> None:
        self._server, self._delay = server, Delay()
        server.grant()

    def take(self, data: bytes) -> dict[str, Any]:
        """See `Server.take`."""
        return self._server.take(data, self._delay)
