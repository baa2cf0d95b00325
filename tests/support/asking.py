"""Bodies of requests, and what becomes of them."""

import asyncio
import base64
import io
import json
import struct
import zlib
from functools import cache
from typing import Any

import pytest
from PIL import Image

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_server.gateway.request import CHAT_PATH, EngineRequest, Limits, finish, read

LIMITS = Limits(max_image_pixels=33_554_432, max_images=16)
CONTEXT = 4_096
TEXT = {"type": "text", "text": "hi"}
PART = "messages[0].content[0]"
URL = f"{PART}.image_url.url"


async def passed_on(
    body: bytes | bytearray, path: str = CHAT_PATH, engine: str = "vllm", limits: Limits = LIMITS
) -> EngineRequest:
    return await finish(read(path, body), engine=engine, model="m", context_length=CONTEXT, limits=limits)


def written(body: bytes | bytearray, path: str = CHAT_PATH, engine: str = "vllm", limits: Limits = LIMITS) -> Any:
    """What the engine is sent, decoded."""
    return json.loads(asyncio.run(passed_on(body, path, engine, limits)).body)


def refusal(
    body: bytes | bytearray, path: str = CHAT_PATH, engine: str = "vllm", limits: Limits = LIMITS
) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        asyncio.run(passed_on(body, path, engine, limits))
    assert caught.value.status == 400
    assert 0 < len(str(caught.value)) < 500
    return caught.value


def chat(*parts: object, **changes: object) -> bytes:
    messages = [{"role": "user", "content": list(parts) or "hi"}]
    return json.dumps({"model": "m", "messages": messages, **changes}).encode()


def completion(**changes: object) -> bytes:
    return json.dumps({"model": "m", "prompt": "once", **changes}).encode()


def said(message: object) -> bytes:
    return json.dumps({"model": "m", "messages": [message]}).encode()


def image(url: object, **more: object) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url}, **more}


def data_url(content: bytes, head: str = "data:image/png;base64,") -> str:
    return head + base64.b64encode(content).decode()


@cache
def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.new(mode, size, 1).save(sink, kind, **options)
    return sink.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width: int, height: int) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def png_of(width: int, height: int) -> bytes:
    """A picture that ends with its header: enough to be judged."""
    return b"\x89PNG\r\n\x1a\n" + png_header(width, height)


def asking_path(path: str, **changes: object) -> bytes:
    """A chat or a completion, by its path."""
    return chat(TEXT, **changes) if path == CHAT_PATH else completion(**changes)
