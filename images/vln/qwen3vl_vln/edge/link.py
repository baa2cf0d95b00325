"""The edge's end of the worker: starts it, starts it again, hands pictures over when asked and takes what it found."""

import asyncio
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from qwen3vl_vln.edge.journal import Journal
from qwen3vl_vln.ipc.channel import Arena, Channel, Message
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.task import Task

log = logging.getLogger(__name__)

SILENT_SECONDS = 1.0
HUNG_SECONDS = 15.0
"""After this long without a word a worker is ended and started again; its start takes a few seconds."""
FIRST_RESTART_SECONDS, LONGEST_RESTART_SECONDS = 0.2, 5.0
LONG_LIFE_SECONDS = 30.0
WATCHED_MOST = 16
"""Tasks that are drawn for viewers at once."""
DRAWN_BYTES = 4 * 1024 * 1024
"""More than any drawn picture has; what is not written takes no memory."""


@dataclass(frozen=True)
class WorkerOptions:
    """What the worker is told at its start."""

    model_name: str
    gateway_url: str
    max_model_calls: int
    model_timeout_seconds: float
    log_level: str
    slots: int
    slot_bytes: int
    context_length: int | None = None
    warm_up: bool = False
    recordings_dir: Path | None = None
    recordings_max_mib: int = 0
    recording_file_max_mib: int = 0


@dataclass
class _Desk:
    epoch: int
    slot: int | None = None
    wanted: bool = False
    held: tuple[Frame, int] | None = None


