"""Moves a base slowly and for a bounded time, and remembers where it was."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from qwen3vl_client.check.base import Base

PERIOD_SECONDS = 1 / 30
STILL_METRES, STILL_RADIANS, STILL_SECONDS = 0.01, 0.02, 0.3
STAND_SECONDS = 3.0

Velocity = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """Where the base was; `yaw` does not jump at half a turn."""

    at: float
    x: float
    y: float
    yaw: float


@dataclass
class Track:
    """What was seen and commanded during one movement.

    Attributes:
        samples: in the order of time.
        commands: time and velocity of each command.
    """

    samples: list[Sample] = field(default_factory=list)
    commands: list[tuple[float, Velocity]] = field(default_factory=list)

    @property
    def turned(self) -> float:
        """Radians, counter-clockwise."""
        return self.samples[-1].yaw - self.samples[0].yaw

    @property
    def moved(self) -> float:
        """Metres from the first place to the last, in a straight line."""
        return math.hypot(*self._way())

    @property
    def forward(self) -> float:
        """The same along the first heading: less than zero is backwards."""
        (dx, dy), yaw = self._way(), self.samples[0].yaw
        return dx * math.cos(yaw) + dy * math.sin(yaw)

    @property
    def commanded_metres(self) -> float:
        """What the linear velocities come to, each counted until the next command."""
        pairs = zip(self.commands, self.commands[1:], strict=False)
        return sum(v * (later - at) for (at, (v, _)), (later, _) in pairs)

    def last_motion_commanded(self) -> float:
        """When the last velocity that is not zero was commanded."""
        return max((at for at, (v, w) in self.commands if v or w), default=-math.inf)

    def stood_at(self) -> float | None:
        """Since when the base has stood, or None where it still moved in the last 0.3 s."""
        last = self.samples[-1]
        since = last.at
        for sample in reversed(self.samples):
            moved = math.hypot(sample.x - last.x, sample.y - last.y) > STILL_METRES
            if moved or abs(sample.yaw - last.yaw) > STILL_RADIANS:
                break
            since = sample.at
        return since if last.at - since >= STILL_SECONDS else None

    def _way(self) -> tuple[float, float]:
        return self.samples[-1].x - self.samples[0].x, self.samples[-1].y - self.samples[0].y


class Mover:
    """Commands a base at 30 Hz."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._yaw = 0.0

    def move(
        self,
        velocity: Callable[[float], Velocity | None],
        *,
        seconds: float,
        track: Track | None = None,
        enough: Callable[[Track], bool] = lambda track: False,
    ) -> Track:
        """Command what `velocity` says for the seconds since the beginning; None: say nothing at all.

        Args:
            seconds: for no longer than this.
            track: is gone on with.
            enough: ends it earlier.

        Raises:
            ValueError: the odometry is no place.
        """
        track = Track() if track is None else track
        began = time.monotonic()
        turn = 0
        while True:
            now = time.monotonic()
            told = velocity(now - began)
            if told is not None:
                self._base.drive(*told)
                track.commands.append((now, told))
            track.samples.append(self._look())
            if now - began >= seconds or enough(track):
                return track
            turn += 1
            time.sleep(max(0.0, began + turn * PERIOD_SECONDS - time.monotonic()))

    def stand(self, track: Track | None = None) -> Track:
        """Command zero until it stands, for 3 s at most."""
        since = time.monotonic()

        def stands(track: Track) -> bool:
            at = track.stood_at()
            return at is not None and time.monotonic() - since >= STILL_SECONDS

        return self.move(lambda _: (0.0, 0.0), seconds=STAND_SECONDS, track=track, enough=stands)

    def halt(self) -> None:
        """Command zero once."""
        self._base.drive(0.0, 0.0)

    def _look(self) -> Sample:
        x, y, yaw = self._base.odometry()
        if not all(map(math.isfinite, (x, y, yaw))):
            raise ValueError(f"the odometry is no place: {(x, y, yaw)}")
        self._yaw += math.remainder(yaw - self._yaw, math.tau)
        return Sample(time.monotonic(), x, y, self._yaw)
