"""Pictures reach an engine in one form, whole, or not at all."""

import asyncio
import base64
import io
import json
import struct

import pytest
from PIL import Image
from tests.support.asking import (
    LIMITS,
    PART,
    TEXT,
    URL,
    chat,
    data_url,
    image,
    passed_on,
    picture,
    png_chunk,
    png_header,
    png_of,
    refusal,
    said,
    written,
)

from qwen3vl_server.gateway.request import Limits

JPEG = picture("JPEG")
PNG_DATA = base64.b64encode(picture()).decode()
LONG = picture("PNG", (200, 200), "RGB", compress_level=0)
LONG_DATA = base64.b64encode(LONG).decode()


def jpeg_with_two_sizes() -> bytes:
    def size(width: int, height: int) -> bytes:
        return struct.pack(">BBHBHHB", 0xFF, 0xC0, 11, 8, height, width, 1) + b"\x01\x11\x00"

    return b"\xff\xd8" + size(64, 48) + size(30_000, 30_000) + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"


def png_with_two_sizes() -> bytes:
    return png_of(64, 48) + png_header(30_000, 30_000) + png_chunk(b"IDAT", b"")


def at(text: str, place: int, character: str) -> str:
    return text[:place] + character + text[place + 1 :]


HEAD = "data:image/png;base64,"
BAD: dict[str, tuple[bytes, str, str, str]] = {
    # body, param, code, a word that the message must have
    "http": (chat(image("http://169.254.169.254/")), URL, "unsupported_image_url", "'http'"),
    "https": (chat(image("https://example.com/a.jpg")), URL, "unsupported_image_url", "data:image/jpeg;base64"),
    "file": (chat(image("file:///etc/passwd")), URL, "unsupported_image_url", "'file'"),
    "a path": (chat(image("/etc/passwd")), URL, "unsupported_image_url", "no scheme"),
    "a space before": (chat(image(" " + HEAD + PNG_DATA)), URL, "unsupported_image_url", "data:image/jpeg;base64"),
    "nothing": (chat(image("")), URL, "unsupported_image_url", "data:image/jpeg;base64"),
    "bare base64": (chat(image(PNG_DATA)), URL, "unsupported_image_url", "data:image/jpeg;base64"),
    "no base64": (chat(image("data:image/png,abc")), URL, "invalid_image", "data:image/jpeg;base64"),
    "no media type": (chat(image(f"data:;base64,{PNG_DATA}")), URL, "invalid_image", "data:image/jpeg;base64"),
    "text/html": (chat(image(f"data:text/html;base64,{PNG_DATA}")), URL, "invalid_image", "data:image/jpeg;base64"),
    "octet-stream": (
        chat(image(f"data:application/octet-stream;base64,{PNG_DATA}")),
        URL,
        "invalid_image",
        "data:image/jpeg;base64",
    ),
    "a video": (chat(image(f"data:video/mp4;base64,{PNG_DATA}")), URL, "invalid_image", "data:image/jpeg;base64"),
    "a space after the comma": (chat(image(f"{HEAD} {PNG_DATA}")), URL, "invalid_image", "in one piece"),
    "line breaks": (chat(image(HEAD + PNG_DATA[:76] + "\n" + PNG_DATA[76:])), URL, "invalid_image", "in one piece"),
    "no data": (chat(image(HEAD)), URL, "invalid_image", "empty"),
    "padding alone": (chat(image(HEAD + "==")), URL, "invalid_image", "empty"),
    "not base64": (chat(image(HEAD + "@@@@")), URL, "invalid_image", "not base64"),
    "beyond ASCII": (chat(image(HEAD + "ééé=")), URL, "invalid_image", "not base64"),
    "the URL-safe alphabet": (chat(image(HEAD + at(LONG_DATA, 9_000, "_"))), URL, "invalid_image", "URL-safe"),
    "broken at the end": (chat(image(HEAD + at(LONG_DATA, len(LONG_DATA) - 9, "!"))), URL, "invalid_image", "base64"),
    "broken in the middle": (chat(image(HEAD + at(LONG_DATA, 60_000, "%"))), URL, "invalid_image", "base64"),
    "padding in the middle": (chat(image(HEAD + at(LONG_DATA, 60_000, "="))), URL, "invalid_image", "base64"),
    "a NUL in the middle": (chat(image(HEAD + at(LONG_DATA, 60_000, "\0"))), URL, "invalid_image", "base64"),
    "a quote in the middle": (chat(image(HEAD + at(LONG_DATA, 60_000, '"'))), URL, "invalid_image", "base64"),
    "no padding": (chat(image(data_url(png_of(1, 1) + b"a").rstrip("="))), URL, "invalid_image", "filled up with ="),
    "too much padding": (chat(image(data_url(png_of(1, 1)) + "=")), URL, "invalid_image", "filled up with ="),
    "cut off": (chat(image(HEAD + LONG_DATA[:-3])), URL, "invalid_image", "filled up with ="),
    "text": (chat(image(data_url(b"hello, I am text"))), URL, "invalid_image", "JPEG, PNG, WebP or GIF"),
    "text that is called JPEG": (
        chat(image(data_url(b"hello", "data:image/jpeg;base64,"))),
        URL,
        "invalid_image",
        "JPEG, PNG, WebP or GIF",
    ),
    "a TIFF": (chat(image(data_url(picture("TIFF")))), URL, "invalid_image", "JPEG, PNG, WebP or GIF"),
    "a BMP": (chat(image(data_url(picture("BMP")))), URL, "invalid_image", "JPEG, PNG, WebP or GIF"),
    "an AVIF": (chat(image(data_url(b"\0\0\0 ftypavif" + bytes(40)))), URL, "invalid_image", "JPEG, PNG, WebP or GIF"),
    "a HEIC": (chat(image(data_url(b"\0\0\0 ftypheic" + bytes(40)))), URL, "invalid_image", "JPEG, PNG, WebP or GIF"),
    "an SVG": (chat(image(data_url(b"<svg xmlns='x'/>"))), URL, "invalid_image", "JPEG, PNG, WebP or GIF"),
    "a JPEG cut in its header": (chat(image(data_url(JPEG[:30]))), URL, "invalid_image", "broken"),
    "a PNG cut in its header": (chat(image(data_url(picture()[:12]))), URL, "invalid_image", "broken"),
    "a JPEG with two sizes": (chat(image(data_url(jpeg_with_two_sizes()))), URL, "invalid_image", "two sizes"),
    "a PNG with two sizes": (chat(image(data_url(png_with_two_sizes()))), URL, "invalid_image", "two sizes"),
    "100 megapixels": (chat(image(data_url(png_of(10_000, 10_000)))), URL, "image_too_large", "10000x10000"),
    "a picture like a line": (chat(image(data_url(png_of(1, 65_535)))), PART, "invalid_image", "200 times"),
    "17 pictures": (chat(*[image(data_url(picture()))] * 17), "messages", "too_many_images", "16 pictures"),
    "16 pictures of 33 megapixels": (
        chat(*[image(data_url(png_of(8_192, 4_096)))] * 16),
        "messages",
        "too_many_pixels",
        "together",
    ),
    "no URL": (chat({"type": "image_url"}), URL, "invalid_request", "URL"),
    "an empty image_url": (
        chat({"type": "image_url", "image_url": {}}),
        f"{PART}.image_url",
        "invalid_request",
        "lacks its field url",
    ),
    "a number": (chat(image(5)), URL, "invalid_request", "is a string"),
    "a list": (chat(image([HEAD + PNG_DATA])), URL, "invalid_request", "is a string"),
    "an unknown key beside the URL": (
        chat({"type": "image_url", "image_url": {"url": HEAD + PNG_DATA, "max_dynamic_patch": 9}}),
        f"{PART}.image_url.max_dynamic_patch",
        "unknown_field",
        "max_dynamic_patch",
    ),
    "input_image": (chat({"type": "input_image", "image_url": HEAD}), PART, "unsupported_content", '"image_url"'),
    "input_text": (chat({"type": "input_text", "text": "hi"}), PART, "unsupported_content", '"text"'),
    "image": (chat({"type": "image", "image": "file:///x"}), PART, "unsupported_content", "image_url"),
    "video_url": (chat({"type": "video_url", "video_url": {"url": "x"}}), PART, "unsupported_content", "image_url"),
    "input_audio": (
        chat({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        PART,
        "unsupported_content",
        "hears nothing",
    ),
    "a file": (chat({"type": "file", "file": {"file_data": "x"}}), PART, "unsupported_content", "files"),
    "a kind that nobody knows": (chat({"type": "smell"}), PART, "unsupported_content", "image_url, refusal, text"),
    "a picture in a text part": (
        chat({**TEXT, "image_url": {"url": "file:///x"}}),
        PART,
        "unsupported_content",
        "nothing else",
    ),
    "a video in a picture part": (
        chat({**image(HEAD + PNG_DATA), "video_url": {"url": "file:///x"}}),
        PART,
        "unsupported_content",
        "nothing else",
    ),
    "a video in a text part": (chat({**TEXT, "video": "file:///x"}), PART, "unsupported_content", "nothing else"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_refused_and_what_would_be_right_is_said(name: str) -> None:
    body, param, code, word = BAD[name]
    error = refusal(body)
    assert (error.param, error.code) == (param, code), str(error)
    assert word in str(error)


def url_written(url: str, **more: object) -> str:
    found = written(chat(image(url, **more)))["messages"][0]["content"]
    assert found == [image(found[0]["image_url"]["url"])], "nothing but the URL is left"
    return str(found[0]["image_url"]["url"])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_every_kind_passes_whole(kind: str) -> None:
    url = data_url(picture(kind, (640, 480)), f"data:image/{kind.lower()};base64,")
    assert url_written(url) == url
    answer = asyncio.run(passed_on(chat(image(url))))
    assert (answer.images, answer.image_tokens) == (1, 300)


@pytest.mark.parametrize(
    ("kind", "options", "mode"),
    [("JPEG", {"progressive": True}, "RGB"), ("PNG", {}, "I;16"), ("PNG", {}, "1"), ("PNG", {}, "P")],
)
def test_less_usual_forms_of_a_kind_pass(kind: str, options: dict[str, bool], mode: str) -> None:
    url = data_url(picture(kind, (64, 48), mode, **options), f"data:image/{kind.lower()};base64,")
    assert url_written(url) == url


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5_700, 5_700), (65_535, 512)])
def test_a_very_small_and_a_very_large_picture_pass(width: int, height: int) -> None:
    url = data_url(png_of(width, height))
    assert url_written(url) == url


@pytest.mark.parametrize(
    "head",
    [
        "data:image/jpeg;base64,",
        "data:image/jpg;base64,",
        "DATA:IMAGE/PNG;BASE64,",
        "data:image/png;charset=utf-8;base64,",
        "data:image/*;base64,",
        "data:image/svg+xml;name=a.svg;base64,",
    ],
)
def test_another_head_is_written_anew_with_the_kind_that_the_data_has(head: str) -> None:
    assert url_written(head + PNG_DATA) == HEAD + PNG_DATA


def test_slashes_may_be_escaped_in_the_whole_url() -> None:
    data = base64.b64encode(picture("JPEG", (640, 480), quality=90)).decode()
    assert "/" in data
    body = chat(image("data:image/jpeg;base64," + data)).replace(b"/", b"\\/")
    assert written(body)["messages"][0]["content"][0] == image("data:image/jpeg;base64," + data)


def test_any_character_of_a_url_may_be_escaped() -> None:
    escaped = "".join(f"\\u{ord(character):04x}" for character in HEAD + PNG_DATA)
    body = chat(image("URL")).replace(b"URL", escaped.encode())
    assert written(body)["messages"][0]["content"][0] == image(HEAD + PNG_DATA)


def test_the_url_may_stand_without_an_object_and_with_a_detail() -> None:
    url = data_url(picture())
    assert written(chat({"type": "image_url", "image_url": url}))["messages"][0]["content"] == [image(url)]
    detailed = {
        "type": "image_url",
        "image_url": {"url": url, "detail": "high"},
        "cache_control": {"type": "ephemeral"},
    }
    assert written(chat(detailed))["messages"][0]["content"] == [image(url)]


def test_a_long_preview_before_the_size_is_read_over() -> None:
    content = picture("JPEG", (320, 200), exif=b"Exif\x00\x00" + bytes(60_000))
    url = data_url(content, "data:image/jpeg;base64,")
    assert url_written(url) == url
    assert written(chat(image(url)).replace(b"/", b"\\/"))["messages"][0]["content"] == [image(url)]


def test_a_picture_may_be_in_a_tools_answer() -> None:
    url = data_url(picture())
    message = {"role": "tool", "tool_call_id": "a", "content": [image(url)]}
    assert written(said(message))["messages"] == [message]


def test_many_pictures_keep_their_order() -> None:
    pictures = [image(data_url(picture("PNG", (40 + number, 40)))) for number in range(16)]
    content = [part for one in pictures for part in (TEXT, one)]
    assert written(chat(*content))["messages"][0]["content"] == content


def test_a_body_may_be_a_bytearray() -> None:
    body = chat(TEXT, image(data_url(LONG)), image(data_url(picture())))
    assert written(bytearray(body)) == written(body) == json.loads(body)


TEXTS_LIKE_PICTURES = {
    "a text that is a data URL": {"type": "text", "text": HEAD + PNG_DATA},
    "a text that ends with one": {"type": "text", "text": "see " + HEAD + PNG_DATA},
    "a text that goes on after one": {"type": "text", "text": HEAD + "AAAA and then <b>"},
    "a text with a quote before one": {"type": "text", "text": '"' + HEAD + "AAAA" + '"'},
    "a text with a backslash at its end": {"type": "text", "text": HEAD + "AAAA\\"},
    "a text with many marks": {"type": "text", "text": ";base64," * 5_000},
}


@pytest.mark.parametrize("name", TEXTS_LIKE_PICTURES)
def test_a_text_that_looks_like_a_picture_stays_a_text(name: str) -> None:
    part = TEXTS_LIKE_PICTURES[name]
    body = chat(part, image(data_url(picture())), TEXT)
    assert written(body) == json.loads(body)


def test_a_picture_that_an_equal_key_hides_is_nowhere() -> None:
    good, hidden = data_url(picture()), HEAD + "@@@@"
    body = chat(image(good)).replace(b'"url"', b'"url":"' + hidden.encode() + b'","url"', 1)
    assert written(body) == json.loads(chat(image(good)))


def test_a_control_character_in_what_is_hidden_is_still_no_json() -> None:
    body = chat(image(data_url(picture()))).replace(b'"url"', b'"url":"data:;base64,a\x01","url"', 1)
    assert refusal(body).code == "invalid_json"


def test_the_place_of_a_bad_picture_among_good_ones_is_told() -> None:
    good = image(data_url(picture()))
    messages = [{"role": "user", "content": [good]}, {"role": "user", "content": [TEXT, good, image(HEAD + "@@@@")]}]
    assert refusal(chat(messages=messages)).param == "messages[1].content[2].image_url.url"


def test_sums_and_counts_are_limits_of_the_request() -> None:
    two = chat(image(data_url(png_of(100, 100))), image(data_url(png_of(100, 100))))
    assert refusal(two, limits=Limits(33_554_432, 1)).code == "too_many_images"
    assert refusal(two, limits=Limits(33_554_432, 2, 19_999)).code == "too_many_pixels"
    assert asyncio.run(passed_on(two, limits=Limits(33_554_432, 2, 20_000))).images == 2
    assert LIMITS.max_total_pixels == 4 * LIMITS.max_image_pixels


def test_an_animation_passes_with_the_size_of_its_canvas() -> None:
    frames = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in range(100)]
    sink = io.BytesIO()
    frames[0].save(sink, "WEBP", save_all=True, append_images=frames[1:])
    url = data_url(sink.getvalue(), "data:image/webp;base64,")
    assert url_written(url) == url
