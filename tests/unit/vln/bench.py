"""A worker's scheduler with a model that answers when a test says so."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from tests.support.images import jpeg
from tests.support.polling import until

from qwen3vl_common.navigation.settings import Camera, Keyframes, Limits
from qwen3vl_vln.ipc.to_edge import ToEdge
from qwen3vl_vln.ipc.to_worker import CameraFrame, TaskUpdate
from qwen3vl_vln.worker.model_client import Reply
from qwen3vl_vln.worker.question import Model as ModelProtocol
from qwen3vl_vln.worker.scheduler import InferenceScheduler

PLAN = '{"reached_goal": false, "waypoints": [{"dx": 0.5, "dy": 0, "dtheta": 0}], "action": "forward"}'


M = TypeVar("M", bound=ToEdge)


def task_update(task_id: str, **more: Any) -> TaskUpdate:
    """What a task wants that nobody changed."""
    given: dict[str, Any] = {
        "epoch": 1,
        "active": True,
        "instruction": "Walk on.",
        "reverse": False,
        "keyframes": Keyframes(),
    }
    given |= {"history_frames": 0, "language": "en", "profile": "waypoints", "camera_number": 1, "camera": Camera()}
    given |= {"recording": False, "robot": "go2", "limits": Limits(), "phase": "Running", "verdict": None}
    return TaskUpdate(task_id=task_id, **given | {"message": "", "again": False} | more)


def camera_frame(task_id: str, number: int, **more: Any) -> CameraFrame:
    """A picture that nobody waits for."""
    given: dict[str, Any] = {
        "epoch": 1,
        "frame": number,
        "slot": number,
        "size": 1,
        "force": False,
        "keep": False,
        "pose": None,
    }
    return CameraFrame(task_id=task_id, **given | {"received_at": 0.0} | more)


class Model:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, asyncio.Future[Reply]]] = []
        self.bodies: list[dict[str, Any]] = []

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        self.heard = heard
        text = body["messages"][-1]["content"][-1]["text"]
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.asked.append((text.rpartition("Instruction: ")[2], answer))
        self.bodies.append(body)
        return await answer

    def of(self, instruction: str) -> list[asyncio.Future[Reply]]:
        return [answer for asked, answer in self.asked if asked == instruction]


class Bench:
    """An scheduler, its model, and what it sends.

    Args:
        other: answers in the place of `model`.
    """

    def __init__(
        self,
        calls: int = 4,
        other: ModelProtocol | None = None,
        context_length: int | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        self.model, self.sent = Model(), list[ToEdge]()
        self.slots: dict[int, bytes] = {}
        self.scheduler = InferenceScheduler(
            "m",
            self.model if other is None else other,
            self.sent.append,
            lambda slot, size: self.slots[slot],
            calls=calls,
            context_length=context_length,
            timeout_seconds=timeout_seconds,
        )
        self.numbers = 0

    def task(self, name: str, epoch: int = 1, **more: Any) -> None:
        keyframes = Keyframes(threshold=0.0, min_interval_seconds=0.05)
        given = {"epoch": epoch, "instruction": f"{name}/{epoch}", "keyframes": keyframes, "history_frames": 2} | more
        self.scheduler.take(task_update(name, **given))

    def frame(self, name: str, epoch: int = 1, image: bytes | None = None) -> int:
        self.numbers += 1
        self.slots[self.numbers] = jpeg(320, 240, self.numbers) if image is None else image
        size = len(self.slots[self.numbers])
        self.scheduler.take(camera_frame(name, self.numbers, epoch=epoch, slot=self.numbers, size=size))
        return self.numbers

    async def until(self, kind: type[M], count: int = 1) -> list[M]:
        await until(
            lambda: len(self.told(kind)) >= count, 5, f"{count} messages {kind.__name__}", lambda: str(self.sent)
        )
        return self.told(kind)

    def told(self, kind: type[M]) -> list[M]:
        return [message for message in self.sent if isinstance(message, kind)]
