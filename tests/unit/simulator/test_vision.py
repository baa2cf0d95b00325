"""Generated pictures whose right answer is known, through JPEG and noise."""

import cv2
import numpy as np
import picture
import pytest
from picture import KINDS, Shape
from tests.support.images import decoded

from qwen3vl_server.simulator.answer import describe
from qwen3vl_server.simulator.pictures import decode, from_data_url
from qwen3vl_server.simulator.vision import COLOURS, Scene, look


def seen(data: bytes) -> Scene:
    return look(decode(from_data_url(picture.data_url(data), param="image")))


@pytest.mark.parametrize("background", ["white", "black", "grey", "blue"])
@pytest.mark.parametrize("colour", COLOURS)
def test_each_colour_on_several_backgrounds(colour: str, background: str) -> None:
    if colour == background:
        assert seen(picture.draw((), background=background)) == Scene(background, ())
        return
    scene = seen(picture.draw((Shape(colour, "square", 0.5, 0.4),), background=background))
    assert [(shape.colour, shape.kind) for shape in scene.shapes] == [(colour, "square")]
    assert scene.background == background


@pytest.mark.parametrize("quality", [30, 60, 95])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.06, 0.2, 0.5])
def test_each_kind_at_several_sizes_and_qualities(kind: str, size: float, quality: int) -> None:
    scene = seen(picture.draw((Shape("red", kind, 0.45, 0.4, size),), quality=quality))
    assert [(shape.colour, shape.kind) for shape in scene.shapes] == [("red", kind)]


@pytest.mark.parametrize(("width", "height"), [(224, 224), (640, 480), (1280, 720), (4000, 3000), (300, 1200)])
@pytest.mark.parametrize("seed", range(6))
def test_scattered_figures_are_counted(width: int, height: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    colours = [name for name in COLOURS if name != "white"]
    places = [((x + 0.5) / 3, (y + 0.5) / 3) for x in range(3) for y in range(3)]
    chosen = random.choice(9, size=int(random.integers(1, 10)), replace=False)
    shapes = tuple(
        Shape(str(random.choice(colours)), str(random.choice(KINDS)), x, y, size=0.2)
        for x, y in (places[place] for place in chosen)
    )
    scene = seen(picture.draw(shapes, width=width, height=height))
    assert sorted((s.colour, s.kind) for s in scene.shapes) == sorted((s.colour, s.kind) for s in shapes)


@pytest.mark.parametrize("seed", range(5))
def test_sensor_noise_does_not_add_figures(seed: int) -> None:
    clean = decoded(picture.draw())
    noise = np.random.default_rng(seed).normal(0, 12, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()
    assert sorted((s.colour, s.kind) for s in seen(data).shapes) == [
        ("blue", "square"),
        ("red", "circle"),
        ("red", "circle"),
    ]


def test_a_turned_square_is_a_square_and_a_figure_on_a_figure_counts() -> None:
    pixels = np.full((300, 300, 3), 255, np.uint8)
    cv2.fillPoly(pixels, [np.array([[150, 30], [270, 150], [150, 270], [30, 150]], np.int32)], (0, 0, 220))
    cv2.circle(pixels, (150, 150), 35, (220, 60, 30), -1)
    assert {(s.colour, s.kind) for s in look(pixels).shapes} == {("red", "square"), ("blue", "circle")}


def test_noise_alone_ends_and_is_described() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (512, 512, 3), np.uint8)
    assert describe(look(pixels)).startswith("I see ")


def test_the_places_are_shares_of_the_sides() -> None:
    scene = seen(picture.draw((Shape("green", "circle", 0.25, 0.75, 0.1),)))
    assert scene.shapes[0].x == pytest.approx(0.25, abs=0.02)
    assert scene.shapes[0].y == pytest.approx(0.75, abs=0.02)


def test_the_sentence_groups_and_counts() -> None:
    assert describe(seen(picture.draw())) == "I see 3 shapes: 2 red circles and 1 blue square on a white background."
    assert describe(Scene("orange", ())) == "I see no shapes, only an orange background."
