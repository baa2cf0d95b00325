"""The binary protocol `qwen3vl.vln.v1`: bytes to frames. Pure.

A message is a little-endian header of 48 bytes (a longer one is skipped over) and a JPEG; or a bare JPEG."""

import math
import struct
from dataclasses import dataclass

from qwen3vl_vln.edge.images import START, problem, size
from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.motion.reckoning import Odometry
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.words import Reason

SUBPROTOCOL = "qwen3vl.vln.v1"
HEADER = struct.Struct("<2sBBHHIIQfffffI")
MAGIC, VERSION = b"QV", 1
FRAME, TICK = 1, 2
ODOMETRY, TWIST, FORCE_KEY, BLOCKED, EMERGENCY_STOP = 1, 2, 4, 8, 16
MICROSECONDS, MILLISECONDS = 1e-6, 1e-3
DELAYED_SECONDS = 0.3
DELAY_WINDOW_SECONDS = 60.0


class UnknownVersionError(ValueError):
    """The message speaks another version of the protocol, or none."""


@dataclass(frozen=True)
class Bounds:
    """What a picture may be, in bytes and pixels."""

    max_bytes: int = 2 * 1024 * 1024
    max_pixels: int = 4096 * 4096


class Delay:
    """How much longer than its quickest a message of this connection was under way; no two clocks need to agree."""

    def __init__(self) -> None:
        self._floors: list[tuple[float, float]] = []

    def of(self, received_at: float, captured: float) -> float:
        """Seconds beyond the least of the last minute."""
        under_way = received_at - captured
        # Kept rising, so that the first is the least: a later, smaller one makes those before it useless.
        while self._floors and self._floors[-1][1] >= under_way:
            self._floors.pop()
        self._floors.append((received_at, under_way))
        while self._floors[0][0] < received_at - DELAY_WINDOW_SECONDS:
            self._floors.pop(0)
        return under_way - self._floors[0][1]


def read(data: bytes, now: float, bounds: Bounds, delay: Delay, *, watchdog: bool = True) -> Frame | None:
    """The frame in a binary message; None for a type that is not known.

    Args:
        watchdog: the client has said `hello`, and so stands by itself when an answer is too old.

    Raises:
        UnknownVersionError: neither a JPEG nor a message of version 1.
    """
    if data.startswith(START[:2]):
        return Frame(now, image=data, size=size(data), fault=_fault(data, bounds), watchdog=watchdog)
    if len(data) < HEADER.size or data[:2] != MAGIC or data[2] != VERSION:
        raise UnknownVersionError("the message has no header of qwen3vl.vln.v1")
    _, _, kind, length, flags, sequence, origin, captured_us, x, y, yaw, v, w, age_ms = HEADER.unpack_from(data)
    if length < HEADER.size or length > len(data):
        raise UnknownVersionError("the header's length is impossible")
    if kind not in (FRAME, TICK):
        return None
    image = data[length:] if kind == FRAME else None
    captured = captured_us * MICROSECONDS
    numbers = [*((x, y, yaw) if flags & ODOMETRY else ()), *((v, w) if flags & TWIST else ())]
    finite = all(map(math.isfinite, numbers))
    odometry = None
    if flags & ODOMETRY and finite:
        twist = (v, w) if flags & TWIST else (None, None)
        odometry = Odometry(Pose(x, y, yaw), origin, *twist)
    return Frame(
        received_at=now,
        sequence=sequence,
        captured=captured,
        age_seconds=age_ms * MILLISECONDS,
        image=image,
        odometry=odometry,
        odometry_bad=not finite,
        blocked=bool(flags & BLOCKED),
        emergency_stop=bool(flags & EMERGENCY_STOP),
        force_key=bool(flags & FORCE_KEY),
        delayed=delay.of(now, captured) > DELAYED_SECONDS,
        size=(0, 0) if image is None else size(image),
        fault=None if image is None else _fault(image, bounds),
        watchdog=watchdog,
    )


def _fault(image: bytes, bounds: Bounds) -> Reason | None:
    wrong = problem(image, max_bytes=bounds.max_bytes, max_pixels=bounds.max_pixels)
    return None if wrong is None else Reason.UNUSABLE_FRAME
