"""A scene onto a decoded image, in place: OpenCV alone, no copy of the whole image."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from qwen3vl_common.navigation.states import State
from qwen3vl_vln.overlay.course import Course, Turn, course
from qwen3vl_vln.overlay.inset import draw_inset
from qwen3vl_vln.overlay.projection import NEAR_METRES, Floats, Projection
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.overlay.text import Paragraph, Pixels, Writer

Colour = tuple[int, int, int]
Points = npt.NDArray[np.int32]
COLOURS: dict[str, Colour] = {
    State.MOVING: (80, 175, 60),
    State.GOAL: (80, 175, 60),
    State.WAITING: (150, 110, 60),
    State.HOLD: (0, 130, 235),
    State.STALE: (170, 60, 150),
    State.ERROR: (40, 40, 215),
    State.STOPPED: (40, 40, 215),
}
"""Blue, green, red."""
PATH: Colour = (90, 230, 60)
PATH_FAR: Colour = (40, 150, 255)
TURN: Colour = (0, 215, 255)
HALF_WIDTH_METRES = 0.1
TURN_RADIUS_METRES = 0.25
_FURTHEST_PIXELS = 12_000
_WHITE: Colour = (255, 255, 255)
_FACE = cv2.FONT_HERSHEY_DUPLEX


def draw(image: Pixels, scene: Scene, writer: Writer) -> None:
    """Lay the scene over an image (height x width x 3, blue-green-red)."""
    height, width = image.shape[:2]
    unit = max(0.25, min(height / 480, width / 640))
    way = course(scene.rest)
    projection = Projection(scene.camera, width, height)
    _ribbon(image, way, projection)
    for turn in way.turns:
        if turn.x or turn.y:
            _turn_on_floor(image, turn, projection, unit)
        else:
            _turn_here(image, turn.angle, unit)
    _bottom(image, scene, writer, unit)
    draw_inset(image, way, unit)
    _top(image, scene, unit)


# The way -------------------------------------------------------------------------------------------------------------


def _ribbon(image: Pixels, way: Course, projection: Projection) -> None:
    """The way as a band on the floor, nearer parts green, with an arrow at its end."""
    if len(way.line) < 2:
        return
    steps = np.diff(way.line, axis=0)
    along = np.concatenate((steps[:1], (steps[1:] + steps[:-1]) / 2, steps[-1:]))
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = HALF_WIDTH_METRES * np.stack((-along[:, 1], along[:, 0]), axis=1)
    left, right = way.line + side, way.line - side
    quads = np.stack((left[:-1], left[1:], right[1:], right[:-1]), axis=1)
    polygons = [*_polygons(quads, projection), *_polygons(_arrow_head(way.line[-1], along[-1])[None], projection)]
    seen = [polygon for polygon in polygons if polygon is not None]
    if not seen:
        return
    window = _window(np.concatenate(seen), image)
    if window is None:
        return
    part = image[window]
    offset = np.array((window[1].start, window[0].start), np.int32)
    colours, mask = np.zeros_like(part), np.zeros(part.shape[:2], np.uint8)
    for number, polygon in enumerate(polygons):
        if polygon is not None:
            share = number / max(1, len(polygons) - 1)
            cv2.fillConvexPoly(colours, polygon - offset, _between(PATH, PATH_FAR, share))
            cv2.fillConvexPoly(mask, polygon - offset, 255)
    cv2.copyTo(cv2.addWeighted(part, 0.35, colours, 0.65, 0.0), mask, part)


def _arrow_head(tip: Floats, along: Floats) -> Floats:
    across = np.array((-along[1], along[0]))
    return np.array((tip + 2.2 * HALF_WIDTH_METRES * across, tip + 0.3 * along, tip - 2.2 * HALF_WIDTH_METRES * across))


def _polygons(shapes: Floats, projection: Projection) -> list[Points | None]:
    """Shapes on the floor (n x corners x 2) in the image; None for those that lie behind the camera.

    All that lie before it are projected at once: one by one would take most of the time of the whole overlay.
    """
    corners = shapes.shape[1]
    deep = np.asarray(projection.depths(shapes.reshape(-1, 2)).reshape(-1, corners) >= NEAR_METRES)
    whole, partly = np.all(deep, axis=1), np.any(deep, axis=1)
    pixels = iter(_points(projection.pixels(shapes[whole].reshape(-1, 2))).reshape(-1, corners, 2))
    found: list[Points | None] = []
    for number, shape in enumerate(shapes):
        if whole[number]:
            found.append(next(pixels))
        else:
            found.append(_points(projection.pixels(projection.clipped(shape))) if partly[number] else None)
    return found


def _points(pixels: Floats) -> Points:
    return np.rint(np.clip(pixels, -_FURTHEST_PIXELS, _FURTHEST_PIXELS)).astype(np.int32)


def _window(points: Points, image: Pixels) -> tuple[slice, slice] | None:
    """The part of the image that the points span."""
    height, width = image.shape[:2]
    x0, y0 = np.maximum(points.min(axis=0), 0)
    x1, y1 = np.minimum(points.max(axis=0) + 1, (width, height))
    return (slice(int(y0), int(y1)), slice(int(x0), int(x1))) if x0 < x1 and y0 < y1 else None


def _between(first: Colour, second: Colour, share: float) -> Colour:
    blue, green, red = (round(a + share * (b - a)) for a, b in zip(first, second, strict=True))
    return blue, green, red


# Turns ---------------------------------------------------------------------------------------------------------------


def _turn_on_floor(image: Pixels, turn: Turn, projection: Projection, unit: float) -> None:
    angles = turn.heading + np.linspace(0.0, turn.angle, 16)
    floor = np.array((turn.x, turn.y)) + TURN_RADIUS_METRES * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    visible = floor[projection.depths(floor) > TURN_RADIUS_METRES]
    if len(visible) >= 2:
        _arrow(image, projection.pixels(visible), unit)


def _turn_here(image: Pixels, angle: float, unit: float) -> None:
    """A turn where the robot stands: a circle around it, as if seen from behind and above, begun straight ahead."""
    height, width = image.shape[:2]
    shown = math.copysign(min(abs(angle), 2.6), angle)
    angles = np.linspace(0.0, shown, 20)
    columns = width / 2 - 0.2 * width * np.sin(angles)
    rows = 0.7 * height - 0.1 * height * np.cos(angles)
    _arrow(image, np.stack((columns, rows), axis=1), unit)


def _arrow(image: Pixels, pixels: Floats, unit: float) -> None:
    points = _points(pixels)
    thick = max(1, round(5 * unit))
    cv2.polylines(image, [points], False, (0, 0, 0), thick + 2, cv2.LINE_AA)
    cv2.polylines(image, [points], False, TURN, thick, cv2.LINE_AA)
    ahead = pixels[-1] - pixels[-2]
    length = float(np.linalg.norm(ahead))
    if length < 1e-6:
        return
    ahead = ahead / length * 16 * unit
    across = np.array((-ahead[1], ahead[0])) * 0.7
    head = np.clip(
        (pixels[-1] + across, pixels[-1] + 1.2 * ahead, pixels[-1] - across), -_FURTHEST_PIXELS, _FURTHEST_PIXELS
    )
    cv2.fillConvexPoly(image, np.rint(head).astype(np.int32), TURN, cv2.LINE_AA)


# Words ---------------------------------------------------------------------------------------------------------------


def _top(image: Pixels, scene: Scene, unit: float) -> None:
    """State and reason over the whole width, and a frame around the image unless the robot moves."""
    height, width = image.shape[:2]
    colour = COLOURS.get(scene.state, COLOURS[State.ERROR])
    band = max(4, round(28 * unit))
    moving = scene.state == State.MOVING
    image[:band] = (30, 30, 30) if moving else colour
    if moving:
        cv2.circle(image, (band // 2, band // 2), max(1, band // 4), colour, -1, cv2.LINE_AA)
    else:
        cv2.rectangle(image, (0, 0), (width - 1, height - 1), colour, max(1, round(8 * unit)))
    left = round(1.1 * band) if moving else round(0.5 * band)
    words = f"{scene.state if moving else scene.state.upper()}  {scene.reason}"
    _say(image, words, (left, band), 0.6 * unit)
    _say(image, scene.at, (width - round(118 * unit), band), 0.45 * unit)


def _say(image: Pixels, words: str, corner: tuple[int, int], scale: float) -> None:
    cv2.putText(image, words, (corner[0], round(corner[1] * 0.7)), _FACE, scale, _WHITE, 1, cv2.LINE_AA)


def _bottom(image: Pixels, scene: Scene, writer: Writer, unit: float) -> None:
    """Numbers, texts and progress at the lower edge."""
    height, width = image.shape[:2]
    margin, size = max(2, round(10 * unit)), max(6, round(16 * unit))
    paragraphs = (
        Paragraph(scene.instruction),
        Paragraph(scene.environment, (255, 225, 170)),
        Paragraph(scene.message, (150, 200, 255), lines=1),
    )
    words = tuple(paragraph for paragraph in paragraphs if paragraph.words)
    block = writer.block(words, max(size, width - 2 * margin - round(120 * unit)), size)
    line = max(6, round(22 * unit))
    top = max(0, height - margin - block.shape[0] - line)
    cv2.convertScaleAbs(image[top:], dst=image[top:], alpha=0.35)
    numbers = f"v {scene.v:.2f} m/s   w {scene.w:+.2f} rad/s   picture {scene.picture_age_seconds:.1f} s"
    if scene.plan_age_seconds is not None:
        numbers += f"   plan {scene.plan_age_seconds:.1f} s"
    cv2.putText(image, numbers, (margin, top + round(0.7 * line)), _FACE, 0.45 * unit, _WHITE, 1, cv2.LINE_AA)
    part = image[top + line : top + line + block.shape[0], margin : margin + block.shape[1]]
    if part.size:
        cv2.add(part, block[: part.shape[0], : part.shape[1]], dst=part)
    done = round(width * min(1.0, max(0.0, scene.progress)))
    image[height - max(1, round(5 * unit)) :, :done] = COLOURS[State.GOAL]
