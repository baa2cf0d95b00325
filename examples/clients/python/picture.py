"""Draws coloured shapes to JPEG: pictures whose right answer is known, for the examples and the tests."""

import argparse
import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = {
    "black": (20, 20, 20),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "orange": (250, 140, 20),
    "yellow": (245, 220, 30),
    "green": (40, 160, 60),
    "cyan": (30, 200, 210),
    "blue": (40, 70, 210),
    "purple": (130, 50, 190),
    "pink": (250, 90, 180),
    "brown": (130, 75, 30),
}
KINDS = ("circle", "ellipse", "square", "rectangle", "triangle")


@dataclass(frozen=True)
class Shape:
    """A figure: colour and kind by name, centre as shares (0 to 1) of width and height, size of the shorter side."""

    colour: str
    kind: str
    x: float
    y: float
    size: float = 0.25


EXAMPLE = (
    Shape("red", "circle", 0.2, 0.25),
    Shape("red", "circle", 0.75, 0.22),
    Shape("blue", "square", 0.5, 0.55),
)


def draw(
    shapes: tuple[Shape, ...] = EXAMPLE,
    *,
    width: int = 640,
    height: int = 480,
    background: str = "white",
    quality: int = 90,
) -> bytes:
    """The picture as JPEG bytes, width x height pixels."""
    image = Image.new("RGB", (width, height), COLOURS[background])
    pencil = ImageDraw.Draw(image)
    for shape in shapes:
        x, y, half = shape.x * width, shape.y * height, shape.size * min(width, height) / 2
        colour = COLOURS[shape.colour]
        box, flat = (x - half, y - half, x + half, y + half), (x - half, y - half / 2, x + half, y + half / 2)
        match shape.kind:
            case "circle":
                pencil.ellipse(box, fill=colour)
            case "ellipse":
                pencil.ellipse(flat, fill=colour)
            case "square":
                pencil.rectangle(box, fill=colour)
            case "rectangle":
                pencil.rectangle(flat, fill=colour)
            case "triangle":
                pencil.polygon([(x, y - half), (x - half, y + half), (x + half, y + half)], fill=colour)
            case other:
                raise ValueError(f"cannot draw a {other}; known: {', '.join(KINDS)}")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def data_url(picture: bytes, media_type: str = "image/jpeg") -> str:
    """The picture as an OpenAI image URL."""
    return f"data:{media_type};base64,{base64.b64encode(picture).decode()}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the example picture to a file.")
    parser.add_argument("file", type=Path)
    parser.parse_args().file.write_bytes(draw())
