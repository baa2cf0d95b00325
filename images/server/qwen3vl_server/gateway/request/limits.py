"""Bounds of one request. Those that an operator may move are values; those that memory follows from are constants."""

from dataclasses import dataclass

MAX_TEXT_BYTES = 4 << 20
"""Of a body without the data of its pictures: more than fits the longest context, and little enough to be decoded."""
MAX_FIELD_BYTES = 1 << 20
MAX_SCALAR_BYTES = 1_024
MAX_QUOTES = 1 << 18
"""Of a body without pictures: two for each string. Bounds how many objects it can become before one is made."""
MAX_MESSAGES = 2_048
MAX_PARTS = 4_096
"""Of content and of tool calls, over all messages."""
MAX_TOOLS = 128
MAX_STOPS = 16
MAX_PROMPTS = 128
MAX_DEPTH = 100
"""Levels of a JSON schema: every parser behind the gateway can take it."""
SLICE_BYTES = 1 << 20
"""Work of one turn of the event loop."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request.

    Attributes:
        max_image_pixels: width times height of one picture.
        max_images: pictures in all messages.
        max_total_pixels: sum over all pictures.
        special_tokens: whether texts may hold the tokens that mark turns and pictures. With them a text can pretend to
            be another turn, or to hold a picture that is not there.
    """

    max_image_pixels: int
    max_images: int
    max_total_pixels: int = 134_217_728
    special_tokens: bool = False
