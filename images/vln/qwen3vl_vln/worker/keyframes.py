"""Which images the model sees: a first one, one that differs enough, one after long enough. Pure.

The difference leaves out what no motion makes: brightness is subtracted, a shift of a pixel or two is tolerated."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from qwen3vl_common.navigation.settings import Keyframes

Grey = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 160, 120
COVERED_DEVIATION = 4.0
"""An image whose grey values deviate less than this from their mean shows nothing."""
UNCHANGED = 0.002
"""Two images of one scene differ by the camera's noise, 0.001; a step towards a bare wall makes more than 0.003."""
MOVED_METRES, MOVED_RADIANS = 0.25, math.radians(15)


class CorruptImageError(ValueError):
    """The image cannot be decoded."""


@dataclass(frozen=True)
class View:
    """An image made small for comparison: grey values, their histogram (sums to 1), edges."""

    grey: Grey
    histogram: npt.NDArray[np.float32]
    edges: Grey
    covered: bool


def view(jpeg: bytes) -> View:
    """The small view of a JPEG, decoded at a fraction of its size (0.4 ms for 640x480).

    Raises:
        CorruptImageError: it cannot be decoded.
    """
    try:
        full = simplejpeg.decode_jpeg(jpeg, colorspace="GRAY", min_height=HEIGHT, min_width=WIDTH, fastdct=True)
    except ValueError as error:
        raise CorruptImageError(str(error)) from None
    grey = np.asarray(cv2.resize(full[..., 0], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
    mean, deviation = cv2.meanStdDev(grey)
    level = np.clip(grey.astype(np.int16) + round(128.0 - float(mean[0][0])), 0, 255).astype(np.uint8)
    histogram = cv2.calcHist([level], [0], None, [64], [0, 256]).ravel() / np.float32(WIDTH * HEIGHT)
    edges = cv2.Canny(grey, 50, 150)
    covered = float(deviation[0][0]) < COVERED_DEVIATION
    return View(level, histogram, np.asarray(edges, np.uint8), covered)


def difference(first: View, second: View) -> float:
    """How different two images are, 0 to 1: histogram, pixels and edges as in the known system, but with brightness
    taken out and edges that moved by up to two pixels taken as the same."""
    together = np.corrcoef(first.histogram, second.histogram)[0, 1]
    histogram = 1.0 - (float(together) if math.isfinite(together) else 1.0)
    pixels = cv2.norm(first.grey, second.grey, cv2.NORM_L1) / (255.0 * WIDTH * HEIGHT)
    near = np.ones((5, 5), np.uint8)
    only_first = cv2.bitwise_and(first.edges, cv2.bitwise_not(cv2.dilate(second.edges, near)))
    only_second = cv2.bitwise_and(second.edges, cv2.bitwise_not(cv2.dilate(first.edges, near)))
    edges = (cv2.countNonZero(only_first) + cv2.countNonZero(only_second)) / (2.0 * WIDTH * HEIGHT)
    return min(1.0, max(0.0, 0.3 * histogram + 0.4 * pixels + 0.3 * edges))


@dataclass
class KeyframeChooser:
    """Chooses among the images of one task."""

    settings: Keyframes
    _view: View | None = None
    _reference: View | None = None
    _at: float = -math.inf
    _pose: tuple[float, float, float, float] | None = None

    def choose(self, seen: View, at: float, pose: tuple[float, float, float, float] | None, *, force: bool) -> bool:
        """Whether this image is a key frame; it is then what later ones are compared with.

        Args:
            at: seconds on a monotonic clock.
            pose: x, y, yaw by odometry, and the number of their origin.
            force: it is one, unless the last one was only just.
        """
        since = at - self._at
        if self._view is not None and since < self.settings.min_interval_seconds:
            return False
        late = since >= self.settings.max_interval_seconds
        if self._view is None or force or late or self._moved(pose):
            chosen = True
        else:
            chosen = difference(self._view, seen) >= self.settings.threshold
        if chosen:
            self._view, self._at, self._pose = seen, at, pose
        return chosen

    def changed(self, seen: View) -> bool:
        """Whether an image is another one than the last of which that was true; the first is."""
        if self._reference is not None and difference(self._reference, seen) < UNCHANGED:
            return False
        self._reference = seen
        return True

    def rest_seconds(self, at: float) -> float:
        """Seconds until another image can be a key frame."""
        return max(0.0, self._at + self.settings.min_interval_seconds - at)

    def _moved(self, pose: tuple[float, float, float, float] | None) -> bool:
        if pose is None or self._pose is None or pose[3] != self._pose[3]:
            return False
        metres = math.hypot(pose[0] - self._pose[0], pose[1] - self._pose[1])
        return metres > MOVED_METRES or abs(math.remainder(pose[2] - self._pose[2], math.tau)) > MOVED_RADIANS
