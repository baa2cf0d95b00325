"""Pictures as bytes and as arrays, for tests that send them or look at what was drawn or written."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike


@cache
def jpeg(width: int = 64, height: int = 48, seed: int = 0, quality: int = 85) -> bytes:
    """A picture of coloured noise, for tests of bytes: what is on it does not matter."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


@cache
def squares(width: int, height: int, seed: int = 0) -> bytes:
    """A picture of coloured squares, 32 in a row: large, and still something to see when it is made small."""
    few = np.random.default_rng(seed).integers(0, 255, (32 * height // width, 32, 3), np.uint8)
    done, data = cv2.imencode(".jpg", cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST))
    assert done
    return data.tobytes()


def decoded(data: bytes) -> MatLike:
    """The picture of encoded bytes, as blue, green, red; fails when they are none."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None, "these bytes are no picture"
    return found


def read(path: Path) -> MatLike:
    """The picture of a file; fails when there is none."""
    return decoded(path.read_bytes())
