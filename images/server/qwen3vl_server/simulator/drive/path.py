"""From a way to a few steps, each turned into the direction of the next. Pure geometry."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .sight import ARRIVED_METRES, Target
from .ways import Floor, way

STEP_METRES = 0.4
PLAN_METRES = 1.0
LARGEST_TURN = 0.8
LEAST_LEG_METRES = 0.16
UNSURE_RADIANS = 0.3

Points = npt.NDArray[np.float32]
Place = tuple[float, float]


@dataclass(frozen=True)
class Step:
    """A displacement in the frame reached by the step before: metres ahead and to the left, radians."""

    dx: float
    dy: float
    dtheta: float


def steps_to(target: Target, floor: Floor, *, seen: bool) -> list[Step]:
    """Steps towards the place before the target.

    Args:
        seen: the target is in the picture now.
    """
    goal = target.goal
    if math.hypot(*goal) < ARRIVED_METRES or (seen and not target.sure and abs(target.bearing) > UNSURE_RADIANS):
        return [Step(0.0, 0.0, _bounded(target.bearing))]
    corners = way(floor, goal, target.bearing)
    if len(corners) > 1 and math.hypot(*corners[0]) < LEAST_LEG_METRES:
        del corners[0]
    if corners:
        return _steps(corners, target.facing)
    return [Step(0.0, 0.0, _freer_side(floor.obstacles))]


def _freer_side(obstacles: Points) -> float:
    left, right = obstacles[obstacles[:, 1] > 0], obstacles[obstacles[:, 1] <= 0]
    room = [float(np.hypot(side[:, 0], side[:, 1]).mean()) if side.size else math.inf for side in (left, right)]
    return 0.5 if room[0] >= room[1] else -0.5


def _steps(way: list[Place], facing: float) -> list[Step]:
    """The way cut into steps, each turned into the direction of the next; at its end one looks at the thing."""
    steps: list[Step] = []
    x = y = heading = driven = 0.0
    for number, (to_x, to_y) in enumerate(way):
        bearing = math.atan2(to_y - y, to_x - x)
        turn = math.remainder(bearing - heading, math.tau)
        while abs(turn) > 0.3 and len(steps) < 4:
            part = _bounded(turn)
            steps.append(Step(0.0, 0.0, part))
            heading, turn = heading + part, turn - part
        metres = math.dist((x, y), (to_x, to_y))
        while metres > 0.02 and len(steps) < 5 and driven < PLAN_METRES:
            part = min(STEP_METRES, metres, PLAN_METRES - driven)
            angle = math.remainder(bearing - heading, math.tau)
            steps.append(Step(part * math.cos(angle), part * math.sin(angle), angle))
            heading, driven, metres = bearing, driven + part, metres - part
            x, y = x + part * math.cos(bearing), y + part * math.sin(bearing)
        if len(steps) >= 5 or driven >= PLAN_METRES:
            return steps
        if number == len(way) - 1:
            last = math.remainder(facing - heading, math.tau)
            if abs(last) > 0.1:
                steps.append(Step(0.0, 0.0, _bounded(last)))
    return steps


def _bounded(turn: float) -> float:
    return max(-LARGEST_TURN, min(LARGEST_TURN, turn))
