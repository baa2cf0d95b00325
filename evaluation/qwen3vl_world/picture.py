"""What people look at afterwards: the way on a map, and what the camera saw, both as PNG."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from qwen3vl_world.plan import DOOR_COLOURS, DOOR_WIDTH, Building, Pose
from qwen3vl_world.robot import RADIUS

PIXELS_PER_METRE = 80
MARGIN = 40
LEGEND = 34
_INK = (60, 60, 60)


class Told(Protocol):
    """What was commanded when a picture was taken."""

    @property
    def linear_mps(self) -> float: ...
    @property
    def angular_rps(self) -> float: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...


def write_map(file: Path, building: Building, path: Sequence[tuple[float, Pose]]) -> None:
    """Write the map of a walk."""
    cv2.imwrite(str(file), map_of(building, path))


def map_of(building: Building, path: Sequence[tuple[float, Pose]]) -> np.ndarray:
    """The building from above, and the path from blue (its beginning) to red (its end)."""
    least_x, least_y, most_x, most_y = building.bounds
    height = int((most_y - least_y) * PIXELS_PER_METRE) + 2 * MARGIN
    width = int((most_x - least_x) * PIXELS_PER_METRE) + 2 * MARGIN
    picture = np.full((height + LEGEND, width, 3), 255, np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        return int(MARGIN + (x - least_x) * PIXELS_PER_METRE), int(height - MARGIN - (y - least_y) * PIXELS_PER_METRE)

    cv2.rectangle(picture, at(least_x, least_y), at(most_x, most_y), (246, 244, 242), -1)
    for metre in range(int(most_x - least_x) + 1):
        cv2.line(picture, at(least_x + metre, least_y), at(least_x + metre, most_y), (230, 228, 226), 1)
    for metre in range(int(most_y - least_y) + 1):
        cv2.line(picture, at(least_x, least_y + metre), at(most_x, least_y + metre), (230, 228, 226), 1)
    for wall in building.walls:
        cv2.line(picture, at(wall.x1, wall.y1), at(wall.x2, wall.y2), _INK, 4, cv2.LINE_AA)
    for box in building.boxes:
        low, high = at(box.x - box.wide / 2, box.y - box.deep / 2), at(box.x + box.wide / 2, box.y + box.deep / 2)
        cv2.rectangle(picture, low, high, box.colour, -1)
    for poster in building.posters:
        cv2.circle(picture, at(poster.x, poster.y), 7, DOOR_COLOURS[poster.colour], -1, cv2.LINE_AA)
    if building.crossing:
        line = building.crossing
        cv2.line(picture, at(line.x1, line.y1), at(line.x2, line.y2), (200, 190, 190), 2, cv2.LINE_AA)
    for door in building.doors:
        half = DOOR_WIDTH / 2
        first = at(door.x - half * door.ny, door.y + half * door.nx)
        last = at(door.x + half * door.ny, door.y - half * door.nx)
        colour = DOOR_COLOURS[door.colour]
        cv2.line(picture, first, last, colour, 10)
        cv2.circle(picture, at(door.goal.x, door.goal.y), int(0.5 * PIXELS_PER_METRE), colour, 1, cv2.LINE_AA)
    _draw_path(picture, [at(pose.x, pose.y) for _, pose in path])
    start, end = path[0][1], path[-1][1]
    cv2.circle(picture, at(start.x, start.y), 6, (200, 120, 0), -1, cv2.LINE_AA)
    cv2.circle(picture, at(end.x, end.y), int(RADIUS * PIXELS_PER_METRE), (30, 30, 210), 2, cv2.LINE_AA)
    nose = at(end.x + RADIUS * np.cos(end.yaw), end.y + RADIUS * np.sin(end.yaw))
    cv2.line(picture, at(end.x, end.y), nose, (30, 30, 210), 2, cv2.LINE_AA)
    said = f"squares of 1 m; {path[-1][0]:.0f} s from blue to red; thin circles: 0.5 m around each goal point"
    cv2.putText(picture, said, (MARGIN, height + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return picture


def _draw_path(picture: np.ndarray, points: Sequence[tuple[int, int]]) -> None:
    count = max(1, len(points) - 1)
    for number, (first, second) in enumerate(pairwise(points)):
        share = number / count
        colour = (int(200 * (1 - share)), 80, int(220 * share))
        cv2.line(picture, first, second, colour, 3, cv2.LINE_AA)


def write_frames(file: Path, frames: Sequence[tuple[float, bytes, Told]], columns: int = 4) -> None:
    """Camera frames with time, state and velocities written on them, and the velocity drawn as an arrow."""
    shown = [_annotated(*frame) for frame in frames]
    if not shown:
        return
    blank = np.full_like(shown[0], 255)
    rows = []
    for begin in range(0, len(shown), columns):
        row = shown[begin : begin + columns]
        rows.append(cv2.hconcat([*row, *[blank] * (columns - len(row))] if len(shown) > columns else row))
    cv2.imwrite(str(file), cv2.vconcat(rows))


def _annotated(seconds: float, jpeg: bytes, told: Told) -> np.ndarray:
    whole = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    picture = cv2.resize(whole, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    cv2.rectangle(picture, (0, height - 44), (width, height), (30, 30, 30), -1)
    lines = (
        f"{seconds:.1f} s  {told.state} ({told.reason})",
        f"v {told.linear_mps:.2f} m/s  w {told.angular_rps:+.2f} rad/s",
    )
    for number, line in enumerate(lines):
        place = (8, height - 26 + 18 * number)
        cv2.putText(picture, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.48, (255, 255, 255), 1, cv2.LINE_AA)
    if told.linear_mps or told.angular_rps:
        # Left is left: a positive turn goes to the left of the picture.
        foot = (width // 2, height - 54)
        tip = (int(width / 2 - 90 * told.angular_rps), int(height - 60 - 160 * abs(told.linear_mps)))
        cv2.arrowedLine(picture, foot, tip, (40, 220, 40), 4, cv2.LINE_AA, tipLength=0.25)
    return picture
