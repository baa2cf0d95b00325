"""Shortest ways through a building for a robot of a radius, at any angle, on a grid of 5 cm.

The cells that the robot's middle may not enter are the building inflated by the radius. A shortest way bends only at
convex corners of those, so it is found on the graph of corners that see each other."""

import heapq
import math
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from qwen3vl_world.plan import Building, Place

CELL_METRES = 0.05
SAMPLE_METRES = 0.02
_SLACK_METRES = 0.08
"""So near to its ends a line may touch cells that are not free: whoever stands there does stand there."""

Points = npt.NDArray[Any]


class Ways:
    """The free ways of one building."""

    def __init__(self, building: Building, radius: float) -> None:
        self._building, self._radius = building, radius
        self._left, self._low, right, high = building.bounds
        columns, rows = round((right - self._left) / CELL_METRES), round((high - self._low) / CELL_METRES)
        x = self._left + CELL_METRES * (np.arange(columns) + 0.5)[:, None]
        y = self._low + CELL_METRES * (np.arange(rows) + 0.5)[None, :]
        self.free = _clearances(building, x, y) >= radius

    @cached_property
    def _corners(self) -> Points:
        """Middles of free cells that touch a blocked one only diagonally: around these a way bends."""
        blocked = np.pad(~self.free, 1, constant_values=True)
        inner = slice(1, -1)
        found = np.zeros_like(self.free)
        for dx in (0, 2):
            for dy in (0, 2):
                diagonal = blocked[dx : dx + self.free.shape[0], dy : dy + self.free.shape[1]]
                beside = blocked[dx : dx + self.free.shape[0], inner] | blocked[inner, dy : dy + self.free.shape[1]]
                found |= diagonal & ~beside
        cells = np.argwhere(found & self.free)
        return np.asarray(np.array([self._left, self._low]) + CELL_METRES * (cells + 0.5))

    @cached_property
    def _seen(self) -> list[npt.NDArray[np.bool_]]:
        corners = self._corners
        return [self._sees(place, corners) for place in corners]

    def _sees(self, place: npt.ArrayLike, others: Points) -> npt.NDArray[np.bool_]:
        """Whether the straight line to each of the others is free."""
        start = np.asarray(place, np.float64)
        if not len(others):
            return np.zeros(0, bool)
        way = others - start
        length = np.hypot(way[:, 0], way[:, 1])
        count = max(2, int(length.max() / SAMPLE_METRES))
        share = np.linspace(0.0, 1.0, count)
        cells = ((start + share[:, None, None] * way - (self._left, self._low)) / CELL_METRES).astype(int)
        cells = np.clip(cells, 0, np.array(self.free.shape) - 1)
        free = self.free[cells[..., 0], cells[..., 1]]
        along = share[:, None] * length
        free |= (along < _SLACK_METRES) | (length - along < _SLACK_METRES)
        return np.asarray(free.all(axis=0))

    def metres(self, start: Place, end: Place) -> float:
        """Length of the shortest way, infinite where there is none."""
        way = self.way(start, end)
        return sum(math.dist(one, two) for one, two in pairwise(way)) if way else math.inf

    def way(self, start: Place, end: Place) -> list[Place]:
        """Corners of the shortest way with both ends; empty where there is none."""
        ends = np.array([start, end])
        if self._sees(start, ends[1:])[0]:
            return [start, end]
        corners = self._corners
        from_start, to_end = self._sees(start, corners), self._sees(end, corners)
        rest = np.hypot(*(corners - ends[1]).T) if len(corners) else np.zeros(0)
        first = np.hypot(*(corners - ends[0]).T) if len(corners) else np.zeros(0)
        best = np.where(from_start, first, np.inf)
        before = np.full(len(corners), -1)
        queue = [(float(best[n] + rest[n]), int(n)) for n in np.flatnonzero(from_start)]
        heapq.heapify(queue)
        done: set[int] = set()
        while queue:
            _, here = heapq.heappop(queue)
            if here in done:
                continue
            done.add(here)
            if to_end[here]:
                break
            metres = best[here] + np.hypot(*(corners - corners[here]).T)
            for there in np.flatnonzero(self._seen[here] & (metres < best - 1e-9)):
                best[there], before[there] = metres[there], here
                heapq.heappush(queue, (float(metres[there] + rest[there]), int(there)))
        return self._unrolled(start, end, best + np.where(to_end, rest, np.inf), before)

    def _unrolled(self, start: Place, end: Place, total: Points, before: npt.NDArray[np.intp]) -> list[Place]:
        if not len(total) or not math.isfinite(total.min()):
            return []
        way, at = [end], int(total.argmin())
        while at >= 0:
            way.append((float(self._corners[at][0]), float(self._corners[at][1])))
            at = int(before[at])
        return [start, *reversed(way)]


def _clearances(building: Building, x: Points, y: Points) -> Points:
    """Distance from each point to the nearest wall or box."""
    nearest = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf)
    for wall in building.walls:
        dx, dy = wall.x2 - wall.x1, wall.y2 - wall.y1
        along = np.clip(((x - wall.x1) * dx + (y - wall.y1) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
        nearest = np.minimum(nearest, np.hypot(x - wall.x1 - along * dx, y - wall.y1 - along * dy))
    for box in building.boxes:
        away_x = np.maximum(0.0, np.abs(x - box.x) - box.wide / 2)
        away_y = np.maximum(0.0, np.abs(y - box.y) - box.deep / 2)
        nearest = np.minimum(nearest, np.hypot(away_x, away_y))
    return nearest
