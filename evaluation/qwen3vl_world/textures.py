"""Surfaces: one atlas with all upright faces side by side, and a floor that repeats. Made once per building."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from qwen3vl_world.plan import DOOR_COLOURS, DOOR_HEIGHT, DOOR_WIDTH, WALL_HEIGHT, Building, Door, Poster, Segment

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

PIXELS_PER_METRE = 100
FLOOR_PIXELS_PER_METRE = 64
_TILE_METRES = 5
FLOOR_TONE = (124, 114, 104)
CEILING = (236, 238, 238)
_SPACE = 4
_ROWS = round(WALL_HEIGHT * PIXELS_PER_METRE)


class Atlas:
    """All faces of a building as one picture; a place on a face becomes a place in it."""

    def __init__(self, building: Building, faces: Sequence[Segment], seed: int) -> None:
        rng = np.random.default_rng(seed + 2)
        strips: list[Pixels] = []
        starts: list[int] = []
        at = 0
        for face in faces:
            strip = _face(face, rng)
            for door in building.doors:
                _paint(strip, face, door)
            for poster in building.posters:
                _hang(strip, face, poster)
            strip = np.asarray(cv2.copyMakeBorder(strip, 0, 0, _SPACE, _SPACE, cv2.BORDER_REPLICATE), np.uint8)
            starts.append(at + _SPACE)
            strips.append(strip)
            at += strip.shape[1]
        self.pixels: Pixels = np.hstack(strips)
        self._starts = np.array(starts, np.float32)

    def column(self, face: npt.NDArray[np.intp], metres: Floats) -> Floats:
        """Of points `metres` along faces."""
        return np.asarray(self._starts[face] + metres * np.float32(PIXELS_PER_METRE), np.float32)

    def row(self, height: Floats) -> Floats:
        """Of points at a height above the floor; what is above all walls is the ceiling, in the first row."""
        return np.asarray(np.float32(_ROWS) - height * np.float32(PIXELS_PER_METRE), np.float32)


def floor_texture(building: Building, seed: int) -> tuple[Pixels, Pixels]:
    """The floor within the walls, from their least x and y on, and a soft copy for the distance."""
    rng = np.random.default_rng(seed + 3)
    side = _TILE_METRES * FLOOR_PIXELS_PER_METRE
    grain = np.zeros((side, side), np.float32)
    for cell, strength in ((2, 5.0), (8, 4.0), (40, 4.0)):
        coarse = rng.normal(0, strength, (side // cell, side // cell)).astype(np.float32)
        # Smoothed over the border, so that the tile has no seam.
        coarse = cv2.copyMakeBorder(coarse, 2, 2, 2, 2, cv2.BORDER_WRAP).astype(np.float32)
        fine = cv2.resize(coarse, None, fx=cell, fy=cell, interpolation=cv2.INTER_LINEAR)
        grain += fine[2 * cell : -2 * cell, 2 * cell : -2 * cell]
    joints = np.zeros((side, side), np.float32)
    for line in range(0, side, FLOOR_PIXELS_PER_METRE):
        joints[line : line + 1] = joints[:, line : line + 1] = -16
    tile = np.clip(np.array(FLOOR_TONE, np.float32) + (grain + joints)[..., None], 0, 255).astype(np.uint8)
    left, low, right, high = building.bounds
    across, down = (int((end - begin) // _TILE_METRES) + 1 for begin, end in ((left, right), (low, high)))
    floor = np.tile(tile, (down, across, 1))
    return floor, np.asarray(cv2.GaussianBlur(floor, (0, 0), 6), np.uint8)


def _face(face: Segment, rng: np.random.Generator) -> Pixels:
    """Plaster or a box's side, lit by its direction, with a skirting and darker corners."""
    columns = max(2, round(face.length * PIXELS_PER_METRE))
    light = 1.0 if abs(face.x2 - face.x1) > abs(face.y2 - face.y1) else 0.9
    grain = cv2.resize(
        rng.normal(0, 3.0, (_ROWS // 6, max(2, columns // 6))).astype(np.float32),
        (columns, _ROWS),
        interpolation=cv2.INTER_LINEAR,
    )
    strip = np.array(face.colour, np.float32) * light + grain[..., None]
    strip[:, :2] *= 0.8
    strip[:, -2:] *= 0.8
    top = _ROWS - round(face.height * PIXELS_PER_METRE)
    if face.height >= WALL_HEIGHT:
        strip[-8:] *= 0.78
        strip[:2] = CEILING
    else:
        strip[top : top + 3] *= 0.75
        strip[-2:] *= 0.6
    return np.asarray(np.clip(strip, 0, 255), np.uint8)


def _paint(strip: Pixels, face: Segment, door: Door) -> None:
    """A door on the face that it belongs to: frame, leaf, panels and a handle."""
    centre = _along(face, door.x, door.y)
    if centre is None:
        return
    left, right = (round((centre + side * DOOR_WIDTH / 2) * PIXELS_PER_METRE) for side in (-1, 1))
    top = _ROWS - round(DOOR_HEIGHT * PIXELS_PER_METRE)
    colour = np.array(DOOR_COLOURS[door.colour], np.float32)
    strip[top - 5 :, left - 5 : right + 5] = (150, 152, 154)
    strip[top:, left:right] = colour
    for low, high in ((0.12, 0.88), (1.0, 1.85)):
        box = (left + 12, _ROWS - round(high * 100), right - left - 24, round((high - low) * 100))
        cv2.rectangle(strip, box, (colour * 0.86).tolist(), 2)
    cv2.rectangle(strip, (left + 6, _ROWS - 106, 8, 4), (190, 200, 200), -1)


def _hang(strip: Pixels, face: Segment, poster: Poster) -> None:
    """A painting on the face that it belongs to."""
    centre = _along(face, poster.x, poster.y)
    if centre is None:
        return
    left, right = (round((centre + side * poster.wide / 2) * PIXELS_PER_METRE) for side in (-1, 1))
    top, foot = (_ROWS - round(height * PIXELS_PER_METRE) for height in (poster.high, poster.low))
    strip[top - 3 : foot + 3, left - 3 : right + 3] = (70, 74, 78)
    strip[top:foot, left:right] = DOOR_COLOURS[poster.colour]


def _along(face: Segment, x: float, y: float) -> float | None:
    """How far along a wall a point of it lies, metres; None when it is not of this wall."""
    if face.height < WALL_HEIGHT or face.distance(x, y) > 1e-6:
        return None
    return ((x - face.x1) * (face.x2 - face.x1) + (y - face.y1) * (face.y2 - face.y1)) / face.length
