"""What the worker does for all tasks: look at the newest picture of each, and ask the model about key frames, fairly.

One key frame a task waits, the newest; calls of different tasks take turns. A call under way is cancelled only when its
answer is not wanted any more: another instruction, a stop, a pause, the end."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from qwen3vl_vln.ipc.channel import Message
from qwen3vl_vln.motion.limits import Keyframes
from qwen3vl_vln.parser import ParseLimits, early_plan, parse
from qwen3vl_vln.waypoint import Waypoint
from qwen3vl_vln.worker.context_budget import Allowed, ContextTooSmallError, Shown
from qwen3vl_vln.worker.decoding import Decoder
from qwen3vl_vln.worker.keyframes import CorruptImageError, KeyframeChooser, view
from qwen3vl_vln.worker.model_client import ModelDeadlineError, ModelError, Reply
from qwen3vl_vln.worker.pictures import KeyPicture, Picture, scaled, small_already
from qwen3vl_vln.worker.question import Model, Question, ask

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.25, 5.0
GUIDED_PROFILE = "waypoints"
"""The engine is held to the schema, so that what is written of it can be relied on before its end."""
OLD_KEY_FRAME_SECONDS = 0.5
"""A key frame that waited longer for the model is replaced by a picture of now."""


class Recorder(Protocol):
    """Keeps what is shown to it; never waits, never fails."""

    def frame(self, message: Message, jpeg: bytes, *, key: bool = False, fault: str | None = None) -> None:
        """A picture was looked at."""

    def call(self, task_id: str, fields: dict[str, Any]) -> None:
        """A model call ended."""


@dataclass(frozen=True)
class KeyFrame:
    """A picture for the model; `keep`: somebody waits for the answer to this one."""

    number: int
    jpeg: bytes
    at: float
    keep: bool = False


@dataclass
class TaskState:
    """What is known of one task here."""

    epoch: int
    instruction: str
    language: str
    profile: str
    reverse: bool
    chooser: KeyframeChooser
    history: deque[Picture]
    camera_number: int
    allowed: Allowed = field(default_factory=Allowed)
    shown: int = 0
    warning: str = ""
    waiting: KeyFrame | None = None
    call: "asyncio.Task[None] | None" = None
    queued: bool = False
    failures: int = 0
    stale: bool = False

    def edit(self, message: Message, keyframes: Keyframes) -> None:
        """Take other settings within an epoch."""
        self.language, self.profile, self.reverse = message["language"], message["profile"], message["reverse"]
        self.chooser.settings = keyframes
        self.history = deque(self.history, maxlen=message["history"])


@dataclass
class InferenceScheduler:
    """Works on the messages of the edge.

    Attributes:
        send: takes messages for the edge.
        read: the bytes of a slot.
        calls: how many questions run at once.
        context_length: of the model, in tokens; None where nobody has said.
        recorder: is shown what was seen, asked and answered.
        decoder: looks at pictures.
    """

    model_name: str
    model: Model
    send: Callable[[Message], None]
    read: Callable[[int, int], bytes]
    calls: int = 4
    context_length: int | None = None
    recorder: Recorder | None = None
    decoder: Decoder = field(default_factory=Decoder)
    _jobs: dict[str, TaskState] = field(default_factory=dict)
    _queue: deque[str] = field(default_factory=deque)
    _running: int = 0
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    def take(self, message: Message) -> None:
        """Act on a message."""
        task_id = message["task"]
        if message["type"] == "task":
            self._configure(task_id, message)
        elif message["type"] == "forget":
            self._forget(task_id)
        elif message["type"] == "leave":
            # Messages are taken in their order: nothing before this one reads the slot any more.
            self.send({"type": "left", "task": "", "slot": message["slot"]})
        elif message["type"] == "frame" and (job := self._jobs.get(task_id)) and job.epoch == message["epoch"]:
            jpeg = self.read(message["slot"], message["size"])
            self._spawn(self._look(task_id, job, message, jpeg))

    def _configure(self, task_id: str, message: Message) -> None:
        old = self._jobs.get(task_id)
        if not message["active"]:
            self._forget(task_id)
            return
        keyframes = Keyframes.from_json(message["keyframes"], "keyframes")
        if old is not None and old.epoch == message["epoch"]:
            # Nothing that was asked is void by it; the picture that is wanted, or looked at, stays so.
            old.edit(message, keyframes)
            return
        same_camera = old is not None and old.camera_number == message["camera_number"]
        history = deque(old.history if old is not None and same_camera else (), maxlen=message["history"])
        if old is not None:
            self._cancel(old)
        job = self._jobs[task_id] = TaskState(
            message["epoch"],
            message["instruction"],
            message["language"],
            message["profile"],
            message["reverse"],
            KeyframeChooser(keyframes),
            history,
            message["camera_number"],
        )
        if old is not None:
            # The engine's context is the same whatever the task is about.
            job.allowed, job.warning = old.allowed, old.warning
        self.send({"type": "want", "task": task_id, "epoch": message["epoch"]})

    def _forget(self, task_id: str) -> None:
        if job := self._jobs.pop(task_id, None):
            self._cancel(job)

    def _cancel(self, job: TaskState) -> None:
        job.waiting = None
        if job.call is not None:
            job.call.cancel()

    def _spawn(self, coroutine: Any) -> "asyncio.Task[None]":
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("analysis failed", exc_info=error)

    async def _look(self, task_id: str, job: TaskState, message: Message, jpeg: bytes) -> None:
        async with self.decoder.turn(task_id):
            if self._jobs.get(task_id) is not job:
                return
            decoded = await self.decoder.decode(view, jpeg)
        seen, now = decoded.seen, asyncio.get_running_loop().time()
        if decoded.costly:
            self._fault(task_id, job, message, jpeg, "costly_picture")
            return
        if seen is None:
            self._fault(task_id, job, message, jpeg, "corrupt_frame")
            return
        if seen.covered:
            self._fault(task_id, job, message, jpeg, "covered_camera")
            return
        pose = tuple(message["pose"]) if message["pose"] else None
        key = job.chooser.choose(seen, now, pose, force=message["force"] or job.stale)
        self.send(
            {"type": "looked", "task": task_id, "epoch": job.epoch, "key": key, "changed": job.chooser.changed(seen)}
        )
        if self.recorder is not None:
            self.recorder.frame(message, jpeg, key=key)
        # One that somebody waits for is not replaced by a newer one.
        kept = job.waiting is not None and job.waiting.keep and not message["keep"]
        if key and self._jobs.get(task_id) is job and not kept:
            job.stale = False
            job.waiting = KeyFrame(message["frame"], jpeg, now, keep=message["keep"])
            self._enqueue(task_id, job)
        self._want(task_id, job, job.chooser.rest_seconds(now))

    def _fault(self, task_id: str, job: TaskState, message: Message, jpeg: bytes, reason: str) -> None:
        self.send({"type": "fault", "task": task_id, "epoch": job.epoch, "reason": reason})
        if self.recorder is not None:
            self.recorder.frame(message, jpeg, fault=reason)
        self._want(task_id, job, 0.0)

    def _want(self, task_id: str, job: TaskState, seconds: float) -> None:
        """Ask for the next picture once it can be a key frame."""
        asyncio.get_running_loop().call_later(seconds, self._ask_for_frame, task_id, job)

    def _ask_for_frame(self, task_id: str, job: TaskState) -> None:
        if self._jobs.get(task_id) is job:
            self.send({"type": "want", "task": task_id, "epoch": job.epoch})

    def _enqueue(self, task_id: str, job: TaskState) -> None:
        if not job.queued and job.call is None:
            job.queued = True
            self._queue.append(task_id)
            self._start_calls()

    def _start_calls(self) -> None:
        while self._queue and self._running < self.calls:
            task_id = self._queue.popleft()
            job = self._jobs.get(task_id)
            if job is None or not job.queued:
                continue
            job.queued = False
            if job.waiting is None:
                continue
            key, job.waiting = job.waiting, None
            self._running += 1
            job.call = self._spawn(self._ask(task_id, job, key))
            # Not at the end of the call itself: one that is cancelled before it began has none.
            job.call.add_done_callback(partial(self._ended, task_id, job))

    async def _ask(self, task_id: str, job: TaskState, key: KeyFrame) -> None:
        loop = asyncio.get_running_loop()
        pictures = await self._scaled(task_id, job, key)
        if pictures is None:
            return
        asked = loop.time()
        answer: Message = {"task": task_id, "epoch": job.epoch, "frame": key.number}
        self.send({"type": "call", **answer})
        question = self._question(job, pictures)
        try:
            heard = self._opening_heard(job, answer, asked) if job.profile == GUIDED_PROFILE else None
            told = partial(self._shows, task_id, job, question)
            reply = await ask(self.model, question, job.allowed, told=told, heard=heard)
        except (ModelError, ContextTooSmallError) as error:
            deadline, too_small = isinstance(error, ModelDeadlineError), isinstance(error, ContextTooSmallError)
            failed = {"message": str(error), "deadline": deadline, "too_small": too_small}
            self.send({"type": "failed", **answer, **failed})
            self._record(job, answer, loop.time() - asked, {"outcome": "failed", "detail": str(error)})
            await self._back_off(job)
        except asyncio.CancelledError:
            self._record(job, answer, loop.time() - asked, {"outcome": "cancelled", "detail": "not_wanted_any_more"})
            raise
        else:
            read, seconds = self._read_reply(job, reply), loop.time() - asked
            self.send({"type": "result", **answer, **read, "seconds": seconds})
            self._record(job, answer, seconds, read, reply)
            job.failures = 0
            job.history.append(pictures.small)

    async def _scaled(self, task_id: str, job: TaskState, key: KeyFrame) -> KeyPicture | None:
        """A key frame as the model is shown it; None where its colours cannot be decoded, or not in time."""
        with contextlib.suppress(CorruptImageError):
            if (pictures := small_already(key.jpeg)) is not None:
                return pictures
        async with self.decoder.turn(task_id):
            decoded = await self.decoder.decode(scaled, key.jpeg)
        if decoded.seen is not None and not decoded.costly:
            return decoded.seen
        reason = "costly_picture" if decoded.costly else "corrupt_frame"
        self.send({"type": "fault", "task": task_id, "epoch": job.epoch, "reason": reason})
        job.stale = True
        return None

    def _question(self, job: TaskState, pictures: KeyPicture) -> Question:
        return Question(
            model_name=self.model_name,
            instruction=job.instruction,
            language=job.language,
            profile=job.profile,
            reverse=job.reverse,
            history=tuple(job.history),
            now=pictures,
            context_length=self.context_length,
        )

    def _shows(self, task_id: str, job: TaskState, question: Question, shown: Shown, allowed: Allowed) -> None:
        """A question goes out that shows so much; what is missing in it is said once."""
        job.allowed, job.shown = allowed, shown.history
        warning = question.warning(shown, allowed)
        if warning != job.warning:
            job.warning = warning
            self.send({"type": "context", "task": task_id, "warning": warning})

    def _ended(self, task_id: str, job: TaskState, _: "asyncio.Task[None]") -> None:
        self._running -= 1
        job.call = None
        self._go_on(task_id, job)

    def _record(
        self, job: TaskState, answer: Message, seconds: float, read: Message, reply: Reply | None = None
    ) -> None:
        if self.recorder is None:
            return
        fields = {
            "frame": answer["frame"],
            "epoch": answer["epoch"],
            "instruction": job.instruction,
            "language": job.language,
            "profile": job.profile,
            "reverse": job.reverse,
            "history_frames": job.shown,
            "seconds": seconds,
            "text": None if reply is None else reply.text,
            "finish_reason": None if reply is None else reply.finish_reason,
            "outcome": read["outcome"],
            "reason": read["detail"],
            "waypoints": read.get("waypoints", []),
            "action": read.get("action", ""),
            "environment": read.get("environment", ""),
            "progress": read.get("progress"),
            "clamped": read.get("clamped", False),
        }
        self.recorder.call(answer["task"], fields)

    def _opening_heard(self, job: TaskState, answer: Message, asked: float) -> Callable[[str], None]:
        """Sends the waypoints of an answer as soon as their array is closed, once."""
        limits, sent = ParseLimits(reverse=job.reverse), False

        def heard(text: str) -> None:
            nonlocal sent
            if not sent and "]" in text and (waypoints := early_plan(text, limits)):
                sent = True
                seconds = asyncio.get_running_loop().time() - asked
                self.send({"type": "opening", **answer, "waypoints": _points(waypoints), "seconds": seconds})

        return heard

    async def _back_off(self, job: TaskState) -> None:
        job.failures += 1
        # Others may use the place meanwhile.
        self._running -= 1
        self._start_calls()
        try:
            await asyncio.sleep(min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(job.failures - 1, 10)))
        finally:
            self._running += 1
            job.stale = True

    def _go_on(self, task_id: str, job: TaskState) -> None:
        if self._jobs.get(task_id) is job and job.waiting is not None:
            old = asyncio.get_running_loop().time() - job.waiting.at > OLD_KEY_FRAME_SECONDS
            if old and not job.waiting.keep:
                job.waiting, job.stale = None, True
            else:
                self._enqueue(task_id, job)
        self._start_calls()

    def _read_reply(self, job: TaskState, reply: Reply) -> Message:
        limits = ParseLimits(reverse=job.reverse)
        parsed = parse(reply.text, finish_reason=reply.finish_reason, profile=job.profile, limits=limits)
        return {
            "outcome": parsed.outcome,
            "detail": parsed.reason,
            "waypoints": _points(parsed.waypoints),
            "action": parsed.action,
            "environment": parsed.environment,
            "progress": parsed.progress,
            "clamped": parsed.clamped,
        }

    async def close(self) -> None:
        """Cancel everything."""
        self._jobs.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.decoder.close()


def _points(waypoints: Sequence[Waypoint]) -> list[tuple[float, float, float]]:
    return [(point.dx, point.dy, point.dtheta) for point in waypoints]
