"""Pictures that are drawn only when somebody looks at them.

A robot sends ten a second and the worker looks at a few: what travels is a JPEG's header with a number in it."""

import struct
from collections.abc import Callable

from qwen3vl_world.camera import HEIGHT, WIDTH

_COMMENT, _FRAME = b"\xff\xfe", b"\xff\xc0"
_SIZES = struct.pack(">HBHHB9s", 17, 8, HEIGHT, WIDTH, 3, bytes((1, 34, 0, 2, 17, 1, 3, 17, 1)))
_SCAN = b"\xff\xda" + struct.pack(">HB9s", 12, 3, bytes((1, 0, 2, 17, 3, 17, 0, 63, 0)))


def undeveloped(number: int) -> bytes:
    """What stands for a picture: all that is checked before the answer, but no pixels."""
    return b"\xff\xd8" + _COMMENT + struct.pack(">HQ", 10, number) + _FRAME + _SIZES + _SCAN + b"\xff\xd9"


def number_of(data: bytes) -> int:
    """The number in such a picture."""
    return int.from_bytes(data[6:14], "big")


def developer(draw: Callable[[int], bytes]) -> Callable[[bytes], bytes]:
    """What makes the picture of what was sent: `draw` is given its number."""
    return lambda data: draw(number_of(data))
