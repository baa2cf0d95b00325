"""Pictures as arrays, for tests that look at what was drawn or written."""

from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike


def decoded(data: bytes) -> MatLike:
    """The picture of encoded bytes, as blue, green, red; fails when they are none."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None, "these bytes are no picture"
    return found


def read(path: Path) -> MatLike:
    """The picture of a file; fails when there is none."""
    return decoded(path.read_bytes())
