"""Text as tokens: not Qwen's vocabulary, but lossless pieces of similar size, for streams and limits."""

import re

# No piece is longer than eight characters, so a text's length bounds its tokens from below without counting them.
LONGEST_PIECE = 8
_PIECE = re.compile(r"\s?[A-Za-z0-9_]{1,6}|\s?\S|\s{1,8}")

MESSAGE_TOKENS = 5
"""Qwen's chat template around each message: <|im_start|>, role, newline, <|im_end|>, newline."""
REPLY_TOKENS = 3
"""<|im_start|>assistant and a newline, where the reply begins."""


def pieces(text: str) -> list[str]:
    """The tokens of a text; joined they give the text again."""
    return _PIECE.findall(text)


def count(text: str, *, enough: int) -> int:
    """Tokens of a text; a text that surely has more than `enough` is estimated by its length, not counted."""
    at_least = -(-len(text) // LONGEST_PIECE)
    return at_least if at_least > enough else sum(1 for _ in _PIECE.finditer(text))
