"""From what is seen to a few steps: straight where the floor is free, else around what stands there. Pure geometry."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .sight import ARRIVED_METRES, Sighting

STEP_METRES = 0.4
PLAN_METRES = 1.0
LARGEST_TURN = 0.8
CLEARANCES = (0.42, 0.34)
"""Room that is kept to both sides, metres: comfortable, then just enough for a robot of 0.25 m."""
LOOKED_AHEAD_METRES = 0.8
_ANGLES = tuple(round(-1.3 + 0.1 * number, 1) for number in range(27))

Points = npt.NDArray[np.float32]
Place = tuple[float, float]


@dataclass(frozen=True)
class Step:
    """A displacement in the frame reached by the step before: metres ahead and to the left, radians."""

    dx: float
    dy: float
    dtheta: float


def steps_to(seen: Sighting, beside: Points) -> list[Step]:
    """Steps towards the place before the target.

    Args:
        beside: further points where the floor is not free, which are out of sight now.
    """
    target = seen.target
    if target is None:
        return []
    goal = target.goal
    if not target.sure and abs(target.bearing) > 0.3:
        return [Step(0.0, 0.0, _bounded(target.bearing))]
    if math.hypot(*goal) < ARRIVED_METRES:
        return [Step(0.0, 0.0, _bounded(target.bearing))]
    obstacles = np.concatenate([seen.obstacles, beside])
    for clearance in CLEARANCES:
        way = _way(goal, obstacles, clearance)
        if way:
            return _steps(way, target.facing)
    for angle in sorted(_ANGLES, key=lambda angle: abs(angle - target.bearing)):
        reach = (LOOKED_AHEAD_METRES * math.cos(angle), LOOKED_AHEAD_METRES * math.sin(angle))
        if _free([(0.0, 0.0), reach], obstacles, CLEARANCES[-1]):
            return _steps([(reach[0] / 2, reach[1] / 2)], angle)
    return [Step(0.0, 0.0, _freer_side(seen.obstacles))]


def _way(goal: Place, obstacles: Points, clearance: float) -> list[Place]:
    """Corners of a free way from (0, 0) to the goal, straight or by one place more; empty when there is none."""
    if _free([(0.0, 0.0), goal], obstacles, clearance):
        return [goal]
    best: tuple[float, list[Place]] | None = None
    for angle in _ANGLES:
        for metres in (0.6, 0.9, 1.2, 1.6, 2.0, 2.5):
            via = (metres * math.cos(angle), metres * math.sin(angle))
            way = [via, goal]
            if not _free([(0.0, 0.0), *way], obstacles, clearance):
                continue
            length = metres + math.dist(via, goal) + 0.15 * abs(angle)
            if best is None or length < best[0]:
                best = length, way
    return best[1] if best else []


def _free(way: list[Place], obstacles: Points, clearance: float) -> bool:
    if not obstacles.size:
        return True
    for (ax, ay), (bx, by) in pairwise(way):
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        if length < 1e-6:
            continue
        share = np.clip(((obstacles[:, 0] - ax) * dx + (obstacles[:, 1] - ay) * dy) / length, 0, 1)
        gap = np.hypot(obstacles[:, 0] - ax - share * dx, obstacles[:, 1] - ay - share * dy)
        if float(gap.min()) < clearance:
            return False
    return True


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
