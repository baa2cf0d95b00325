"""One question to the model about a key frame: asked, told to the edge as it goes, parsed and recorded."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from qwen3vl_vln.ipc.to_edge import CallBegan, CallFailed, CallResult, EarlyPlan, ToEdge
from qwen3vl_vln.ipc.to_worker import CameraFrame
from qwen3vl_vln.parser import Parsed, ParseLimits, early_plan, parse
from qwen3vl_vln.recording.messages import ModelCall
from qwen3vl_vln.worker.model_client import ModelDeadlineError, ModelError, Reply
from qwen3vl_vln.worker.prompt import request
from qwen3vl_vln.worker.task_state import KeyFrame, TaskState

GUIDED_PROFILE = "waypoints"
"""The engine is held to the schema, so that what is written of it can be relied on before its end."""


class Recorder(Protocol):
    """Keeps what is shown to it; never waits, never fails."""

    def frame(self, message: CameraFrame, jpeg: bytes, *, key: bool = False, fault: str | None = None) -> None:
        """A picture was looked at."""

    def call(self, task_id: str, call: ModelCall) -> None:
        """A model call ended."""


class Model(Protocol):
    """Answers one question."""

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        """See `ModelClient`."""


@dataclass
class ModelCaller:
    """Asks the model.

    Attributes:
        send: takes messages for the edge.
        recorder: is shown each call that ended.
    """

    model_name: str
    model: Model
    send: Callable[[ToEdge], None]
    recorder: Recorder | None = None

    async def ask(self, task_id: str, job: TaskState, key: KeyFrame) -> bool:
        """Ask about a key frame; whether the model answered."""
        loop = asyncio.get_running_loop()
        asked, epoch = loop.time(), job.epoch
        self.send(CallBegan(task_id=task_id, epoch=epoch, frame=key.number))
        try:
            body = request(
                self.model_name,
                job.instruction,
                list(job.history),
                key.jpeg,
                language=job.language,
                profile=job.profile,
                reverse=job.reverse,
            )
            heard = self._early_plan_heard(task_id, job, key, asked) if job.profile == GUIDED_PROFILE else None
            reply = await self.model.ask(body, heard)
        except ModelError as error:
            message, deadline = str(error), isinstance(error, ModelDeadlineError)
            self.send(CallFailed(task_id=task_id, epoch=epoch, frame=key.number, message=message, deadline=deadline))
            self._record(task_id, job, key, loop.time() - asked, Parsed("failed", message))
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
                history_frames=len(job.history),
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
