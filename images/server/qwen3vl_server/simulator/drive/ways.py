"""The cheapest way over the floor to a place, on a grid around the camera: short, away from things, over floor that is
seen, and beginning in a direction that leaves the thing in view. Pure geometry."""

import heapq
import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Place = tuple[float, float]
Cell = tuple[int, int]

CELL = 0.1
_FINE = 2
"""Clearances are measured on cells this many times finer."""
_BEHIND, _AHEAD, _ASIDE = 0.85, 5.05, 3.05
FARTHEST_METRES = 4.5
LEAST_CLEARANCE, EASY_CLEARANCE = 0.31, 0.45
"""A robot of 0.25 m never goes nearer to a thing than the first, and likes the second."""
TOUCHED_METRES = 0.27
"""So near there is the robot itself."""
_TIGHT_COST, _UNSEEN_COST = 4.0, 1.5
TURN_METRES = 0.6
"""A radian of turning is worth this much of a longer way, so that who has turned to one side stays with it."""
IN_VIEW_RADIANS, OUT_OF_VIEW_METRES = 0.6, 3.0
"""A target further aside than this goes out of the picture; so much way each radian beyond is worth to see it."""
_FIRST_METRES = 1.0
_NO_WORSE = 1.0
_STEPS = [(dx, dy, CELL * math.hypot(dx, dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]


@dataclass(frozen=True)
class Floor:
    """What is known of the floor around the camera.

    Attributes:
        obstacles: points where it is not free, n x 2, metres before and left of the camera.
        rays, depths: directions (left is positive, as a share of the depth), and how far the floor is seen free there.
    """

    obstacles: Points
    rays: Points
    depths: Points


def way(floor: Floor, goal: Place, bearing: float) -> list[Place]:
    """Corners of the cheapest way from the camera; at its end the goal, or the farthest place known towards it. Empty
    where there is none.

    Args:
        bearing: of what should stay in view.
    """
    # As far towards it as the grid goes.
    bounds = (FARTHEST_METRES if goal[0] > 0 else _BEHIND - CELL, _ASIDE - CELL)
    share = min(1.0, *(bound / abs(part) for bound, part in zip(bounds, goal, strict=True) if abs(part) > CELL), 1.0)
    goal = goal[0] * share, goal[1] * share
    cost, first = _costs(floor, bearing)
    start, end = _cell((0.0, 0.0)), _cell(goal)
    cells = _cheapest(cost + first, start, end)
    if len(cells) < 2:
        return []
    corners = _straightened(cells, cost)[1:]
    return [*corners[:-1], goal] if cells[-1] == end else corners


def _costs(floor: Floor, bearing: float) -> tuple[Points, Points]:
    """What a metre costs in each cell, infinite where the robot does not fit; and what the direction of the first metre
    adds."""
    rows, columns = round((_AHEAD + _BEHIND) / CELL), round(2 * _ASIDE / CELL)
    fine = np.full((rows * _FINE, columns * _FINE), 255, np.uint8)
    size = CELL / _FINE
    # What seems to stand within the robot is remembered a little wrong.
    outside = np.hypot(floor.obstacles[:, 0], floor.obstacles[:, 1]) > TOUCHED_METRES
    at = np.floor((floor.obstacles[outside] + np.array([_BEHIND, _ASIDE], np.float32)) / size).astype(int)
    inside = ((at >= 0) & (at < fine.shape)).all(axis=1)
    fine[at[inside, 0], at[inside, 1]] = 0
    every = slice(_FINE // 2, None, _FINE)
    clearance = cv2.distanceTransform(fine, cv2.DIST_L2, 5)[every, every] * np.float32(size)
    if not inside.any():
        clearance[:] = _AHEAD
    x = (CELL * (np.arange(rows, dtype=np.float32) + 0.5) - _BEHIND)[:, None]
    y = (CELL * (np.arange(columns, dtype=np.float32) + 0.5) - _ASIDE)[None, :]
    here = float(clearance[_cell((0.0, 0.0))])
    # Who stands near something may go away from it.
    leaving = np.hypot(x, y) < 2 * EASY_CLEARANCE
    least = np.where(leaving, min(LEAST_CLEARANCE, max(TOUCHED_METRES, here) - 0.02), LEAST_CLEARANCE)
    tight = np.clip((EASY_CLEARANCE - clearance) / (EASY_CLEARANCE - LEAST_CLEARANCE), 0.0, 2.0)
    cost = 1.0 + _TIGHT_COST * tight + _UNSEEN_COST * ~_seen(floor, x, y)
    angle = np.arctan2(y, x)
    aside = np.maximum(0.0, np.abs(angle - bearing) - IN_VIEW_RADIANS)
    near = (np.hypot(x, y) < _FIRST_METRES) / _FIRST_METRES
    first = near * (TURN_METRES * np.abs(angle) + OUT_OF_VIEW_METRES * aside)
    return np.where(clearance < least, np.inf, cost).astype(np.float32), first.astype(np.float32)


def _seen(floor: Floor, x: Points, y: Points) -> npt.NDArray[np.bool_]:
    """Cells whose floor the picture shows, and those that the robot stands on."""
    with np.errstate(divide="ignore", invalid="ignore"):
        side = np.where(x > 0, y / x, np.inf)
    order = np.argsort(floor.rays)
    depth = np.interp(side, floor.rays[order], floor.depths[order], left=0.0, right=0.0)
    return np.asarray((x < depth) | (np.hypot(x, y) < LEAST_CLEARANCE))


def _cell(place: Place) -> Cell:
    return math.floor((place[0] + _BEHIND) / CELL), math.floor((place[1] + _ASIDE) / CELL)


def _place(cell: Cell) -> Place:
    return (cell[0] + 0.5) * CELL - _BEHIND, (cell[1] + 0.5) * CELL - _ASIDE


def _cheapest(cost: Points, start: Cell, end: Cell) -> list[Cell]:
    """A* over cells that touch: those of the way with both ends; where there is none, of the one that leads nearest."""
    costs = cost.tolist()
    rows, columns = len(costs), len(costs[0])
    best = {start: 0.0}
    before: dict[Cell, Cell] = {}
    queue = [(0.0, start)]
    done: set[Cell] = set()
    while queue:
        _, here = heapq.heappop(queue)
        if here == end:
            break
        if here in done:
            continue
        done.add(here)
        for dx, dy, metres in _STEPS:
            there = here[0] + dx, here[1] + dy
            if not (0 <= there[0] < rows and 0 <= there[1] < columns) or there in done:
                continue
            price = costs[there[0]][there[1]] if there != end else 1.0
            total = best[here] + metres * price
            if total < best.get(there, math.inf):
                best[there], before[there] = total, here
                rest = CELL * math.hypot(there[0] - end[0], there[1] - end[1])
                heapq.heappush(queue, (total + rest, there))
    cells = [end if end in before else min(done, key=lambda cell: math.dist(cell, end))]
    while cells[-1] != start:
        cells.append(before[cells[-1]])
    return cells[::-1]


def _straightened(cells: list[Cell], cost: Points) -> list[Place]:
    """Corners only: a straight line takes the place of cells where it costs no more."""
    places, first = [_place(cells[0])], 0
    while first < len(cells) - 1:
        last = first + 1
        for candidate in range(len(cells) - 1, first + 1, -1):
            if _no_dearer(cells[first : candidate + 1], cost):
                last = candidate
                break
        places.append(_place(cells[last]))
        first = last
    return places


def _no_dearer(cells: list[Cell], cost: Points) -> bool:
    """Whether no place of the straight line is worse than the worst of the cells between the two ends."""
    (x1, y1), (x2, y2) = cells[0], cells[-1]
    count = 2 * max(abs(x2 - x1), abs(y2 - y1)) + 1
    xs, ys = (np.rint(np.linspace(a, b, count)).astype(int)[1:-1] for a, b in ((x1, x2), (y1, y2)))
    worst = max(float(cost[cell]) for cell in cells[1:-1])
    return float(cost[xs, ys].max()) <= max(worst, 1.0) + _NO_WORSE
