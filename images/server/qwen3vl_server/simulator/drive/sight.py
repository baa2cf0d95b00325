"""What a picture shows that matters for walking: the thing of a colour, and where the free floor ends. Pixels only.

Distances come from the floor: a camera at a known height that looks level sees a point of the floor the lower in the
picture, the nearer it is."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..vision import Pixels

CAMERA_METRES = 0.45
THING_METRES, THING_WIDTH = 2.0, 0.9
"""Height and width of a door; they tell where it is when something hides its foot or the picture ends."""
SURE_METRES = 0.2
NEAR_METRES = 1.15
WIDTH = 320
FOCAL = WIDTH / 2
"""Pixels at that width, for a field of view of 90 degrees."""
GOAL_METRES = 0.66
"""Where to stand before the thing: it still shows its foot there."""
ARRIVED_METRES, ARRIVED_RADIANS = 0.24, 0.5
ABOUT_METRES, ABOUT_RADIANS = 0.4, 0.8
FARTHEST_METRES = 4.5
BEFORE_METRES = 0.5
"""Nearer than the floor is seen."""
COLUMNS_PER_RAY = 4
_SMALLEST_PIXELS = 30
Place = tuple[float, float]
Edges = tuple[Place | None, Place | None]
_HUES = {"red": ((0, 8), (171, 180)), "orange": ((9, 19),), "yellow": ((20, 36),), "green": ((40, 88),)}
_HUES |= {"blue": ((98, 128),), "purple": ((129, 165),)}
_DARKEST = {"red": 140, "orange": 150, "yellow": 140}
"""Brown is a dark orange, and mixed with what it covers a dark red or yellow; a door is brighter than a box."""
_FLOOR_DEVIATION = 34.0
_SKIRTING_ROWS = 3
_PALE, _PALE_SPREAD = 160, 30
"""A wall is brighter than this in all three colours, and about as bright in each."""


@dataclass(frozen=True)
class Target:
    """The thing that is looked for, in metres before (x) and left of (y) the camera.

    Attributes:
        bearing: of its middle, radians to the left.
        goal: where to stand before it.
        facing: heading there that looks at it.
        sure: enough of it is in the picture to tell which way it faces.
        arrived: that place is where the camera is, and the thing is before it.
        about: so it is by a wider measure, enough for one who had arrived a moment ago.
        edges: its left and its right corner on the floor, None where the picture ends before it.
    """

    bearing: float
    x: float
    y: float
    goal: tuple[float, float]
    facing: float
    sure: bool
    arrived: bool
    about: bool
    edges: Edges = (None, None)

    @classmethod
    def at(cls, x: float, y: float, facing: float, *, sure: bool, edges: Edges = (None, None)) -> "Target":
        """A thing with its middle there, which one looks at squarely with the heading `facing`."""
        goal = (x - GOAL_METRES * math.cos(facing), y - GOAL_METRES * math.sin(facing))
        bearing, away = math.atan2(y, x), math.hypot(*goal)
        near = x < GOAL_METRES + ARRIVED_METRES
        arrived = near and away < ARRIVED_METRES and abs(bearing) < ARRIVED_RADIANS
        about = away < ABOUT_METRES and abs(bearing) < ABOUT_RADIANS
        return cls(bearing, x, y, goal, facing, sure, arrived, about, edges)

    def squarely(self, facing: float) -> "Target":
        """The same thing, where it is known from elsewhere which way it faces."""
        half = THING_WIDTH / 2
        middles = [
            (edge[0] + side * half * -math.sin(facing), edge[1] + side * half * math.cos(facing))
            for edge, side in zip(self.edges, (-1, 1), strict=True)
            if edge is not None
        ]
        x, y = (sum(values) / len(values) for values in zip(*(middles or [(self.x, self.y)]), strict=True))
        return Target.at(x, y, facing, sure=True, edges=self.edges)


@dataclass(frozen=True)
class Sighting:
    """One picture understood.

    Attributes:
        obstacles: points where the free floor ends, n x 2, metres before and left of the camera.
        rays, depths: directions (metres to the left for each ahead), and how far the floor is free there.
        ahead: metres of free floor straight on.
    """

    target: Target | None
    obstacles: npt.NDArray[np.float32]
    rays: npt.NDArray[np.float32]
    depths: npt.NDArray[np.float32]
    ahead: float


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture at the width at which it is looked at.

    Attributes:
        grey: its grey values.
        other: in the lower half, what has not the colour of the floor; 0 or 1.
    """

    small: Pixels
    grey: npt.NDArray[np.float32]
    other: Pixels

    @classmethod
    def of(cls, pixels: Pixels) -> "Picture":
        """Of pixels: height x width x 3; blue, green, red."""
        height = round(pixels.shape[0] * WIDTH / pixels.shape[1])
        small = np.asarray(cv2.resize(pixels, (WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8)
        return cls(small, cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32), _other_than_floor(small))


def look(picture: Picture, colour: str) -> Sighting:
    """Understand a picture."""
    small = picture.small
    rays, depths = _floor_ends(picture.other)
    sides = ((WIDTH - 1) / 2 - rays) / FOCAL
    near = depths < FARTHEST_METRES
    obstacles = np.stack([depths[near], depths[near] * sides[near]], axis=1).astype(np.float32)
    straight = depths[np.abs(depths * sides) < 0.3]
    ahead = float(straight.min()) if straight.size else FARTHEST_METRES
    free = np.minimum(depths, FARTHEST_METRES).astype(np.float32)
    return Sighting(_target(small, colour), obstacles, sides.astype(np.float32), free, ahead)


def _mask(small: Pixels, colour: str) -> Pixels:
    hsv = cv2.cvtColor(small, cv2.COLOR_BGR2HSV)
    darkest = _DARKEST.get(colour, 60)
    mask = np.zeros(small.shape[:2], np.uint8)
    for low, high in _HUES[colour]:
        mask |= np.asarray(cv2.inRange(hsv, (low, 120, darkest), (high, 255, 255)), np.uint8)
    # Where two colours meet, JPEG makes a thin line of a third one.
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)


