"""What is in a picture, by plain image analysis: pixels in, a `Scene` out. Pure: no bytes, no answer text."""

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
COLOURS = ("black", "white", "grey", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown")
SHAPES = ("circle", "ellipse", "square", "rectangle", "triangle", "shape")
_BLACK, _WHITE, _GREY, _RED, _ORANGE, _YELLOW, _GREEN, _CYAN, _BLUE, _PURPLE, _PINK, _BROWN = range(len(COLOURS))
# OpenCV's hue runs to 180; each colour ends before the given hue, and above the last it is red again.
_HUES = ((9, _RED), (22, _ORANGE), (34, _YELLOW), (84, _GREEN), (98, _CYAN), (129, _BLUE), (150, _PURPLE), (170, _PINK))
_SMALLEST_SHARE = 0.0008
_SMALLEST_PIXELS = 40


@dataclass(frozen=True)
class Shape:
    """One evenly coloured figure; its place is the centre, as shares (0 to 1) of width and height."""

    colour: str
    kind: str
    x: float
    y: float


@dataclass(frozen=True)
class Scene:
    """Figures from left to right, top to bottom within a column of equal x, on the colour that fills the border."""

    background: str
    shapes: tuple[Shape, ...]

    def colours(self) -> tuple[str, ...]:
        """Colours of the figures, the most frequent first."""
        return tuple(name for name, _ in Counter(shape.colour for shape in self.shapes).most_common())


def look(pixels: Pixels) -> Scene:
    """The scene in a picture of height x width x 3 (blue, green, red). A figure smaller than ~0.1 % is not seen."""
    height, width = pixels.shape[:2]
    names = _name_colours(np.asarray(cv2.medianBlur(pixels, 5), np.uint8) if min(height, width) > 8 else pixels)
    border = np.concatenate([names[0], names[-1], names[:, 0], names[:, -1]])
    background = int(np.bincount(border, minlength=len(COLOURS)).argmax())
    smallest = max(_SMALLEST_PIXELS, _SMALLEST_SHARE * height * width)
    found: list[Shape] = []
    for colour in range(len(COLOURS)):
        if colour == background:
            continue
        # Opening removes the thin rims that blurred edges leave in colours between a figure's and the background's.
        mask = cv2.morphologyEx((names == colour).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            if cv2.contourArea(contour) < smallest:
                continue
            left, top, wide, high = cv2.boundingRect(contour)
            x, y = (left + wide / 2) / width, (top + high / 2) / height
            found.append(Shape(COLOURS[colour], _kind(np.asarray(contour, np.int32)), round(x, 3), round(y, 3)))
    return Scene(COLOURS[background], tuple(sorted(found, key=lambda shape: (shape.x, shape.y))))


def _name_colours(pixels: Pixels) -> npt.NDArray[np.uint8]:
    hsv = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    names = np.full(hue.shape, _RED, np.uint8)
    for end, colour in reversed(_HUES):
        names[hue < end] = colour
    names[((names == _ORANGE) | (names == _RED)) & (hue < 22) & (value < 165) & (hue >= 4)] = _BROWN
    names[(names == _RED) & (saturation < 130) & (value > 180)] = _PINK
    names[saturation < 45] = _GREY
    names[(saturation < 45) & (value > 200)] = _WHITE
    names[value < 55] = _BLACK
    return names


def _kind(contour: npt.NDArray[np.int32]) -> str:
    # How much of the tightest rectangle, triangle and ellipse a figure fills tells them apart; corners would need
    # clean edges, which JPEG does not leave.
    area = cv2.contourArea(contour)
    hull = cv2.convexHull(contour)
    if area < 0.88 * cv2.contourArea(hull):
        return "shape"
    (_, _), (first, second), _ = cv2.minAreaRect(hull)
    long, short = max(first, second), max(1.0, min(first, second))
    even = long / short < 1.15
    triangle_area, _ = cv2.minEnclosingTriangle(hull)
    if area > 0.86 * triangle_area:
        return "triangle"
    filled = area / (long * short)
    if filled > 0.9:
        return "square" if even else "rectangle"
    if 0.72 < filled < 0.84:
        return "circle" if even else "ellipse"
    return "shape"
