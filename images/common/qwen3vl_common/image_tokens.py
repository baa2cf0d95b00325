"""How many tokens Qwen3-VL spends on a picture: for whoever counts a cost before or without the engine."""

from functools import lru_cache
from math import ceil, floor, sqrt

CELL_PIXELS = 32
"""Side of the square that becomes one token: patches of 16 pixels, merged two by two."""
MIN_PIXELS = 65_536
MAX_PIXELS = 16_777_216
MAX_ASPECT_RATIO = 200
MARK_TOKENS = 2
"""vision_start and vision_end around each picture."""


@lru_cache(maxsize=1024)
def resized(width: int, height: int) -> tuple[int, int]:
    """Width and height in pixels after the model's own resizing (the rule of its checkpoint's preprocessor file).

    Raises:
        ValueError: a side is not positive, or one side is more than 200 times the other.
    """
    if width <= 0 or height <= 0:
        raise ValueError(f"a picture has positive sides, not {width}x{height}")
    if max(width, height) / min(width, height) > MAX_ASPECT_RATIO:
        raise ValueError(f"one side of {width}x{height} is more than {MAX_ASPECT_RATIO} times the other")
    new_width, new_height = (max(CELL_PIXELS, round(side / CELL_PIXELS) * CELL_PIXELS) for side in (width, height))
    if new_width * new_height > MAX_PIXELS:
        shrink = sqrt(width * height / MAX_PIXELS)
        new_width, new_height = (
            max(CELL_PIXELS, floor(side / shrink / CELL_PIXELS) * CELL_PIXELS) for side in (width, height)
        )
    elif new_width * new_height < MIN_PIXELS:
        grow = sqrt(MIN_PIXELS / (width * height))
        new_width, new_height = (ceil(side * grow / CELL_PIXELS) * CELL_PIXELS for side in (width, height))
    return new_width, new_height


def image_tokens(width: int, height: int) -> int:
    """Tokens of one picture of width x height pixels, without the two marks around it.

    Raises:
        ValueError: as `resized`.
    """
    new_width, new_height = resized(width, height)
    return (new_width // CELL_PIXELS) * (new_height // CELL_PIXELS)
