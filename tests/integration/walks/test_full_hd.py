"""A robot whose camera is 1920x1080 walks with default settings in the context of 8192 tokens."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import pytest
import simplejpeg
from tests.support import virtual_time

from qwen3vl_common.navigation.settings import History
from qwen3vl_eval.episode import Setting, make
from qwen3vl_eval.loop import Loop
from qwen3vl_server.simulator.errors import BadRequestError
from qwen3vl_server.simulator.protocol import ChatRequest
from qwen3vl_server.simulator.serving import Model as Engine
from qwen3vl_vln.task.record import record
from qwen3vl_vln.worker.model_client import ContextLengthError, Reply
from qwen3vl_world.world import World

SEED = 2
SECONDS = 0.3
FULL_HD = (1920, 1080)


@dataclass
class Counting:
    """The simulator as an engine with a policy and a context, answering after some time.

    Attributes:
        prompts: tokens of the questions that it answered.
    """

    engine: Engine
    prompts: list[int] = field(default_factory=list)
    refused: int = 0

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        await asyncio.sleep(SECONDS)
        try:
            reply = self.engine.chat(ChatRequest.model_validate(body))
        except BadRequestError as error:
            self.refused += 1
            raise ContextLengthError(error.message) from None
        self.prompts.append(reply.prompt_tokens)
        return Reply(reply.text, reply.finish_reason)


def full_hd(world: World, loop: Callable[[], Loop]) -> Callable[[int], bytes]:
    """What that camera sees of the world: the middle of its picture, larger."""

    def draw(number: int) -> bytes:
        pixels = simplejpeg.decode_jpeg(world.draw(loop().robot.shots[number]), colorspace="BGR")
        width, height = FULL_HD
        rows = pixels.shape[1] * height // width
        top = (pixels.shape[0] - rows) // 2
        large = cv2.resize(pixels[top : top + rows], FULL_HD, interpolation=cv2.INTER_CUBIC)
        return bytes(simplejpeg.encode_jpeg(large, quality=85, colorspace="BGR", colorsubsampling="420"))

    return draw


async def _walk(seconds: float, holds: int, told: int | None = 8192) -> tuple[Loop, Counting]:
    plan = make(SEED, Setting())
    model = Counting(Engine("model", holds, drives=True))
    settings = replace(plan.settings, history=History())
    one = Loop(plan.world, settings, model, draw=full_hd(plan.world, lambda: one), context_length=told)
    await one.run(seconds, one.ended)
    await one.server.close()
    return one, model


def moving_seconds(one: Loop) -> float:
    """How long it was told to move."""
    moving = [answer for answer in one.answers if answer["state"] == "moving"]
    return len(moving) * one.now / len(one.answers)


def test_it_walks_to_the_goal_and_no_question_is_too_long() -> None:
    one, model = virtual_time.run(_walk(120.0, 8192))
    assert one.server.task.verdict == "GoalReached" and moving_seconds(one) > 20
    assert not model.refused and max(model.prompts) < 2000
    assert not one.server.task.warnings and not one.server.task.counts.model_errors


def test_it_walks_on_when_the_engine_holds_less_than_was_told() -> None:
    one, model = virtual_time.run(_walk(10.0, 800))
    assert moving_seconds(one) > 6 and model.refused == 1 and max(model.prompts) < 800
    assert "though it was said to hold 8192" in one.server.task.warnings["context"]
    assert not one.server.task.counts.model_errors


@pytest.mark.parametrize("told", [150, 8192])
def test_it_stands_and_says_why_where_not_one_picture_fits(told: int) -> None:
    one, _ = virtual_time.run(_walk(3.0, 150, told))
    said = record(one.server.task, one.now)
    assert moving_seconds(one) == 0 and (said["state"], said["reason"]) == ("error", "context_too_small")
    assert len(re.findall(r"\d{3,}", said["message"])) >= 2 and "150" in said["message"]
