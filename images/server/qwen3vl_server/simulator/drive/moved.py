"""How far the camera has come and turned between two pictures. Pure: pixels in, a motion out.

The floor, seen from above, shifts by what was driven and turns by what was turned; walls show the turn too. A robot on
wheels does not go sideways: of the motions that fit, one without that is taken."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .sight import CAMERA_METRES, FOCAL, WIDTH, Picture

Floats = npt.NDArray[np.float32]
_CELL = 0.025
_ROWS, _COLUMNS = 80, 96
_NEAREST = 0.64
_AHEAD = (_NEAREST + _CELL * np.arange(_ROWS, dtype=np.float32))[:, None] + np.zeros((1, _COLUMNS), np.float32)
_LEFT = _CELL * (np.arange(_COLUMNS, dtype=np.float32) - (_COLUMNS - 1) / 2)[None, :] + np.zeros((_ROWS, 1), np.float32)
_WINDOW = cv2.createHanningWindow((_COLUMNS, _ROWS), cv2.CV_32F)
_ANGLES = np.radians(np.arange(-43, 43.01, 0.5)).astype(np.float32)
_BAND_ROWS = np.array([-50, -38, -26, -16, -8, -3], np.float32)
_COARSE, _FINE = np.arange(-1.2, 1.201, 0.03), np.arange(-0.024, 0.025, 0.008)
_TRIED = 12
_SIDEWAYS_METRES = 0.05
_LEAST_METRES, _MOST_METRES = -0.06, 0.6
_STRONG_CONTRAST = 25.0
_WALL_SCALE = 2.0
_TURN_COST = 1.0
"""Where walls show nothing, a smaller turn is likelier."""
_SURE = 0.06
"""A likeness of the floors that chance does not reach."""


@dataclass(frozen=True)
class Motion:
    """From the earlier picture to the later one.

    Attributes:
        metres: ahead, in the direction that the later one looks.
        radians: to the left.
        sure: enough of the floor is in both to tell the metres.
    """

    metres: float
    radians: float
    sure: bool


def motion(earlier: Picture, later: Picture) -> Motion:
    """What lies between two pictures, if it is half a metre and a radian or less."""
    before, after = (np.asarray(cv2.blur(one.small, (5, 7)), np.uint8) for one in (earlier, later))
    walls = _band(after, 0.0)

    def unlike(turn: float) -> float:
        inside = np.abs(_ANGLES + turn) < math.radians(44)
        return float(np.minimum(np.abs(_band(before, turn) - walls)[:, inside], 40).mean())

    floor = _floor(later, 0.0)

    def fit(turn: float) -> tuple[float, float, float]:
        (sideways, ahead), likeness = cv2.phaseCorrelate(floor, _floor(earlier, turn), _WINDOW)
        sideways, ahead = sideways * _CELL, ahead * _CELL
        likely = likeness * math.exp(-((sideways / _SIDEWAYS_METRES) ** 2))
        return likely if _LEAST_METRES < ahead < _MOST_METRES else 0.0, ahead, turn

    def rated(turn: float) -> tuple[float, float, float, float]:
        likely, ahead, _ = fit(turn)
        return likely * math.exp(-unlike(turn) / _WALL_SCALE), ahead, turn, likely

    coarse = sorted(map(float, _COARSE), key=lambda turn: unlike(turn) + _TURN_COST * abs(turn))[:_TRIED]
    # Something that comes or goes can make no turn look unlikely though the floor shows that there was none.
    best = max(rated(turn) for turn in (0.0, *coarse))
    best = max([best, *(rated(best[2] + float(step)) for step in _FINE)])
    if best[3] < _SURE:
        return Motion(0.0, coarse[0], sure=False)
    return Motion(best[1], best[2], sure=True)


def _band(picture: npt.NDArray[np.uint8], turn: float) -> Floats:
    """Some rows above the horizon by angle, as seen by a camera turned by so much."""
    columns = ((WIDTH - 1) / 2 - FOCAL * np.tan(_ANGLES + np.float32(turn))).astype(np.float32)
    map_x = np.repeat(columns[None], _BAND_ROWS.size, 0)
    map_y = np.repeat((_BAND_ROWS + np.float32(picture.shape[0] / 2))[:, None], columns.size, 1)
    return np.asarray(cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR), np.float32)


def _floor(picture: Picture, turn: float) -> Floats:
    """The floor from above, as seen by a camera turned by so much; only its fine pattern."""
    half = picture.other.shape[0]
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    x, y = cos * _AHEAD - sin * _LEFT, sin * _AHEAD + cos * _LEFT
    map_x = ((WIDTH - 1) / 2 - FOCAL * y / x).astype(np.float32)
    map_y = (half - 0.5 + CAMERA_METRES * FOCAL / x).astype(np.float32)
    seen = cv2.remap(picture.grey, map_x, map_y, cv2.INTER_LINEAR)
    other = cv2.remap(
        picture.other, map_x, map_y - half, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1
    )
    outside = (other > 0) | (x < _NEAREST / 2)
    if outside.all():
        return np.zeros_like(_AHEAD)
    seen = np.where(outside, seen[~outside].mean(), seen)
    fine = np.clip(seen - cv2.blur(seen, (25, 25)), -_STRONG_CONTRAST, _STRONG_CONTRAST)
    fine[outside] = 0
    return np.asarray(fine, np.float32)
