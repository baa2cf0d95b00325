"""Pictures are judged by their header, wherever in the data it stands, and never in two ways."""

import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from qwen3vl_common.media import MAX_SEGMENTS, InvalidPicture, Picture, picture


def encoded(kind: str, size: tuple[int, int] = (320, 200), **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(sink, kind, **options)
    return sink.getvalue()


def judged(content: bytes) -> Picture:
    return picture(lambda offset, count: content[offset : offset + count])


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width: int, height: int) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


PNG = b"\x89PNG\r\n\x1a\n"


def jpeg_size(width: int, height: int, marker: int = 0xC0) -> bytes:
    return struct.pack(">BBHBHHB", 0xFF, marker, 11, 8, height, width, 1) + b"\x01\x11\x00"


SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"exif": b"Exif\x00\x00" + bytes(60_000)}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\x00\x00" + bytes(10)}),
        ("GIF", {}),
        ("GIF", {"comment": b"c" * 5_000}),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (320, 200), (3, 1000), (1000, 3)])
def test_kind_and_sides_are_those_that_a_decoder_sees(
    kind: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    content = encoded(kind, size, **options)
    assert Image.open(io.BytesIO(content)).size == size
    assert judged(content) == Picture(kind.lower(), *size)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_an_animation_has_the_size_of_its_canvas(kind: str) -> None:
    sink = io.BytesIO()
    frames = [Image.new("RGB", (40, 30), (shade, 0, 0)) for shade in range(0, 200, 20)]
    frames[0].save(sink, kind, save_all=True, append_images=frames[1:])
    assert judged(sink.getvalue()) == Picture(kind.lower(), 40, 30)


BROKEN = {
    "nothing": b"",
    "text": b"hello, I am text",
    "a PDF": b"%PDF-1.7",
    "a TIFF": b"II*\x00" + bytes(30),
    "a BMP": b"BM" + bytes(60),
    "an AVIF": b"\x00\x00\x00\x20ftypavif" + bytes(30),
    "a HEIC": b"\x00\x00\x00\x20ftypheic" + bytes(30),
    "a JPEG cut in its header": encoded("JPEG")[:30],
    "a PNG cut in its header": encoded("PNG")[:12],
    "a GIF cut in its header": encoded("GIF")[:12],
    "a WebP cut in its header": encoded("WEBP")[:24],
    "a PNG without a header chunk": PNG + png_chunk(b"IDAT", b"") + png_header(1, 1),
    "a PNG with a longer header chunk": PNG + png_chunk(b"IHDR", bytes(14)),
    "a PNG with two sizes": PNG + png_header(64, 48) + png_header(30_000, 30_000) + png_chunk(b"IDAT", b""),
    "a PNG with two sizes apart": PNG + png_header(64, 48) + png_chunk(b"tEXt", bytes(5_000)) + png_header(1, 1),
    "a PNG without width": PNG + png_header(0, 48) + png_chunk(b"IDAT", b""),
    "a PNG of more than any decoder's width": PNG + png_header(1 << 31, 1) + png_chunk(b"IDAT", b""),
    "a JPEG with two sizes": b"\xff\xd8" + jpeg_size(64, 48) + jpeg_size(30_000, 30_000) + SCAN,
    "a JPEG with two sizes of two kinds": b"\xff\xd8" + jpeg_size(64, 48) + jpeg_size(30_000, 30_000, 0xC2) + SCAN,
    "a JPEG without a size": b"\xff\xd8" + SCAN,
    "a JPEG without height": b"\xff\xd8" + jpeg_size(64, 0) + SCAN,
    "a JPEG with bytes between segments": b"\xff\xd8" + b"\xff\xfe\x00\x02" + b"\x00" + jpeg_size(64, 48) + SCAN,
    "a JPEG of nothing but segments": b"\xff\xd8" + b"\xff\xfe\x00\x02" * MAX_SEGMENTS * 2 + jpeg_size(64, 48) + SCAN,
    "a GIF whose frame is larger than its canvas": b"GIF89a\x40\x00\x30\x00\x00\x00\x00"
    + b"\x2c\x00\x00\x00\x00\x30\x75\x30\x75\x00",
    "a GIF of nothing but comments": b"GIF89a\x40\x00\x30\x00\x00\x00\x00" + b"\x21\xfe\x00" * MAX_SEGMENTS * 2,
    "a GIF with an endless comment": b"GIF89a\x40\x00\x30\x00\x00\x00\x00\x21\xfe" + b"\x01a" * MAX_SEGMENTS * 2,
    "a WebP with another chunk first": b"RIFF\x00\x00\x00\x00WEBPEXIF" + bytes(30),
    "a lossy WebP without its start code": b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(30),
    "a lossless WebP without its signature": b"RIFF\x00\x00\x00\x00WEBPVP8L" + bytes(30),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_picture_or_two_is_refused(name: str) -> None:
    with pytest.raises(InvalidPicture, match=r"no picture|broken|two sizes|outside"):
        judged(BROKEN[name])


def test_few_bytes_are_asked_for_however_long_the_preview_is() -> None:
    content = encoded("JPEG", exif=b"Exif\x00\x00" + bytes(60_000))
    asked = 0

    def read(offset: int, count: int) -> bytes:
        nonlocal asked
        asked += count
        return content[offset : offset + count]

    assert picture(read) == Picture("jpeg", 320, 200)
    assert asked < 200


SOUND = [encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")]


def test_a_gif_of_a_million_pieces_is_not_searched_to_its_end() -> None:
    block = b"\x21\xfe" + b"\x01a" * (MAX_SEGMENTS - 1) + b"\x00"
    content = b"GIF89a\x10\x00\x10\x00\x00\x00\x00" + block * 500 + b"\x2c" + bytes(9)
    reads = 0

    def read(offset: int, count: int) -> bytes:
        nonlocal reads
        reads += 1
        return content[offset : offset + count]

    with pytest.raises(InvalidPicture):
        picture(read)
    assert reads < 3 * MAX_SEGMENTS


@settings(deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.integers(0, 1000), st.binary(max_size=40))
def test_any_damage_is_a_refusal_or_a_picture_and_never_another_error(number: int, cut: int, noise: bytes) -> None:
    try:
        found = judged(SOUND[number][:cut] + noise)
    except InvalidPicture as error:
        assert str(error)
    else:
        assert found.width > 0 < found.height


@settings(deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.integers(0, 700), st.binary(min_size=1, max_size=4))
def test_no_decoder_sees_more_pixels_than_the_header_told(number: int, place: int, noise: bytes) -> None:
    content = SOUND[number][:place] + noise + SOUND[number][place + len(noise) :]
    try:
        with Image.open(io.BytesIO(content)) as seen:
            size = seen.size
    except Exception:  # noqa: BLE001 - whatever it trips over, it sees no picture
        return
    try:
        found = judged(content)
    except InvalidPicture:
        return
    assert (found.width, found.height) == size
