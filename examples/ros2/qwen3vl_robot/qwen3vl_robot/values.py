"""What the node computes, without ROS."""

import math
from collections import deque
from dataclasses import dataclass, field

LONGEST_TIMEOUT_SECONDS = 0.5
TRACK_SECONDS = 1.0
JUMP_METRES, JUMP_RADIANS = 0.5, 1.0
JPEG = b"\xff\xd8"


def wrong_base_timeout(seconds: float) -> str | None:
    """Why the node must not start with this time-out of the base, or None."""
    if 0.0 < seconds <= LONGEST_TIMEOUT_SECONDS:
        return None
    return (
        f"base_timeout_seconds is {seconds:g}: the base driver needs its own time-out of more than 0 and at most "
        f"{LONGEST_TIMEOUT_SECONDS:g} s, measured with `qwen3vl robot check`; twist_mux and collision_monitor send "
        "nothing when nothing comes, so that without it the robot drives on when a program dies"
    )


def yaw_of(x: float, y: float, z: float, w: float) -> float:
    """Radians, counter-clockwise, of a quaternion."""
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def captured_seconds(monotonic: float, ros_now: float, ros_stamp: float) -> float:
    """When a picture was taken, on the monotonic clock. Whether that may be is for the client to say.

    Only the difference of two ROS times is used: that clock may be set meanwhile.
    """
    return monotonic - (ros_now - ros_stamp)


@dataclass
class Origin:
    """Counts how often the frame of the odometry has jumped, as it does when a localisation corrects itself."""

    epoch: int = 0
    _last: tuple[float, float, float] | None = None

    def seen(self, x: float, y: float, yaw: float) -> int:
        """The number of the frame that this pose is in."""
        if self._last is not None:
            moved = math.hypot(x - self._last[0], y - self._last[1])
            turned = abs(math.remainder(yaw - self._last[2], math.tau))
            self.epoch += moved > JUMP_METRES or turned > JUMP_RADIANS
        self._last = x, y, yaw
        return self.epoch


@dataclass(frozen=True)
class Place:
    """What odometry says: metres, radians, metres and radians a second, and the number of its frame."""

    x: float
    y: float
    yaw: float
    v: float
    w: float
    epoch: int


@dataclass
class Track:
    """Odometry of the last second, so that a picture goes with where the robot was when it was taken.

    Attributes:
        newest_at: when the newest came, seconds on the monotonic clock.
    """

    newest_at: float = -math.inf
    _places: deque[tuple[float, Place]] = field(default_factory=deque)

    def add(self, at: float, place: Place) -> None:
        """The robot is there at this time."""
        self._places.append((at, place))
        self.newest_at = at
        while self._places[0][0] < at - TRACK_SECONDS:
            self._places.popleft()

    def at(self, when: float) -> Place | None:
        """Where it was: between two poses of one frame on the way between them, after the newest there; None before
        all that is remembered."""
        after: tuple[float, Place] | None = None
        for time, place in reversed(self._places):
            if time <= when:
                return place if after is None else _between(time, place, *after, when)
            after = time, place
        return None


def _between(begin: float, first: Place, end: float, second: Place, when: float) -> Place:
    if first.epoch != second.epoch:
        return first
    share = (when - begin) / (end - begin)
    yaw = first.yaw + share * math.remainder(second.yaw - first.yaw, math.tau)
    x, y = first.x + share * (second.x - first.x), first.y + share * (second.y - first.y)
    v, w = first.v + share * (second.v - first.v), first.w + share * (second.w - first.w)
    return Place(x, y, yaw, v, w, first.epoch)
