"""The two sizes of a key frame: small enough for the context, never larger than the camera's."""

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from tests.support.images import decoded, jpeg

from qwen3vl_vln.worker.images import LARGE_PIXELS, SMALL_PIXELS, scaled, size_within, small_already
from qwen3vl_vln.worker.keyframes import CorruptImageError


@pytest.mark.parametrize(
    ("camera", "large", "small"),
    [
        ((1920, 1080), (640, 360), (320, 180)),
        ((1280, 720), (640, 360), (320, 180)),
        ((720, 1280), (360, 640), (180, 320)),
        ((640, 480), (640, 480), (320, 240)),
        ((641, 480), (640, 479), (320, 240)),
        ((320, 240), (320, 240), (320, 240)),
        ((100, 80), (100, 80), (100, 80)),
    ],
)
def test_a_picture_is_made_small_once_for_now_and_once_for_later(
    camera: tuple[int, int], large: tuple[int, int], small: tuple[int, int]
) -> None:
    pictures = scaled(jpeg(*camera))
    for picture, size in ((pictures.large, large), (pictures.small, small)):
        assert picture.size == size
        assert decoded(picture.jpeg).shape == (size[1], size[0], 3)


def test_what_is_small_enough_is_the_camera_s_own_picture() -> None:
    tiny, usual = jpeg(320, 240), jpeg(640, 480)
    assert scaled(tiny).large.jpeg is scaled(tiny).small.jpeg is tiny
    assert scaled(usual).large.jpeg is usual
    assert small_already(tiny) == scaled(tiny) and small_already(usual) is None


def test_a_small_picture_that_carries_much_else_is_made_anew() -> None:
    plain = jpeg(320, 240)
    comments = b"".join(b"\xff\xfe" + (60_002).to_bytes(2, "big") + bytes(60_000) for _ in range(30))
    loaded = plain[:2] + comments + plain[2:]
    assert small_already(loaded) is None
    pictures = scaled(loaded)
    assert pictures.large is pictures.small and pictures.small.size == (320, 240)
    assert len(pictures.small.jpeg) < 1.5 * 320 * 240 < len(loaded)
    assert cv2.norm(decoded(pictures.small.jpeg), decoded(plain), cv2.NORM_L1) / (320 * 240 * 3) < 10


def test_a_made_picture_shows_the_same_in_its_colours() -> None:
    pixels = np.zeros((1080, 1920, 3), np.uint8)
    pixels[:, :960] = (255, 0, 0)
    pixels[:540, 960:] = (0, 0, 255)
    pixels[540:, 960:] = (0, 255, 0)
    pictures = scaled(simplejpeg.encode_jpeg(pixels, colorspace="BGR"))
    for picture in (pictures.large, pictures.small):
        wanted = cv2.resize(pixels, picture.size, interpolation=cv2.INTER_AREA)
        assert cv2.norm(decoded(picture.jpeg), wanted, cv2.NORM_L1) / wanted.size < 3


@given(st.tuples(st.integers(1, 8000), st.integers(1, 8000)), st.sampled_from([SMALL_PIXELS, LARGE_PIXELS]))
def test_no_side_grows_or_is_longer_than_asked(size: tuple[int, int], longest: int) -> None:
    made = size_within(size, longest)
    assert min(made) >= 1 and max(made) <= longest
    assert made[0] <= size[0] and made[1] <= size[1]


def test_eight_earlier_pictures_take_less_room_than_one_of_the_camera() -> None:
    camera = jpeg(1920, 1080)
    assert 8 * len(scaled(camera).small.jpeg) < len(camera)


@pytest.mark.parametrize("data", [b"\xff\xd8\xff no picture", jpeg(640, 480)[:5000], jpeg(1000, 4)])
def test_what_cannot_be_shown_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptImageError):
        scaled(data)