def _target(small: Pixels, colour: str) -> Target | None:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(_mask(small, colour), connectivity=8)
    if count < 2:
        return None
    for number in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
        _, _, wide, high, area = (int(value) for value in stats[number])
        if area < _SMALLEST_PIXELS or high < 6 or wide < 2:
            continue
        if _stands(small, labels == number):
            return _thing(labels == number)
    return None


def _stands(small: Pixels, mask: npt.NDArray[np.bool_]) -> bool:
    """Whether it reaches the floor, or what hides its foot: below a painting there is more wall."""
    columns = np.flatnonzero(mask.any(axis=0))
    part = mask[:, columns]
    feet = mask.shape[0] - part[::-1].argmax(axis=0)
    below = feet + np.maximum(3, (part.sum(axis=0) * 0.15).astype(int))
    inside = below < mask.shape[0]
    if not inside.any():
        return True
    pixels = small[below[inside], columns[inside]].astype(np.int16)
    pale = (pixels.min(axis=1) > _PALE) & (pixels.max(axis=1) - pixels.min(axis=1) < _PALE_SPREAD)
    return float(pale.sum()) < 0.5 * columns.size


def _thing(mask: npt.NDArray[np.bool_]) -> Target | None:
    columns = np.flatnonzero(mask.any(axis=0))
    inner = columns[(columns > 1) & (columns < WIDTH - 2)]
    if not inner.size:
        return None
    share = max(1, inner.size // 6)
    first, second = _corner_at(mask, inner[:share]), _corner_at(mask, inner[-share:])
    if first is None or second is None:
        return None
    return _placed(first, second, cut_left=bool(columns[0] <= 1), cut_right=bool(columns[-1] >= WIDTH - 2))


def _placed(first: Place, second: Place, *, cut_left: bool, cut_right: bool) -> Target:
    """The target from its left and right corner, as far as they are in the picture."""
    dx, dy = second[0] - first[0], second[1] - first[1]
    length = math.hypot(dx, dy)
    x, y = (first[0] + second[0]) / 2, (first[1] + second[1]) / 2
    # Near, a turn cuts it off and would change what is believed of its direction: there one goes straight at it.
    whole = not (cut_left or cut_right) and abs(length - THING_WIDTH) < SURE_METRES
    sure = length > SURE_METRES and (whole or math.hypot(x, y) > NEAR_METRES) and not (cut_left and cut_right)
    if sure and cut_left != cut_right:
        # One corner is real; the middle is half a width from it.
        corner, sign = (second, -1.0) if cut_left else (first, 1.0)
        half = max(length, THING_WIDTH) / 2
        x, y = corner[0] + sign * half * dx / length, corner[1] + sign * half * dy / length
    away = math.hypot(x, y)
    nx, ny = (dy / length, -dx / length) if sure else (-x / away, -y / away)
    if nx * x + ny * y > 0:
        nx, ny = -nx, -ny
    edges = None if cut_left else first, None if cut_right else second
    return Target.at(x, y, math.atan2(-ny, -nx), sure=sure, edges=edges)


def _corner_at(mask: npt.NDArray[np.bool_], columns: npt.NDArray[np.intp]) -> Place | None:
    """Where the thing stands at these columns: by its foot, by its top where the foot is hidden."""
    height = mask.shape[0]
    part = mask[:, columns]
    tops = part.argmax(axis=0)
    feet = height - part[::-1].argmax(axis=0)
    top, foot = float(np.median(tops)), float(np.median(feet))
    horizon = height / 2
    by_foot = CAMERA_METRES * FOCAL / (foot - horizon) if foot > horizon + 2 else math.inf
    by_top = (THING_METRES - CAMERA_METRES) * FOCAL / (horizon - top) if top > 2 and top < horizon - 2 else None
    depth = by_foot if by_top is None else min(by_foot, by_top)
    if not math.isfinite(depth):
        return None
    side = ((WIDTH - 1) / 2 - float(columns.mean())) / FOCAL
    return depth, depth * side


def _other_than_floor(small: Pixels) -> Pixels:
    """What in the lower half has another colour than the floor right before the camera."""
    height = small.shape[0]
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (5, 5), 0), cv2.COLOR_BGR2LAB).astype(np.float32)
    sample = lab[int(height * 0.93) :, WIDTH // 4 : 3 * WIDTH // 4].reshape(-1, 3)
    floor = np.median(sample, axis=0)
    weights = np.array([0.8, 2.0, 2.0], np.float32)
    away = np.abs(lab[height // 2 :] - floor) * weights
    other = (away.sum(axis=2) > _FLOOR_DEVIATION).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(other, cv2.MORPH_OPEN, np.ones((_SKIRTING_ROWS, 3), np.uint8)), np.uint8)


def _floor_ends(other: Pixels) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """For some columns, the depth at which the floor ends.

    Where one colour goes from below up to the horizon it is no floor but something right before the camera.
    """
    half = other.shape[0]
    columns = np.arange(0, WIDTH - COLUMNS_PER_RAY + 1, COLUMNS_PER_RAY)
    blocks = other[:, : columns.size * COLUMNS_PER_RAY].reshape(half, columns.size, COLUMNS_PER_RAY).max(axis=2)
    from_below = blocks[::-1].argmax(axis=0)
    seen = blocks.any(axis=0)
    foot = half - from_below
    depths = np.where(seen & (foot > 1), CAMERA_METRES * FOCAL / np.maximum(foot, 1), BEFORE_METRES).astype(np.float32)
    return (columns + COLUMNS_PER_RAY / 2).astype(np.float32), depths
