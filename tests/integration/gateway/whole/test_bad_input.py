"""What is wrong with a request is said with a 4xx that names the place; no engine sees it, no traceback is logged."""

import base64
import io
import json
import struct
import zlib
from collections.abc import AsyncIterator

import pytest
from PIL import Image
from tests.integration.gateway.whole.conftest import LIMIT, Running


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", size, "red").save(sink, kind)
    return sink.getvalue()


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def chat(*parts: object, **changes: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": list(parts)}], **changes}).encode()


def image(url: object) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url}}


TEXT = {"type": "text", "text": "hi"}
PART = "messages[0].content[0]"
URL = f"{PART}.image_url.url"

BAD = {
    "empty body": (b"", None, "invalid_json"),
    "not JSON": (b"{'model': 1}", None, "invalid_json"),
    "not UTF-8": (b'{"model": "\xff"}', None, "invalid_json"),
    "not an object": (b"[1, 2]", None, "invalid_json"),
    "NaN": (chat(TEXT, temperature=float("nan")), None, "invalid_json"),
    "deeply nested": (b'{"model": "m", "metadata": ' + b"[" * 100_000, None, "invalid_json"),
    "deeply nested, closed": (b'{"stop": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None, "invalid_json"),
    "deeply nested messages": (b'{"model": "m", "messages": ' + b"[" * 100_000, "messages[0]", "invalid_request"),
    "deeply nested, in a field that nobody knows": (b'{"a": ' + b"[" * 100_000, "a", "unknown_field"),
    "no model": (b'{"messages": []}', "model", "invalid_request"),
    "model is a number": (chat(TEXT, model=5), "model", "invalid_request"),
    "stream is a string": (chat(TEXT, stream="yes"), "stream", "invalid_request"),
    "stream is a number": (chat(TEXT, stream=1), "stream", "invalid_request"),
    "no messages": (b'{"model": "m"}', "messages", "invalid_request"),
    "empty messages": (b'{"model": "m", "messages": []}', "messages", "invalid_request"),
    "messages is a string": (chat(messages="hi"), "messages", "invalid_request"),
    "message is a string": (chat(messages=["hi"]), "messages[0]", "invalid_request"),
    "message without role": (chat(messages=[{"content": "hi"}]), "messages[0]", "invalid_request"),
    "content is a number": (chat(messages=[{"role": "user", "content": 5}]), "messages[0].content", "invalid_request"),
    "part is a string": (chat("hi"), PART, "invalid_request"),
    "part without type": (chat({"image_url": {"url": "file:///etc/passwd"}}), PART, "invalid_request"),
    "text part without text": (chat({"type": "text"}), f"{PART}.text", "invalid_request"),
    "video": (chat({"type": "video_url", "video_url": {"url": "x"}}), PART, "unsupported_content"),
    "a picture in a text part": (chat({**TEXT, "image_url": {"url": "file:///x"}}), PART, "unsupported_content"),
    "a file in a picture part": (
        chat({**image(data_url(picture())), "video_url": {"url": "file:///x"}}),
        PART,
        "unsupported_content",
    ),
    "unknown kind of part": (chat({"type": "image", "image": "file:///x"}), PART, "unsupported_content"),
    "picture without URL": (chat({"type": "image_url"}), URL, "invalid_request"),
    "URL is a number": (chat(image(5)), URL, "invalid_request"),
    "file URL": (chat(image("file:///etc/passwd")), URL, "unsupported_image_url"),
    "http URL": (chat(image("http://169.254.169.254/")), URL, "unsupported_image_url"),
    "bare path": (chat(image("/etc/passwd")), URL, "unsupported_image_url"),
    "data URL without base64": (chat(image("data:image/png,abc")), URL, "invalid_image"),
    "not base64": (chat(image("data:image/png;base64,@@@@")), URL, "invalid_image"),
    "not a picture": (chat(image(data_url(b"hello, I am text"))), URL, "invalid_image"),
    "text called JPEG": (chat(image(data_url(b"hello", "image/jpeg"))), URL, "invalid_image"),
    "a PDF": (chat(image(data_url(b"%PDF-1.7"))), URL, "invalid_image"),
    "JPEG cut in its header": (chat(image(data_url(picture("JPEG")[:30]))), URL, "invalid_image"),
    "PNG cut in its header": (chat(image(data_url(picture()[:12]))), URL, "invalid_image"),
    "100 megapixels": (chat(image(data_url(png_header(10_000, 10_000)))), URL, "image_too_large"),
    "a picture like a line": (chat(image(data_url(png_header(20_000, 2)))), PART, "invalid_image"),
    "too many pictures": (chat(*[image(data_url(picture()))] * 5), "messages", "too_many_images"),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input(running: Running, name: str, caplog: pytest.LogCaptureFixture) -> None:
    body, param, code = BAD[name]
    headers = {"content-type": "application/json"}
    async with running.http.post("/v1/chat/completions", data=body, headers=headers) as response:
        error = (await response.json())["error"]
        assert response.status == 400
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
    assert error["message"]
    assert running.engine.requests == []
    assert not any(record.exc_info or record.levelname in ("WARNING", "ERROR") for record in caplog.records)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_known_pictures_pass_untouched_and_are_counted(running: Running, kind: str) -> None:
    body = chat(TEXT, image(data_url(picture(kind, (640, 480)), f"image/{kind.lower()}")))
    async with running.http.post("/v1/chat/completions", data=body) as response:
        assert response.status == 200, await response.text()
    assert json.loads(running.engine.requests[0][1]) == json.loads(body)
    assert running.metric("image_tokens_total", model="m") == 300


async def test_a_text_completion_needs_a_prompt(running: Running) -> None:
    async with running.http.post("/v1/completions", json={"model": "m", "prompt": ""}) as response:
        assert (response.status, (await response.json())["error"]["param"]) == (400, "prompt")
    async with running.http.post("/v1/completions", json={"model": "m", "prompt": "once"}) as response:
        assert response.status == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_fifty_megabytes_get_an_answer_and_the_connection_lives_on(running: Running, chunked: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield bytes(1_000_000)

    body = chunks() if chunked else io.BytesIO(bytes(50_000_000))
    async with running.http.post("/v1/chat/completions", data=body) as response:
        error = (await response.json())["error"]
        assert (response.status, error["code"]) == (413, "request_too_large")
        assert str(LIMIT) in error["message"]
    async with running.http.post("/v1/chat/completions", data=chat(TEXT)) as response:
        assert response.status == 200


async def test_a_body_just_below_the_limit_reaches_the_engine_whole(running: Running) -> None:
    body = chat(image(data_url(png_header(64, 48) + b"\x7f\xff\xff\xffIDAT" + bytes((LIMIT - 240) // 4 * 3))))
    assert LIMIT - 200 < len(body) <= LIMIT
    async with running.http.post("/v1/chat/completions", data=io.BytesIO(body)) as response:
        assert response.status == 200, await response.text()
    assert json.loads(running.engine.requests[0][1]) == json.loads(body)
