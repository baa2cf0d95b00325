"""The bytes of `qwen3vl.vln.v1`, from the robot's side. Pure. The server has its own reader; tests compare them."""

import struct
from dataclasses import dataclass

SUBPROTOCOL = "qwen3vl.vln.v1"
_HEADER = struct.Struct("<2sBBHHIIQfffffI")
_VERSION, _FRAME, _TICK = 1, 1, 2
_ODOMETRY, _TWIST, _FORCE_KEY, _BLOCKED, _EMERGENCY_STOP, _WITHHELD = 1, 2, 4, 8, 16, 32
_CAMERA_SHIFT, _CAMERA_MASK = 8, 15
_LONGEST_AGE_MS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Odometry:
    """Where the robot is by its own reckoning when the image was taken.

    Attributes:
        x, y: metres in a frame that does not jump.
        yaw: radians, counter-clockwise.
        linear_mps, angular_rps: measured velocities, where there are any.
        epoch: another number whenever the frame's origin has jumped.
    """

    x: float
    y: float
    yaw: float
    linear_mps: float | None = None
    angular_rps: float | None = None
    epoch: int = 0


def message(
    sequence: int,
    captured_seconds: float,
    *,
    jpeg: bytes | None = None,
    odometry: Odometry | None = None,
    force_key: bool = False,
    blocked: bool = False,
    emergency_stop: bool = False,
    age_seconds: float | None = None,
    withheld: bool = False,
    camera: int = 0,
) -> bytes:
    """A frame, or without an image a tick.

    Args:
        sequence: rises with every message of a connection.
        captured_seconds: when the image was taken, on the robot's monotonic clock.
        age_seconds: how long ago that is at the moment of sending, by the same clock; None: unknown.
        withheld: this tick stands for an image of that age, which is too old to be sent.
        camera: 0 to 15, which of the robot's cameras took the image; a plan by another one's image is dropped.
    """
    flags = _FORCE_KEY * force_key | _BLOCKED * blocked | _EMERGENCY_STOP * emergency_stop | _WITHHELD * withheld
    flags |= (camera & _CAMERA_MASK) << _CAMERA_SHIFT
    age_ms = 0 if age_seconds is None else min(max(1, round(1000 * age_seconds)), _LONGEST_AGE_MS)
    x = y = yaw = v = w = 0.0
    epoch = 0
    if odometry is not None:
        flags |= _ODOMETRY
        x, y, yaw, epoch = odometry.x, odometry.y, odometry.yaw, odometry.epoch
        if odometry.linear_mps is not None and odometry.angular_rps is not None:
            flags |= _TWIST
            v, w = odometry.linear_mps, odometry.angular_rps
    kind = _TICK if jpeg is None else _FRAME
    micros = max(0, round(captured_seconds * 1e6))
    numbers = (flags, sequence & 0xFFFFFFFF, epoch, micros, x, y, yaw, v, w, age_ms)
    return _HEADER.pack(b"QV", _VERSION, kind, _HEADER.size, *numbers) + (jpeg or b"")
