"""What is known of a robot's camera without decoding its images, and what the worker found when it did. Pure."""

import math
from dataclasses import dataclass

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.task.events import Frame

NO_IMAGE_SECONDS = 1.0
ASIDE_SECONDS = 10.0
"""So long no image is taken of a camera whose last one took long to decode."""
FROZEN_IMAGES = 2
"""So many times the same bytes again while the robot is driven: no camera's noise does that."""
OLD_IN_A_ROW = 3
"""After so many images that were too old the robot stands, whatever plan is under way."""


@dataclass(slots=True)
class CameraMonitor:
    """The camera of one task. Times in seconds on a monotonic clock.

    Attributes:
        number: of the camera; images of another shape, or of another number by the robot, are of the next one.
        fault: why nothing can be seen.
        aside_until: until when none is taken.
        newest_at, newest_taken_at: when the newest image came, and when it was taken.
        too_old: images in a row that were too old to be looked at.
        age: seconds of the newest of those.
    """

    number: int = 1
    fault: Reason | None = None
    newest_at: float | None = None
    aside_until: float = -math.inf
    newest_taken_at: float | None = None
    too_old: int = 0
    age: float = 0.0
    _newest: bytes = b""
    _seen_by: tuple[int, tuple[int, int]] | None = None
    _repeated: int = 0

    @property
    def newest(self) -> tuple[bytes, float] | None:
        """The newest image and its receipt; None before the first one and after the end."""
        return (self._newest, self.newest_at) if self._newest and self.newest_at is not None else None

    def see(self, frame: Frame, image: bytes, *, moving: bool) -> Reason | None:
        """Take an image whose header is well; CAMERA_CHANGED or FROZEN_CAMERA where that is what it shows."""
        same = image == self._newest
        if self.fault is Reason.UNUSABLE_FRAME or (self.fault is Reason.FROZEN_CAMERA and not same):
            self.fault = None
        self._repeated = self._repeated + 1 if moving and same else 0
        changed = self._seen_by not in (None, (frame.camera, frame.size))
        self._newest, self._seen_by, self.newest_at = image, (frame.camera, frame.size), frame.received_at
        self.newest_taken_at, self.too_old = frame.taken_at, 0
        if changed:
            self.number += 1
            return Reason.CAMERA_CHANGED
        return Reason.FROZEN_CAMERA if self._repeated >= FROZEN_IMAGES else None

    def missed(self, age: float) -> None:
        """An image of that age in seconds was too old."""
        self.too_old += 1
        self.age = age

    @property
    def late(self) -> bool:
        """Whether its images are too old, and no mere hiccup."""
        return self.too_old >= OLD_IN_A_ROW

    def decoded_ok(self) -> None:
        """An image was decoded and shows something; what was found without decoding, it cannot take back."""
        if self.fault in (Reason.CORRUPT_FRAME, Reason.COVERED_CAMERA, Reason.COSTLY_PICTURE):
            self.fault = None

    def no_image(self, now: float) -> bool:
        """Whether no image came for too long."""
        return self.newest_at is None or now - self.newest_at > NO_IMAGE_SECONDS

    def close(self) -> None:
        """Keep no image any longer."""
        self._newest = b""
