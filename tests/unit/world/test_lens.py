"""Cameras that are mounted otherwise, other light, and somebody who walks without looking."""

import math

import numpy as np
import pytest

from qwen3vl_world.camera import HEIGHT, WIDTH, Camera
from qwen3vl_world.disc import Disc
from qwen3vl_world.lens import Lens
from qwen3vl_world.plan import Building, Crossing, Pose, room

HERE = Pose(2.0, 3.0, 0.0)
WALL_METRES = 4.0
"""Ahead of it."""


def rows_of_floor(lens: Lens) -> int:
    """How many rows of the middle column show the floor, which is darker than a wall."""
    pixels = Camera(Building(room(6.0, 6.0)), 1, lens=lens).pixels(HERE)
    bright = pixels[:, WIDTH // 2].mean(axis=1)
    return int((bright < bright[:20].mean() * 0.75).sum())


def expected_rows(lens: Lens) -> float:
    """From the foot of the wall ahead to the lower edge, by a pinhole."""
    focal = lens.focal_pixels(WIDTH)
    down = math.atan2(lens.height_metres, WALL_METRES) - math.radians(lens.pitch_degrees)
    return HEIGHT / 2 - focal * math.tan(down)


@pytest.mark.parametrize(
    "lens",
    [
        Lens(),
        Lens(height_metres=0.3),
        Lens(height_metres=0.9),
        Lens(pitch_degrees=10.0),
        Lens(pitch_degrees=-10.0),
        Lens(fov_degrees=70.0),
        Lens(height_metres=0.6, pitch_degrees=12.0, fov_degrees=110.0),
    ],
)
def test_the_foot_of_a_wall_is_where_a_pinhole_sees_it(lens: Lens) -> None:
    assert rows_of_floor(lens) == pytest.approx(expected_rows(lens), abs=8), "the skirting board is 3 cm high"


def test_light_is_what_is_brighter_and_what_colour_it_has() -> None:
    def mean(light: str) -> np.ndarray:
        camera = Camera(Building(room(6.0, 6.0)), 1, lens=Lens(light=light))
        return np.asarray(camera.pixels(HERE).reshape(-1, 3).mean(axis=0))

    white, dim, warm, cold = (mean(light) for light in ("white", "dim", "warm", "cold"))
    assert np.allclose(dim / white, 0.45, atol=0.02)
    assert warm[0] < 0.8 * white[0] and warm[2] > white[2], "less blue, more red"
    assert cold[2] < 0.85 * white[2] and cold[0] > white[0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"height_metres": 0.0}, "0.1 to 2.0 m"),
        ({"pitch_degrees": math.nan}, "-30 to 30"),
        ({"fov_degrees": 180.0}, "40 to 120"),
        ({"light": "green"}, "white, dim, bright, warm, cold"),
    ],
)
def test_a_camera_that_cannot_be_is_refused_with_what_would_be_right(wrong: dict[str, float | str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Lens(**wrong)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(("yields", "comes_near"), [(True, False), (False, True)])
def test_who_does_not_look_walks_into_a_standing_robot(yields: bool, comes_near: bool) -> None:
    disc = Disc(Crossing(0.0, 0.0, 4.0, 0.0, 0.4), yields=yields)
    nearest = math.inf
    for _ in range(2000):
        disc.tick(0.005, Pose(2.0, 0.0, 0.0))
        nearest = min(nearest, math.dist(disc.place, (2.0, 0.0)))
    assert (nearest < 0.05) == comes_near
