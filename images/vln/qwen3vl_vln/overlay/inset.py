"""The plan from above, in the lower right corner: a camera that looks ahead does not see the half metre before the
robot's feet, which is where most plans lie."""

import cv2
import numpy as np

from qwen3vl_vln.overlay.course import Course
from qwen3vl_vln.overlay.projection import Floats
from qwen3vl_vln.overlay.text import Pixels

LEAST_METRES = 1.0
_SIDE = 108
_LINE, _GRID, _TURN = (90, 230, 60), (110, 110, 110), (0, 215, 255)


def draw_inset(image: Pixels, way: Course, unit: float) -> None:
    """A small map: the robot in the middle, ahead is up, left is left; rings every half metre."""
    height, width = image.shape[:2]
    side = min(round(_SIDE * unit), height // 3, width // 3)
    if side < 16:
        return
    margin = max(1, round(8 * unit))
    part = image[height - side - margin : height - margin, width - side - margin : width - margin]
    cv2.convertScaleAbs(part, dst=part, alpha=0.5)
    reach = max(LEAST_METRES, 1.25 * float(np.abs(way.line).max(initial=0.0)))
    scale = side / 2 / reach
    middle = side / 2
    for ring in range(1, int(reach / 0.5) + 1):
        cv2.circle(part, (side // 2, side // 2), round(0.5 * ring * scale), _GRID, 1, cv2.LINE_AA)
    for turn in way.turns:
        angles = turn.heading + np.linspace(0.0, turn.angle, 16)
        ring_metres = 0.2 * reach
        arc = np.array((turn.x, turn.y)) + ring_metres * np.stack((np.cos(angles), np.sin(angles)), axis=1)
        points = _from_above(arc, scale, middle)
        cv2.polylines(part, [points], False, _TURN, 2, cv2.LINE_AA)
        cv2.circle(part, (int(points[-1][0]), int(points[-1][1])), 3, _TURN, -1, cv2.LINE_AA)
    if len(way.line) >= 2:
        points = _from_above(way.line, scale, middle)
        cv2.polylines(part, [points], False, _LINE, 2, cv2.LINE_AA)
        for column, row in _from_above(way.ends, scale, middle).tolist():
            cv2.circle(part, (column, row), 3, _LINE, -1, cv2.LINE_AA)
    body = np.array(((middle - 4, middle + 4), (middle, middle - 7), (middle + 4, middle + 4)))
    cv2.fillConvexPoly(part, np.rint(body).astype(np.int32), (255, 255, 255), cv2.LINE_AA)


def _from_above(floor: Floats, scale: float, middle: float) -> "np.ndarray[tuple[int, int], np.dtype[np.int32]]":
    return np.rint(np.stack((middle - scale * floor[:, 1], middle - scale * floor[:, 0]), axis=1)).astype(np.int32)
