"""A worker's scheduler with a model that answers when a test says so."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.support.images import jpeg
from tests.support.polling import until

from qwen3vl_common.navigation.settings import Keyframes
from qwen3vl_vln.ipc.channel import Message
from qwen3vl_vln.worker.model_client import Reply
from qwen3vl_vln.worker.scheduler import InferenceScheduler

PLAN = '{"reached_goal": false, "waypoints": [{"dx": 0.5, "dy": 0, "dtheta": 0}], "action": "forward"}'


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
    """An scheduler, its model, and what it sends."""

    def __init__(self, calls: int = 4) -> None:
        self.model, self.sent = Model(), list[Message]()
        self.slots: dict[int, bytes] = {}
        self.scheduler = InferenceScheduler(
            "m", self.model, self.sent.append, lambda slot, size: self.slots[slot], calls=calls
        )
        self.numbers = 0

    def task(self, name: str, epoch: int = 1, **more: Any) -> None:
        keyframes = Keyframes(threshold=0.0, min_interval_seconds=0.05).as_json()
        message = {"type": "task", "task": name, "epoch": epoch, "active": True, "instruction": f"{name}/{epoch}"}
        message |= {"reverse": False, "keyframes": keyframes, "history": 2, "language": "en", "profile": "waypoints"}
        message |= {"camera_number": 1}
        self.scheduler.take(message | more)

    def frame(self, name: str, epoch: int = 1, image: bytes | None = None, **more: Any) -> int:
        self.numbers += 1
        self.slots[self.numbers] = jpeg(320, 240, self.numbers) if image is None else image
        message = {"type": "frame", "task": name, "epoch": epoch, "frame": self.numbers, "slot": self.numbers}
        size = len(self.slots[self.numbers])
        self.scheduler.take(message | {"size": size, "force": False, "keep": False, "pose": None} | more)
        return self.numbers

    async def until(self, kind: str, count: int = 1) -> list[Message]:
        def found() -> list[Message]:
            return [message for message in self.sent if message["type"] == kind]

        await until(lambda: len(found()) >= count, 5, f"{count} messages {kind!r}", lambda: str(self.sent))
        return found()
