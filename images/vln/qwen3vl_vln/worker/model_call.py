"""One question to the model about a key frame: asked, told to the edge as it goes, parsed and recorded."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from qwen3vl_vln.ipc.to_edge import CallBegan, CallFailed, CallResult, ContextWarning, EarlyPlan, ToEdge
from qwen3vl_vln.ipc.to_worker import CameraFrame
from qwen3vl_vln.parser import Parsed, ParseLimits, early_plan, parse
from qwen3vl_vln.recording.messages import ModelCall
from qwen3vl_vln.worker.context_budget import Allowed, ContextTooSmallError, Shown
from qwen3vl_vln.worker.images import KeyImage
from qwen3vl_vln.worker.model_client import ModelDeadlineError, ModelError, Reply
from qwen3vl_vln.worker.question import Model, Question, ask
from qwen3vl_vln.worker.task_state import KeyFrame, TaskState

GUIDED_PROFILE = "waypoints"
"""The engine is held to the schema, so that what is written of it can be relied on before its end."""

EXPECTED = (ModelError, ContextTooSmallError)
"""What a question may end with; any other error is a fault of this software."""


class Recorder(Protocol):
    """Keeps what is shown to it; never waits, never fails."""

    def frame(self, message: CameraFrame, jpeg: bytes, *, key: bool = False, fault: str | None = None) -> None:
        """An image was looked at."""

    def call(self, task_id: str, call: ModelCall) -> None:
        """A model call ended."""


@dataclass
class ModelCaller:
    """Asks the model.

    Attributes:
        send: takes messages for the edge.
        context_length: of the model, in tokens; None where nobody has said.
        recorder: is shown each call that ended.
        timeout_seconds: for all tries of one question together; None where each has the model's own alone.
    """

    model_name: str
    model: Model
    send: Callable[[ToEdge], None]
    context_length: int | None = None
    recorder: Recorder | None = None
    timeout_seconds: float | None = None

    async def ask(self, task_id: str, job: TaskState, key: KeyFrame, images: KeyImage) -> bool:
        """Ask about a key frame; whether the model answered."""
        loop = asyncio.get_running_loop()
        asked, epoch = loop.time(), job.epoch
        self.send(CallBegan(task_id=task_id, epoch=epoch, frame=key.number))
        question = self._question(job, images)
        try:
            heard = self._early_plan_heard(task_id, job, key, asked) if job.profile == GUIDED_PROFILE else None
            told = partial(self._shows, task_id, job, question)
            reply = await ask(
                self.model,
                question,
                job.context.allowed,
                told=told,
                heard=heard,
                timeout_seconds=self.timeout_seconds,
            )
        except EXPECTED as error:
            self.failed(task_id, job, key, error, loop.time() - asked)
            return False
        except asyncio.CancelledError:
            self._record(task_id, job, key, loop.time() - asked, Parsed("cancelled", "not_wanted_any_more"))
            raise
        limits = ParseLimits(reverse=job.reverse)
        parsed = parse(reply.text, finish_reason=reply.finish_reason, profile=job.profile, limits=limits)
        seconds = loop.time() - asked
        self.send(
            CallResult(
                task_id=task_id,
                epoch=epoch,
                frame=key.number,
                outcome=parsed.outcome,
                detail=parsed.reason,
                waypoints=parsed.waypoints,
                action=parsed.action,
                environment=parsed.environment,
                progress=parsed.progress,
                clamped=parsed.clamped,
                seconds=seconds,
            )
        )
        self._record(task_id, job, key, seconds, parsed, reply)
        return True

    def failed(self, task_id: str, job: TaskState, key: KeyFrame, error: Exception, seconds: float) -> None:
        """Tell that there is no answer about a key frame, and why."""
        message = str(error) if isinstance(error, EXPECTED) else f"the worker failed: {type(error).__name__}"
        self.send(
            CallFailed(
                task_id=task_id,
                epoch=job.epoch,
                frame=key.number,
                message=message,
                deadline=isinstance(error, ModelDeadlineError),
                context_too_small=isinstance(error, ContextTooSmallError),
            )
        )
        self._record(task_id, job, key, seconds, Parsed("failed", message))

    def _question(self, job: TaskState, images: KeyImage) -> Question:
        return Question(
            model_name=self.model_name,
            instruction=job.instruction,
            language=job.language,
            profile=job.profile,
            reverse=job.reverse,
            history=tuple(job.history),
            now=images,
            context_length=self.context_length,
        )

    def _shows(self, task_id: str, job: TaskState, question: Question, shown: Shown, allowed: Allowed) -> None:
        """A question goes out that shows so much; what is missing in it is said once."""
        job.context.allowed, job.shown_history = allowed, shown.history
        warning = question.warning(shown, allowed)
        if warning != job.context.warning:
            job.context.warning = warning
            self.send(ContextWarning(task_id=task_id, text=warning))

    def _early_plan_heard(self, task_id: str, job: TaskState, key: KeyFrame, asked: float) -> Callable[[str], None]:
        """Sends the waypoints of an answer as soon as their array is closed, once."""
        limits, sent = ParseLimits(reverse=job.reverse), False

        def heard(text: str) -> None:
            nonlocal sent
            if not sent and "]" in text and (waypoints := early_plan(text, limits)):
                sent = True
                seconds = asyncio.get_running_loop().time() - asked
                self.send(
                    EarlyPlan(
                        task_id=task_id,
                        epoch=job.epoch,
                        frame=key.number,
                        waypoints=tuple(waypoints),
                        seconds=seconds,
                    )
                )

        return heard

    def _record(
        self, task_id: str, job: TaskState, key: KeyFrame, seconds: float, parsed: Parsed, reply: Reply | None = None
    ) -> None:
        if self.recorder is None:
            return
        self.recorder.call(
            task_id,
            ModelCall(
                frame=key.number,
                epoch=job.epoch,
                instruction=job.instruction,
                language=job.language,
                profile=job.profile,
                reverse=job.reverse,
                history_frames=job.shown_history,
                seconds=seconds,
                text=None if reply is None else reply.text,
                finish_reason=None if reply is None else reply.finish_reason,
                outcome=parsed.outcome,
                reason=parsed.reason,
                waypoints=parsed.waypoints,
                action=parsed.action,
                environment=parsed.environment,
                progress=parsed.progress,
                clamped=parsed.clamped,
            ),
        )
