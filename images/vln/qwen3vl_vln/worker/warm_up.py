"""Two questions to the model before any robot has one: how long it takes is then known before the walk.

Both show grey images, as many and as large as a task with default settings shows, and robots' questions go first. An
engine may compile for the first of them, so only the second counts; it shows another grey, so that the engine cannot
take from the first what it would have to read anew for a robot."""

import asyncio
import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import simplejpeg

from qwen3vl_common.navigation.settings import History
from qwen3vl_vln.ipc.to_edge import ModelWarm, ToEdge
from qwen3vl_vln.worker.context_budget import Allowed, ContextTooSmallError
from qwen3vl_vln.worker.images import LARGE_PIXELS, SMALL_PIXELS, KeyImage, scaled
from qwen3vl_vln.worker.model_client import ModelError, Reply
from qwen3vl_vln.worker.question import Model, Question, ask

log = logging.getLogger(__name__)

INSTRUCTION = "Stand still."
FIRST_GREY, SECOND_GREY = 112, 144
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 60.0


class WarmModel:
    """A model that tells once how long it takes, by a question of its own or because a robot was quicker to ask.

    Args:
        model: the one that answers.
        send: takes messages for the edge.
    """

    def __init__(self, model: Model, send: Callable[[ToEdge], None]) -> None:
        self._model, self._send = model, send
        self._asking, self._answered = 0, False

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        """See `ModelClient`."""
        self._asking += 1
        try:
            reply = await self._model.ask(body, heard)
        finally:
            self._asking -= 1
        self._answered = True
        return reply

    async def warm_up(self, model_name: str, context_length: int | None) -> None:
        """Ask until two questions were answered, or one of a robot."""
        loop, pause = asyncio.get_running_loop(), FIRST_RETRY_SECONDS
        compiled = False
        while not self._answered:
            if not self._asking:
                question = grey_question(model_name, context_length, SECOND_GREY if compiled else FIRST_GREY)
                began = loop.time()
                try:
                    await ask(self._model, question, Allowed(), told=lambda shown, allowed: None)
                except ContextTooSmallError as error:
                    log.warning("the model was not warmed up: %s", error)
                    return
                except ModelError as error:
                    log.info("the model is not warm yet: %s", error)
                else:
                    if compiled and not self._answered:
                        self._answered = True
                        self._send(ModelWarm(seconds=loop.time() - began))
                    compiled = True
                    continue
            await asyncio.sleep(pause)
            pause = min(LONGEST_RETRY_SECONDS, 2 * pause)


def grey_question(model_name: str, context_length: int | None, grey: int = FIRST_GREY) -> Question:
    """What a task with default settings asks, with nothing to be seen."""
    return Question(
        model_name=model_name,
        instruction=INSTRUCTION,
        language="en",
        profile="waypoints",
        reverse=False,
        history=(_grey(SMALL_PIXELS, grey).small,) * History().frames,
        now=_grey(LARGE_PIXELS, grey),
        context_length=context_length,
    )


@cache
def _grey(longest: int, grey: int) -> KeyImage:
    pixels = np.full((longest * 3 // 4, longest, 1), grey, np.uint8)
    return scaled(bytes(simplejpeg.encode_jpeg(pixels, colorspace="GRAY", colorsubsampling="Gray")))
