"""What is to be sent next: the newest of each kind. Time is an argument; a lock that is held for microseconds lets any
thread put something in."""

import threading
from dataclasses import dataclass, field, replace

from qwen3vl_client.protocol import Odometry

KEPT_SECONDS = 0.25
"""What has waited longer is not sent any more: the server would take an old image for a new one."""


@dataclass(frozen=True, slots=True)
class PendingFrame:
    """A frame, or without an image a tick, that waits to be sent.

    Attributes:
        captured_seconds: when the image was taken, on the robot's monotonic clock.
        offered_at: when it was handed over.
        force_key, blocked, emergency_stop, camera: see `protocol.message`.
        dated: the program said when the image was taken.
    """

    jpeg: bytes | None
    captured_seconds: float
    offered_at: float
    odometry: Odometry | None = None
    force_key: bool = False
    blocked: bool = False
    emergency_stop: bool = False
    dated: bool = True
    camera: int = 0


@dataclass
class Outbox:
    """The newest image and the newest tick.

    No emergency stop is lost because its frame was replaced: its flags go with the next one."""

    _image: PendingFrame | None = None
    _tick: PendingFrame | None = None
    _due: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, frame: PendingFrame) -> None:
        """Replace what waits of the same kind. An image also takes the place of a tick: both ask for an answer."""
        with self._lock:
            self._due |= {name for name in ("force_key", "blocked", "emergency_stop") if getattr(frame, name)}
            if frame.jpeg is not None:
                self._image, self._tick = frame, None
            else:
                self._tick = frame

    def take(self, now: float, *, images: bool = True, ticks: bool = True) -> PendingFrame | None:
        """What is to be sent now, or None; it does not wait any more then.

        Args:
            images, ticks: what may be sent at all; a tick goes only where no image can.
        """
        with self._lock:
            image, tick = _fresh(self._image, now), _fresh(self._tick, now)
            if image is not None and images:
                frame, image, tick = image, None, None
            elif tick is not None and ticks:
                frame, tick = tick, None
            else:
                frame = None
            self._image, self._tick = image, tick
            if frame is None:
                return None
            due, self._due = self._due, set()
        return replace(
            frame,
            force_key="force_key" in due,
            blocked="blocked" in due,
            emergency_stop="emergency_stop" in due,
        )


def _fresh(waits: PendingFrame | None, now: float) -> PendingFrame | None:
    return waits if waits is not None and now - waits.offered_at <= KEPT_SECONDS else None
