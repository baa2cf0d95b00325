"""What walks through the building beside the robot: up and down a line, like a person who looks where they go.

One that yields never runs into a robot: it waits before one, and when that takes too long it goes back to where it came
from and lets the robot pass. A robot may run into it. A blind one walks on as if there were no robot."""

import math
from dataclasses import dataclass, field
from itertools import pairwise

from qwen3vl_world.plan import DISC_RADIUS, Crossing, Place, Pose

WAITS_METRES = 1.1
"""Between its middle and the robot's: nearer than this it does not come. There is more between them then than a robot
drives blind."""
WAITS_SECONDS = 2.0
LETS_PASS_SECONDS = 15.0
"""So long it stands at the end of its line when it turned round before a robot: two that wait for each other, each as
long as the other moves, would stand for ever."""


@dataclass
class Disc:
    """One of them, on its way."""

    crossing: Crossing
    yields: bool = True
    metres: float = 0.0
    _sign: int = 1
    _waiting_seconds: float = 0.0
    _gave_way: bool = False
    _rest_seconds: float = 0.0
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        self.metres = self.crossing.begin_metres
        self.place = self.crossing.at(self.metres)

    def tick(self, seconds: float, robot: Pose) -> None:
        """Walk on for this time, if the robot lets it."""
        self._rest_seconds -= seconds
        if self._rest_seconds > 0.0:
            return
        length, step = self.crossing.length, self._sign * self.crossing.speed_mps * seconds
        there = self.crossing.at(min(length, max(0.0, self.metres + step)))
        away, before = math.dist(there, (robot.x, robot.y)), math.dist(self.place, (robot.x, robot.y))
        if self.yields and away < WAITS_METRES and away <= before:
            self._waiting_seconds += seconds
            if self._waiting_seconds > WAITS_SECONDS:
                self._turn_round()
                self._gave_way = True
            return
        self._waiting_seconds = 0.0
        self.metres, self.place = self.metres + step, there
        if not 0.0 <= self.metres <= length:
            self.metres = min(length, max(0.0, self.metres))
            self._turn_round()
            self._rest_seconds, self._gave_way = LETS_PASS_SECONDS * self._gave_way, False

    def _turn_round(self) -> None:
        self._sign, self._waiting_seconds = -self._sign, 0.0


def faces_around(place: Place, sides: int) -> list[tuple[float, float, float, float]]:
    """What a camera sees of it: the sides of a prism, each from x1, y1 to x2, y2."""
    around = [math.tau * number / sides for number in range(sides + 1)]
    corners = [(place[0] + DISC_RADIUS * math.cos(a), place[1] + DISC_RADIUS * math.sin(a)) for a in around]
    return [(*first, *second) for first, second in pairwise(corners)]
