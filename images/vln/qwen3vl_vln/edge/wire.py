"""The binary protocol `qwen3vl.vln.v1`: bytes to frames. Pure.

A message is a little-endian header of 48 bytes (a longer one is skipped over) and a JPEG; or a bare JPEG."""

import math
import struct
from dataclasses import dataclass

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.edge.images import START, problem, size
from qwen3vl_vln.errors import UnknownVersionError
from qwen3vl_vln.motion.dead_reckoning import Odometry
from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.task.delays import LATE_SECONDS, OLDEST_SECONDS, Delay
from qwen3vl_vln.task.events import Frame

SUBPROTOCOL = "qwen3vl.vln.v1"
HEADER = struct.Struct("<2sBBHHIIQfffffI")
MAGIC, VERSION = b"QV", 1
FRAME, TICK = 1, 2
ODOMETRY, TWIST, FORCE_KEY, BLOCKED, EMERGENCY_STOP, WITHHELD = 1, 2, 4, 8, 16, 32
CAMERA_SHIFT, CAMERA_MASK = 8, 15
"""Bits 8 to 11 of the flags: the number of the camera."""
MICROSECONDS, MILLISECONDS = 1e-6, 1e-3
LONGEST_SECONDS = 3600.0
"""A greater age is the difference of two clocks."""


@dataclass(frozen=True)
class Bounds:
    """What an image may be, in bytes and pixels."""

    max_bytes: int = 2 * 1024 * 1024
    max_pixels: int = 4096 * 4096


def read(
    data: bytes, now: float, bounds: Bounds, delay: Delay, *, watchdog: bool = True, dated: bool = False
) -> Frame | None:
    """The frame in a binary message; None for a type that is not known.

    Args:
        watchdog: the client has said `hello`, and so stands by itself when an answer is too old.
        dated: it has named its run, and so knows how old its images are.

    Raises:
        UnknownVersionError: neither a JPEG nor a message of version 1.
    """
    if data.startswith(START[:2]):
        refused, note = _refusal(0, dated=dated)
        return Frame(
            now,
            image=data,
            size=size(data),
            fault=_fault(data, bounds),
            watchdog=watchdog,
            untimed=True,
            refused=refused,
            note=note,
        )
    if len(data) < HEADER.size or data[:2] != MAGIC or data[2] != VERSION:
        raise UnknownVersionError("the message has no header of qwen3vl.vln.v1")
    _, _, kind, length, flags, sequence, origin, captured_us, x, y, yaw, v, w, age_ms = HEADER.unpack_from(data)
    if length < HEADER.size or length > len(data):
        raise UnknownVersionError("the header's length is impossible")
    if kind not in (FRAME, TICK):
        return None
    image = data[length:] if kind == FRAME else None
    captured = captured_us * MICROSECONDS
    # Where the age is unknown, images and ticks are under way for different times from their capture on.
    late = delay.of(now, captured + age_ms * MILLISECONDS, "" if age_ms else f"untimed {kind}") > LATE_SECONDS
    refused, note = (None, delay.note) if image is None else _refusal(age_ms, dated=dated)
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
        delayed=late,
        size=(0, 0) if image is None else size(image),
        fault=None if image is None else _fault(image, bounds),
        watchdog=watchdog,
        untimed=image is not None and not age_ms,
        withheld=bool(flags & WITHHELD),
        refused=refused,
        note=note or delay.note,
        camera=flags >> CAMERA_SHIFT & CAMERA_MASK,
    )


def _refusal(age_ms: int, *, dated: bool) -> tuple[Reason | None, str]:
    """Why an image of that age is not looked at, and a sentence about it."""
    age = age_ms * MILLISECONDS
    if dated and not age_ms:
        return Reason.PICTURE_CLOCK, "a client that names its run says how old each picture is, and at least 1 ms"
    if age > LONGEST_SECONDS:
        return Reason.PICTURE_CLOCK, f"the picture is said to be {age:.0f} s old, which is the difference of two clocks"
    return (Reason.PICTURE_TOO_OLD, "") if age > OLDEST_SECONDS else (None, "")


def _fault(image: bytes, bounds: Bounds) -> Reason | None:
    wrong = problem(image, max_bytes=bounds.max_bytes, max_pixels=bounds.max_pixels)
    return None if wrong is None else Reason.UNUSABLE_FRAME
