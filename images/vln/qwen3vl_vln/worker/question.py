"""A question about a key frame, as long as the model's context allows; shorter when the engine says that it is not."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from qwen3vl_vln.worker.context_budget import Allowed, ContextTooSmallError, Shown, fit, warning
from qwen3vl_vln.worker.images import Image, KeyImage
from qwen3vl_vln.worker.model_client import ContextLengthError, ModelDeadlineError, ModelError, Reply
from qwen3vl_vln.worker.prompt import MAX_TOKENS, request, texts


class Model(Protocol):
    """Answers one question."""

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        """See `ModelClient`."""


@dataclass(frozen=True)
class Question:
    """What could be asked, if the context held it all.

    Attributes:
        history: earlier key frames in their small size, the oldest first.
        context_length: tokens of prompt and answer together; None where nobody has said.
    """

    model_name: str
    instruction: str
    language: str
    profile: str
    reverse: bool
    history: tuple[Image, ...]
    now: KeyImage
    context_length: int | None

    def fit(self, allowed: Allowed) -> Shown:
        """What of it fits.

        Raises:
            ContextTooSmallError: nothing.
        """
        return fit(
            texts(self.instruction, len(self.history), language=self.language, profile=self.profile),
            [image.size for image in self.history],
            self.now.large.size,
            self.now.small.size,
            max_tokens=MAX_TOKENS[self.profile],
            context_length=self.context_length,
            allowed=allowed,
        )

    def body(self, shown: Shown) -> dict[str, Any]:
        """The chat completion that shows so much."""
        history = self.history[len(self.history) - shown.history :]
        return request(
            self.model_name,
            self.instruction,
            [image.jpeg for image in history],
            (self.now.small if shown.small else self.now.large).jpeg,
            language=self.language,
            profile=self.profile,
            reverse=self.reverse,
        )

    def warning(self, shown: Shown, allowed: Allowed) -> str:
        """A sentence for people where not all is shown; else empty."""
        return warning(shown, len(self.history), self.context_length, allowed)


async def ask(
    model: Model,
    question: Question,
    allowed: Allowed,
    *,
    told: Callable[[Shown, Allowed], None],
    heard: Callable[[str], None] | None = None,
    timeout_seconds: float | None = None,
) -> Reply:
    """The model's answer; an engine whose context is smaller than was said is asked again with less.

    Once a word of an answer was heard it is not asked again: what was begun by that word is void at once.

    Args:
        allowed: what former refusals have left.
        told: is called before each try with what it shows, and with what is left.
        heard: as for `ModelClient.ask`.
        timeout_seconds: for all tries together; None where each has the model's own alone.

    Raises:
        ContextTooSmallError: the least is still too long.
        ModelDeadlineError: all tries together took longer than the timeout.
        ModelError: there is no answer.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _ask(model, question, allowed, told, heard)
    except TimeoutError:
        raise ModelDeadlineError(f"no answer in {timeout_seconds:g} s") from None


async def _ask(
    model: Model,
    question: Question,
    allowed: Allowed,
    told: Callable[[Shown, Allowed], None],
    heard: Callable[[str], None] | None,
) -> Reply:
    begun = False

    def listen(text: str) -> None:
        nonlocal begun
        begun = True
        if heard is not None:
            heard(text)

    while True:
        shown = question.fit(allowed)
        told(shown, allowed)
        try:
            return await model.ask(question.body(shown), None if heard is None else listen)
        except ContextLengthError as error:
            if begun:
                raise ModelError(f"the stream ended with an error: {error}") from None
            left = allowed.after_refusal(shown)
            if left is None:
                raise ContextTooSmallError(
                    f"a small picture, the instruction and the answer take {shown.tokens} tokens, too many for the "
                    f"engine's context ({error}): raise engine.contextLength, or shorten the instruction"
                ) from None
            allowed = left