@dataclass
class WorkerLink:
    """Keeps one worker alive and speaks with it.

    Attributes:
        on_message: takes each message of the worker.
        tasks: gives all tasks that a new worker must know.
        hung_seconds: after so long without a word a worker is ended.
    """

    options: WorkerOptions
    on_message: Callable[[Message], None]
    tasks: Callable[[], list[Task]]
    hung_seconds: float = HUNG_SECONDS
    restarts: int = 0
    _arena: Arena | None = None
    _pictures: Arena | None = None
    _canvases: Arena | None = None
    _channel: Channel | None = None
    _process: asyncio.subprocess.Process | None = None
    _alive_at: float = 0.0
    _desks: dict[str, _Desk] = field(default_factory=dict)
    _free: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = Journal(self._send)

    async def run(self) -> None:
        """Keep a worker running until cancelled."""
        self._arena = Arena.make(self.options.slots, self.options.slot_bytes)
        self._pictures = Arena.make(WATCHED_MOST, self.options.slot_bytes)
        self._canvases = Arena.make(WATCHED_MOST, DRAWN_BYTES)
        loop, failures = asyncio.get_running_loop(), 0
        try:
            while True:
                began = loop.time()
                await self._serve_one(self._arena, self._pictures, self._canvases)
                failures = 0 if loop.time() - began > LONG_LIFE_SECONDS else failures + 1
                self.restarts += 1
                log.error("the worker ended; it is started again")
                await asyncio.sleep(min(LONGEST_RESTART_SECONDS, FIRST_RESTART_SECONDS * 2 ** min(failures - 1, 8)))
        finally:
            await self._end()

    async def _serve_one(self, arena: Arena, pictures: Arena, canvases: Arena) -> None:
        ours, theirs = socket.socketpair()
        options = self.options
        arguments = {
            "--channel-fd": theirs.fileno(),
            "--arena-fd": arena.fd,
            "--slots": options.slots,
            "--slot-bytes": options.slot_bytes,
            "--pictures-fd": pictures.fd,
            "--canvases-fd": canvases.fd,
            "--views": WATCHED_MOST,
            "--canvas-bytes": canvases.slot_bytes,
            "--model-name": options.model_name,
            "--gateway-url": options.gateway_url,
            "--max-model-calls": options.max_model_calls,
            "--model-timeout-seconds": options.model_timeout_seconds,
            "--log-level": options.log_level,
        }
        if options.recordings_dir is not None:
            arguments |= {
                "--recordings-dir": options.recordings_dir,
                "--recordings-max-mib": options.recordings_max_mib,
                "--recording-file-max-mib": options.recording_file_max_mib,
            }
        if options.context_length is not None:
            arguments |= {"--context-length": options.context_length}
        words = [str(word) for pair in arguments.items() for word in pair]
        if options.warm_up:
            words.append("--warm-up")
        command = (sys.executable, "-m", "qwen3vl_vln.worker", *words)
        with theirs:
            inherited = (theirs.fileno(), arena.fd, pictures.fd, canvases.fd)
            self._process = await asyncio.create_subprocess_exec(*command, pass_fds=inherited)
        # What the one before said last does not speak for this one.
        self._alive_at = 0.0
        channel = await Channel.over(ours)
        self.join(arena, channel)
        watching = asyncio.create_task(self._end_hung(self._process))
        try:
            async for message in channel.messages():
                self.hear(message)
        except (KeyError, TypeError, ValueError):
            log.exception("the worker speaks nonsense")
        finally:
            watching.cancel()
            await self._end()

    async def _end_hung(self, process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(SILENT_SECONDS)
            if loop.time() - max(began, self._alive_at) > self.hung_seconds:
                break
        log.error("the worker has said nothing for %g s; it is ended", self.hung_seconds)
        process.kill()

    def join(self, arena: Arena, channel: Channel) -> None:
        """Speak with a new worker over this channel; it is told of every task."""
        self._arena, self._channel = arena, channel
        self._desks.clear()
        self._free = list(range(self.options.slots))
        for task in self.tasks():
            self.tell(task, again=True)

    def hear(self, message: Message) -> None:
        """Take a message of the worker."""
        self._alive_at = asyncio.get_running_loop().time()
        if message["type"] == "want":
            self._want(message)
        elif message["type"] == "left":
            self._free.append(message["slot"])
        elif message["type"] != "alive":
            self.on_message(message)

    async def _end(self) -> None:
        channel, process = self._channel, self._process
        self._channel = self._process = None
        if channel is not None:
            await channel.close()
        if process is not None and process.returncode is None:
            # It ends by itself when the channel is closed; a hung one does not.
            try:
                await asyncio.wait_for(process.wait(), 1.0)
            except TimeoutError:
                process.kill()
                await process.wait()

    def silent(self, now: float) -> bool:
        """Whether nothing was heard of the worker for a second."""
        return self._channel is None or now - self._alive_at > SILENT_SECONDS

    @property
    def pid(self) -> int | None:
        """Of the worker."""
        return self._process.pid if self._process is not None else None

    def tell(self, task: Task, *, again: bool = False) -> None:
        """Say what a task wants now; what was under way for an older epoch is given up there.

        Args:
            again: to a worker that was started anew.
        """
        desk = self._desks.setdefault(task.task_id, _Desk(task.epoch))
        if desk.epoch != task.epoch:
            desk.epoch, desk.wanted, desk.held = task.epoch, False, None
        settings = task.settings
        self._send(
            {
                "type": "task",
                "task": task.task_id,
                "epoch": task.epoch,
                "active": task.verdict is None and not task.paused,
                "instruction": settings.instruction,
                "reverse": settings.limits.reverse,
                "keyframes": settings.keyframes.as_json(),
                "history": settings.history.frames,
                "language": settings.language,
                "profile": settings.profile,
                "camera_number": task.eyes.number,
                "camera": settings.camera.as_json(),
                "recording": settings.recording,
                "robot": settings.robot,
                "limits": settings.limits.as_json(),
                "phase": task.phase.value,
                "verdict": None if task.verdict is None else task.verdict.value,
                "message": task.message,
                "again": again,
            }
        )
        if settings.recording and task.verdict is not None:
            self.journal.ends(task.task_id)
        if task.verdict is not None:
            self._release(desk)

    def forget(self, task_id: str) -> None:
        """The task is gone."""
        desk = self._desks.pop(task_id, None)
        if desk is not None:
            self._release(desk)
            self._send({"type": "forget", "task": task_id})

    def offer(self, task: Task, frame: Frame, now: float) -> int | None:
        """Hand a picture over if the worker waits for one; a forced one is kept until it does. Its number there."""
        desk = self._desks.get(task.task_id)
        if desk is None or desk.epoch != task.epoch or frame.image is None:
            return None
        if not desk.wanted:
            if not frame.force_key:
                return None
            number = task.frame_pose(frame)
            desk.held = frame, number
            return number
        number = task.frame_pose(frame)
        self._hand_over(task.task_id, desk, frame, number, force=frame.force_key or task.wants_key_frame(now))
        return number

    def _hand_over(self, task_id: str, desk: _Desk, frame: Frame, number: int, *, force: bool) -> None:
        arena, image, odometry = self._arena, frame.image, frame.odometry
        if arena is None or image is None:
            return
        if desk.slot is None:
            if not self._free:
                return
            desk.slot = self._free.pop()
        desk.wanted, desk.held = False, None
        arena.write(desk.slot, image)
        pose = None
        if odometry is not None:
            pose = (odometry.pose.x, odometry.pose.y, odometry.pose.yaw, odometry.origin)
        self._send(
            {
                "type": "frame",
                "task": task_id,
                "epoch": desk.epoch,
                "frame": number,
                "slot": desk.slot,
                "size": len(image),
                "force": force,
                "keep": frame.force_key,
                "pose": pose,
                "received": frame.received_at,
            }
        )

    # Drawing for viewers. Of each place one picture is under way: `Views` shows the next one when the worker has told
    # of the one before, or is gone.

    def show(self, slot: int, picture: bytes, body: Message) -> bool:
        """Give a picture to be drawn; False when there is no worker."""
        if self._pictures is None or self._channel is None:
            return False
        self._pictures.write(slot, picture)
        self._send(body | {"slot": slot, "size": len(picture)})
        return True

    def drawn(self, slot: int, size: int) -> bytes:
        """What the worker drew, once it has told of it."""
        return self._canvases.read(slot, size) if self._canvases is not None else b""

    def _want(self, message: Message) -> None:
        desk = self._desks.get(message["task"])
        if desk is None or desk.epoch != message["epoch"]:
            return
        desk.wanted = True
        if desk.held is not None:
            frame, number = desk.held
            self._hand_over(message["task"], desk, frame, number, force=True)

    def _release(self, desk: _Desk) -> None:
        # The worker may have the last picture still to read; it says when it has come past that.
        if desk.slot is not None:
            self._send({"type": "leave", "task": "", "slot": desk.slot})
            desk.slot = None

    def _send(self, message: Message) -> None:
        if self._channel is not None:
            self._channel.send(message)
