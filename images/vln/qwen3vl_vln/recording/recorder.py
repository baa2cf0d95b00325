"""The worker's door to recordings: takes what happened, at once, and has a thread write it.

A disk that is slow loses messages, which are counted; one that hangs holds up this thread and nobody else."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from qwen3vl_common.navigation.states import Phase
from qwen3vl_vln.ipc.to_edge import RecordingStatus, ToEdge
from qwen3vl_vln.ipc.to_worker import CameraFrame, ForgetTask, JournalBatch, TaskUpdate, ToRecorder
from qwen3vl_vln.recording import messages
from qwen3vl_vln.recording.messages import Entry, ModelCall
from qwen3vl_vln.recording.store import RecordingStore
from qwen3vl_vln.recording.writer import RecordingWriter

log = logging.getLogger(__name__)

WAITING_MOST_BYTES = 32 * 1024 * 1024
SMALL_BYTES = 1024
CLOSE_SECONDS = 0.8

Job = Callable[[RecordingWriter], None]


@dataclass(frozen=True)
class Bounds:
    """How much may be kept: all files together, and one file."""

    total_bytes: int
    file_bytes: int


class Recorder:
    """Records the tasks that want it.

    Args:
        send: takes messages for the edge; called in the loop.
    """

    def __init__(self, folder: Path, bounds: Bounds, send: Callable[[ToEdge], None]) -> None:
        self._folder, self._bounds, self._send = folder, bounds, send
        self._tasks: dict[str, TaskUpdate] = {}
        self._jobs: queue.SimpleQueue[tuple[Job, int] | None] = queue.SimpleQueue()
        self._waiting_bytes, self._lock = 0, threading.Lock()
        self._lost: dict[str, int] = {}
        self._loop = asyncio.get_running_loop()
        # Times of both processes are of one monotonic clock; a step of the wall clock does not tear a recording.
        self._epoch_ns = time.time_ns() - time.monotonic_ns()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    # In the loop ----------------------------------------------------------------------------------------------------

    def take(self, message: ToRecorder) -> None:
        """See a message of the edge."""
        match message:
            case TaskUpdate():
                self._update(message)
            case JournalBatch():
                if message.task_id in self._tasks:
                    self._journal(message)
            case ForgetTask():
                if (task := self._tasks.get(message.task_id)) is not None:
                    self._event("deleted", "", task)
                    self._end(message.task_id)
            case _:
                assert_never(message)

    def _update(self, task: TaskUpdate) -> None:
        task_id = task.task_id
        before = self._tasks.get(task_id)
        if not task.recording:
            if before is not None:
                self._event("recording_off", "", task)
                self._end(task_id)
            return
        if before is None and task.verdict is not None:
            return
        self._tasks[task_id] = task
        about, at_ns = messages.about(task), self._now_ns()
        self._put(SMALL_BYTES, lambda writer: writer.begin(task_id, about, at_ns))
        for kind, text in changes(before, task):
            self._event(kind, text, task, about=about)

    def _journal(self, batch: JournalBatch) -> None:
        def entries() -> list[Entry]:
            made = [entry for row in batch.plans for entry in messages.plan(self._ns(row.at), row)]
            return made + [messages.answer(self._ns(row.at), row) for row in batch.answers]

        if batch.answers or batch.plans:
            self._add(batch.task_id, SMALL_BYTES * len(batch.answers), entries)
        if batch.lost:
            self._lost[batch.task_id] = self._lost.get(batch.task_id, 0) + batch.lost
        if batch.end:
            self._end(batch.task_id)

    def frame(self, message: CameraFrame, jpeg: bytes, *, key: bool = False, fault: str | None = None) -> None:
        """An image was looked at."""
        if message.task_id in self._tasks:
            at_ns, number, epoch, pose = self._ns(message.received_at), message.frame, message.epoch, message.pose
            self._add(
                message.task_id,
                2 * len(jpeg),
                lambda: messages.frame(at_ns, number, epoch, jpeg, key=key, pose=pose, fault=fault),
            )

    def call(self, task_id: str, call: ModelCall) -> None:
        """A model call ended."""
        if task_id in self._tasks:
            at_ns = self._now_ns()
            self._add(task_id, SMALL_BYTES + len(call.text or ""), lambda: messages.call(at_ns, call))

    def _event(self, kind: str, text: str, task: TaskUpdate, *, about: dict[str, Any] | None = None) -> None:
        at_ns, epoch = self._now_ns(), task.epoch
        self._add(task.task_id, SMALL_BYTES, lambda: messages.event(at_ns, kind, text, epoch, task=about))

    def _add(self, task_id: str, size: int, entries: Callable[[], list[Entry]]) -> None:
        lost, at_ns = self._lost.pop(task_id, 0), self._now_ns()

        def job(writer: RecordingWriter) -> None:
            if lost:
                text = f"{lost} messages were lost: the disk is slow"
                writer.add(task_id, messages.event(at_ns, "lost", text, 0, level=messages.WARNING))
            writer.add(task_id, entries())

        if not self._put(size, job):
            self._lost[task_id] = lost + 1

    def _end(self, task_id: str) -> None:
        self._tasks.pop(task_id, None)
        self._lost.pop(task_id, None)
        self._put(0, lambda writer: writer.end(task_id))

    def _put(self, size: int, job: Job) -> bool:
        with self._lock:
            if size and self._waiting_bytes + size > WAITING_MOST_BYTES:
                return False
            self._waiting_bytes += size
        self._jobs.put((job, size))
        return True

    def _ns(self, monotonic_seconds: float) -> int:
        return self._epoch_ns + int(monotonic_seconds * messages.NANOSECONDS)

    def _now_ns(self) -> int:
        return self._epoch_ns + time.monotonic_ns()

    async def close(self) -> None:
        """Finish all files, if the disk lets it soon."""
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join, CLOSE_SECONDS)

    # In the thread --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        store = RecordingStore(self._folder, self._bounds.total_bytes)
        try:
            store.scan()
        except OSError as error:
            log.warning("the folder of recordings cannot be read: %s", error.strerror)
        writer = RecordingWriter(store, self._bounds.file_bytes, self._tell)
        while (item := self._jobs.get()) is not None:
            job, size = item
            try:
                job(writer)
            except Exception:
                log.exception("a recording failed")
            with self._lock:
                self._waiting_bytes -= size
        writer.close()

    def _tell(self, task_id: str, size_bytes: int, error: str | None) -> None:
        message = RecordingStatus(task_id=task_id, finished_bytes=size_bytes, error=error)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._send, message)


def changes(before: TaskUpdate | None, after: TaskUpdate) -> list[tuple[str, str]]:
    """What is new about a task, as events: a word and a sentence each."""
    if before is None:
        return [("worker_restarted" if after.again else "recording_on", after.instruction)]
    found = []
    if after.instruction != before.instruction:
        found.append(("instruction_changed", after.instruction))
    if (after.phase == Phase.PAUSED) != (before.phase == Phase.PAUSED) and after.verdict is None:
        found.append(("paused" if after.phase == Phase.PAUSED else "resumed", ""))
    if after.camera_number != before.camera_number:
        found.append(("camera_changed", "its pictures have another shape"))
    if after.verdict != before.verdict:
        found.append(("finished", f"{after.verdict}: {after.message}"))
    return found
