"""How many images of a task fit the model's context, before the engine is asked. Pure.

Images count as the model counts them; text is estimated from above: a token for every two letters begun of an ASCII
word, one for each other ASCII character but the space before a word, and one for each UTF-8 byte of everything else,
for no token is shorter than a byte. For this software's own prompts that is about twice what Qwen's vocabulary makes of
them, or more. So what does not fit by that is still asked with the least that can be shown, and only what cannot fit
even at four bytes a token is refused here. The schema of an answer costs no prompt."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qwen3vl_common.image_tokens import MARK_TOKENS, image_tokens

Size = tuple[int, int]
"""Width and height in pixels."""
MARGIN_TOKENS = 64
"""For what an engine's chat template adds beside what is counted here."""
MESSAGE_TOKENS, REPLY_TOKENS = 5, 3
BYTES_PER_TOKEN = 4
"""Of text, at the most that an instruction's words come to."""
_PIECE = re.compile(r"[A-Za-z]+|[^\x00-\x7f]+| (?![A-Za-z])|[^ A-Za-z]")


class ContextTooSmallError(Exception):
    """Not even one small image fits the model's context; the message has both numbers."""


@dataclass(frozen=True)
class Shown:
    """What of a task's images goes into one question.

    Attributes:
        history: so many of the newest earlier images.
        small: the image of now is shown in its small size.
        tokens: of the prompt, the answer and the margin.
    """

    history: int
    small: bool
    tokens: int


@dataclass(frozen=True)
class Allowed:
    """What an engine's refusals have left to a task.

    Attributes:
        history: earlier images at most; None before the first refusal.
        small: the image of now is to be small.
        refused: tokens of the newest question that was too long.
    """

    history: int | None = None
    small: bool = False
    refused: int = 0

    def after_refusal(self, shown: Shown) -> "Allowed | None":
        """What is left once a question was too long for the engine: half the history, then none, then now small.

        None when there is nothing left to leave out.
        """
        if shown.history:
            return Allowed(shown.history // 2, self.small, shown.tokens)
        return None if shown.small else Allowed(0, True, shown.tokens)


def text_tokens(text: str) -> int:
    """An upper estimate of a text's tokens; see the module."""
    return sum(_piece_tokens(piece) for piece in _PIECE.findall(text))


def _piece_tokens(piece: str) -> int:
    if not piece.isascii():
        return len(piece.encode(errors="replace"))
    return (len(piece) + 1) // 2


def least_text_tokens(text: str) -> int:
    """A lower estimate of a text's tokens."""
    return len(text.encode(errors="replace")) // BYTES_PER_TOKEN


def image_token_count(size: Size) -> int:
    """Tokens of an image with the marks around it.

    Raises:
        ValueError: one side is more than 200 times the other.
    """
    return image_tokens(*size) + MARK_TOKENS


def prompt_tokens(texts: Sequence[str], images: Sequence[Size]) -> int:
    """Tokens of a prompt: one message for each text, and images.

    Raises:
        ValueError: as `image_token_count`.
    """
    words = sum(MESSAGE_TOKENS + text_tokens(text) for text in texts)
    return words + REPLY_TOKENS + sum(image_token_count(size) for size in images)


def fit(
    texts: Sequence[str],
    history: Sequence[Size],
    large: Size,
    small: Size,
    *,
    max_tokens: int,
    context_length: int | None,
    allowed: Allowed | None = None,
) -> Shown:
    """The most that may be shown: the oldest images are dropped first, then the image of now becomes small.

    Args:
        texts: of the messages.
        history: sizes of earlier images as they would be shown, the oldest first.
        large, small: the two sizes of the image of now.
        max_tokens: of the answer.
        context_length: tokens of prompt and answer together; None where nobody has said.
        allowed: what the engine's refusals have left.

    Raises:
        ContextTooSmallError: nothing can fit; what only may be too long is shown small and without history.
        ValueError: as `image_token_count`.
    """
    allowed = Allowed() if allowed is None else allowed
    fixed = prompt_tokens(texts, ()) + max_tokens + MARGIN_TOKENS
    most = len(history) if allowed.history is None else min(len(history), allowed.history)
    cost = fixed + image_token_count(small if allowed.small else large)
    if context_length is not None and cost > context_length:
        cost = fixed + image_token_count(small)
        least = sum(map(least_text_tokens, texts)) + max_tokens + image_token_count(small)
        if least > context_length:
            raise ContextTooSmallError(
                f"a small picture, the instruction and the answer take {least} tokens and the context holds "
                f"{context_length}: raise engine.contextLength, or shorten the instruction"
            )
        return Shown(0, True, cost)
    taken = 0
    for size in reversed(history[len(history) - most :]):
        more = image_token_count(size)
        if context_length is not None and cost + more > context_length:
            break
        taken, cost = taken + 1, cost + more
    return Shown(taken, allowed.small or large == small, cost)


def warning(shown: Shown, wanted: int, context_length: int | None, allowed: Allowed) -> str:
    """A sentence for people where less is shown than is wanted; else empty.

    Args:
        wanted: earlier images that there are.
    """
    if allowed.refused:
        told = "" if context_length is None else f", though it was said to hold {context_length}"
        return f"{allowed.refused} tokens were too many for the engine's context{told}: {_left(shown)}"
    if shown.history < wanted:
        return f"the context of {context_length} tokens does not hold {wanted} earlier pictures: {_left(shown)}"
    return ""


def _left(shown: Shown) -> str:
    size = ", and the present one in its small size" if shown.small and not shown.history else ""
    return f"the model is shown {shown.history} earlier ones{size}"
