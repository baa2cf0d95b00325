"""A frame as JSON brings it, by HTTP and by the older WebSocket: base64 to bytes, checked within microseconds. Pure."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.edge.images import problem, size
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.task.delays import Stamps
from qwen3vl_vln.task.events import Frame


@dataclass(frozen=True, slots=True)
class PendingFrame:
    """An image whose writer does not have the task yet.

    Attributes:
        image: the JPEG.
        fault: why it cannot be used.
        robot: that the frame names.
        timestamp: as the client sent it.
    """

    image: bytes
    fault: Reason | None
    robot: str | None
    timestamp: Any

    def dated(
        self, stamps: Stamps, wall: float, received_at: float, *, force_key: bool = False, delayed: bool = False
    ) -> Frame:
        """The frame, of the age that its time stamp tells.

        Args:
            stamps: those of its writer.
            wall: Unix time.
            received_at: monotonic time at which its last byte was there.
            delayed: it was long under way.
        """
        return stamps.read(self.timestamp, wall, received_at).frame(
            received_at,
            image=self.image,
            size=size(self.image),
            fault=self.fault,
            force_key=force_key,
            delayed=delayed,
        )


def pending(body: Mapping[str, Any], bounds: Bounds) -> PendingFrame:
    """The frame in a body `{frame, timestamp, robot}`.

    Raises:
        InvalidRequest: its image is no text, too long, or no base64.
    """
    robot = body.get("robot")
    image = _image(body.get("frame"), bounds)
    wrong = problem(image, max_bytes=bounds.max_bytes, max_pixels=bounds.max_pixels)
    return PendingFrame(
        image,
        None if wrong is None else Reason.UNUSABLE_FRAME,
        robot if isinstance(robot, str) and robot else None,
        body.get("timestamp"),
    )


def _image(text: Any, bounds: Bounds) -> bytes:
    if not isinstance(text, str):
        raise InvalidRequest("frame is a JPEG as base64 or as a data URL", param="frame")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    if len(text) > bounds.max_bytes * 4 // 3 + 4:
        raise InvalidRequest(f"frame has more than {bounds.max_bytes} bytes", param="frame")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("frame is not base64", param="frame") from None
