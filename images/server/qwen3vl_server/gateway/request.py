"""What the gateway must know of a request's body, and what it refuses. Pure; all else passes through untouched."""

from dataclasses import dataclass
from typing import Any

import orjson

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.image_tokens import image_tokens
from qwen3vl_common.media import picture_from_url

PARTS = frozenset({"text", "refusal", "image_url"})
"""Kinds of content parts that are handed on. Engines know more, and some of those make them read a file or a URL."""
MEDIA_KEYS = frozenset({"image_url", "video_url", "audio_url", "image", "video", "audio", "input_audio", "file"})
"""Engines also go by a part's keys: a picture must not hide in a part of another kind."""


@dataclass(frozen=True)
class Limits:
    """Limits of one request: pictures, and pixels of one picture."""

    max_image_pixels: int
    max_images: int


@dataclass(frozen=True)
class Summary:
    """What routing and accounting need of a request."""

    model: str
    stream: bool
    images: int
    image_tokens: int


def _object(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(parsed, dict):
        raise InvalidRequest("the body is a JSON object", code="invalid_json")
    return parsed


def _head(parsed: dict[str, Any]) -> tuple[str, bool]:
    model, stream = parsed.get("model"), parsed.get("stream")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("model is required: the name of a model, see /v1/models", param="model")
    if not (stream is None or isinstance(stream, bool)):
        raise InvalidRequest("stream is true or false", param="stream")
    return model, bool(stream)


def chat(body: bytes, limits: Limits) -> Summary:
    """Check a chat completion's body.

    Raises:
        InvalidRequest: what is wrong and where.
    """
    parsed = _object(body)
    model, stream = _head(parsed)
    messages = parsed.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("messages is a list of at least one message", param="messages")
    images = tokens = 0
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InvalidRequest("a message is an object with role and content", param=where)
        content = message.get("content")
        if content is None or isinstance(content, str):
            continue
        if not isinstance(content, list):
            raise InvalidRequest("content is a string or a list of parts", param=f"{where}.content")
        for part_number, part in enumerate(content):
            cost = _part(part, f"{where}.content[{part_number}]", limits)
            if cost is None:
                continue
            images, tokens = images + 1, tokens + cost
            if images > limits.max_images:
                raise InvalidRequest(
                    f"the request has more than {limits.max_images} pictures", param="messages", code="too_many_images"
                )
    return Summary(model, stream, images, tokens)


def _part(part: object, where: str, limits: Limits) -> int | None:
    """Tokens of a picture part; None for a part that is no picture."""
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise InvalidRequest("a content part is an object with a type", param=where)
    kind = part["type"]
    if kind not in PARTS or not MEDIA_KEYS.isdisjoint(part.keys() - {kind}):
        raise InvalidRequest(
            f"a part is one of {', '.join(sorted(PARTS))}, and nothing else beside it",
            param=where,
            code="unsupported_content",
        )
    if kind != "image_url":
        if not isinstance(part.get(kind), str):
            raise InvalidRequest(f"a {kind} part has a string in its field {kind}", param=f"{where}.{kind}")
        return None
    image_url = part.get("image_url")
    url = image_url.get("url") if isinstance(image_url, dict) else image_url
    picture = picture_from_url(url, param=f"{where}.image_url.url", max_pixels=limits.max_image_pixels)
    try:
        return image_tokens(picture.width, picture.height)
    except ValueError as error:
        raise InvalidRequest(str(error), param=where, code="invalid_image") from None


def completion(body: bytes, _limits: Limits) -> Summary:
    """Check a text completion's body.

    Raises:
        InvalidRequest: what is wrong and where.
    """
    parsed = _object(body)
    model, stream = _head(parsed)
    prompt = parsed.get("prompt")
    if not isinstance(prompt, str | list) or not prompt:
        raise InvalidRequest("prompt is a string or a list of strings", param="prompt")
    return Summary(model, stream, 0, 0)
