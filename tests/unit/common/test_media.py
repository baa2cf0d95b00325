"""Pictures are judged by their header, wherever in the data it stands."""

import base64
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.media import PREFIX_CHARACTERS, Picture, picture_from_url


def url_of(content: bytes) -> str:
    return "data:image/any;base64," + base64.b64encode(content).decode()


def encoded(kind: str, size: tuple[int, int] = (320, 200), **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(sink, kind, **options)
    return sink.getvalue()


def judged(content: bytes) -> Picture:
    return picture_from_url(url_of(content), param="p", max_pixels=1_000_000)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_kind_and_sides_are_read(kind: str) -> None:
    assert judged(encoded(kind)) == Picture(kind.lower(), 320, 200)


def test_a_jpeg_with_a_long_preview_before_its_size_is_read_to_there() -> None:
    content = encoded("JPEG", exif=b"Exif\x00\x00" + bytes(60_000))
    assert content.find(b"\xff\xc0") > PREFIX_CHARACTERS
    assert judged(content) == Picture("jpeg", 320, 200)


def test_too_many_pixels_are_refused_by_the_header() -> None:
    with pytest.raises(InvalidRequest, match="2000x1000 pixels; 1000000 are accepted"):
        judged(encoded("PNG", (2000, 1000))[:40])


SOUND = [encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")]


@given(st.integers(0, len(SOUND) - 1), st.integers(0, 1000), st.binary(max_size=40))
def test_any_damage_is_a_refusal_or_a_picture_and_never_another_error(number: int, cut: int, noise: bytes) -> None:
    try:
        found = judged(SOUND[number][:cut] + noise)
    except InvalidRequest as error:
        assert error.param == "p"
    else:
        assert found.width > 0 < found.height
