"""What answers as the model: the simulator's policy, or a script; with the time it takes and the faults asked for."""

import asyncio
import base64
import json
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from qwen3vl_server.simulator import navigation
from qwen3vl_vln.worker.model_client import ModelError, Reply

INVALID = (
    "",
    "I am not sure what you mean.",
    '{"reached_goal": false, "waypoints": [{"dx": NaN, "dy": 0, "dtheta": 0}], "action": "forward"}',
    '{"reached_goal": false, "waypoints": [{"dx": 0.5, "dy"',
    '{"reached_goal": false, "waypoints": [{"dx": -0.6, "dy": 0, "dtheta": 0}], "action": "forward"}',
)
Heard = Callable[[str], None] | None
REFUSED_SECONDS = 0.02
WAYPOINTS_SHARE = 0.8
"""Of an answer's time is over when its waypoints are written."""
NEVER = (math.inf, math.inf)


@dataclass(frozen=True)
class Behaviour:
    """How a model behaves beside what it says.

    Attributes:
        seconds: that a call takes.
        invalid_share: of its answers that are no plan.
        dead: from when to when it refuses every call, seconds.
        one_shot: after each plan it fails this many calls.
    """

    seconds: float = 0.3
    invalid_share: float = 0.0
    dead: tuple[float, float] = NEVER
    one_shot: int = 0


@dataclass
class PolicyModel:
    """The simulator's drive policy behind the worker's `Model` protocol. It sees what a request holds and no more.

    Attributes:
        seconds: what each call that it answered took.
    """

    behaviour: Behaviour
    seed: int = 0
    seconds: list[float] = field(default_factory=list)
    _silent: int = 0
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"model {self.seed}")  # noqa: S311 - which answers are bad, not a secret

    async def ask(self, body: dict[str, Any], heard: Heard = None) -> Reply:
        """See `ModelClient`."""
        loop, behaviour = asyncio.get_running_loop(), self.behaviour
        if behaviour.dead[0] <= loop.time() < behaviour.dead[1]:
            await asyncio.sleep(REFUSED_SECONDS)
            raise ModelError("HTTP 503: no engine")
        bad, which = self._rng.random() < behaviour.invalid_share, self._rng.choice(INVALID)
        if self._silent:
            self._silent -= 1
            await asyncio.sleep(behaviour.seconds)
            raise ModelError("nothing was said")
        self.seconds.append(behaviour.seconds)
        if bad:
            return await _written(which, behaviour.seconds, heard)
        decision = self._decide(body)
        if decision["waypoints"]:
            self._silent = behaviour.one_shot
        return await _written(json.dumps(decision), behaviour.seconds, heard)

    def _decide(self, body: dict[str, Any]) -> dict[str, Any]:
        parts = body["messages"][-1]["content"]
        pictures = [_pixels(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]
        text = parts[-1]["text"]
        return navigation.answer(body["response_format"]["json_schema"]["schema"], pictures, text)


@lru_cache(maxsize=32)
def _pixels(url: str) -> np.ndarray:
    data = base64.b64decode(url.partition(",")[2])
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(pixels, np.uint8)


class Script:
    """Says these texts one after the other, then nothing for ever."""

    def __init__(self, texts: Iterable[str], seconds: float) -> None:
        self._texts, self._seconds = iter(texts), seconds

    async def ask(self, body: dict[str, Any], heard: Heard = None) -> Reply:
        """See `ModelClient`."""
        text = next(self._texts, None)
        if text is None:
            await asyncio.get_running_loop().create_future()
        return await _written(str(text), self._seconds, heard)


async def _written(text: str, seconds: float, heard: Heard) -> Reply:
    """An answer that takes its time; its beginning is there earlier."""
    begun = WAYPOINTS_SHARE * seconds
    await asyncio.sleep(begun)
    if heard is not None:
        heard(text[: text.find("]") + 1])
    await asyncio.sleep(seconds - begun)
    return Reply(text, "stop")
