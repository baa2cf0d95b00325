"""What an engine may be sent, told a second time: by hand, from OpenAI's request and what engines have beside it."""

import json
import re
from collections.abc import Iterator
from typing import Any

SAMPLING = {
    *("model", "stream", "stream_options", "temperature", "top_p", "n", "stop", "seed", "logit_bias", "logprobs"),
    *("frequency_penalty", "presence_penalty", "max_tokens"),
    *("top_k", "min_p", "repetition_penalty", "stop_token_ids"),
}
CHAT = SAMPLING | {
    *("messages", "max_completion_tokens", "top_logprobs", "response_format", "tools", "tool_choice"),
    *("parallel_tool_calls", "reasoning_effort", "chat_template_kwargs"),
}
COMPLETION = SAMPLING | {"prompt", "echo"}
MESSAGE = {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"}
PART = {"text": {"type", "text"}, "image_url": {"type", "image_url"}}
FREE_FORM = {"parameters", "schema"}
"""JSON Schemas, which are handed on as they came."""
HEADERS = {
    *("host", "content-type", "content-length", "x-request-id", "accept", "accept-encoding", "user-agent"),
    *("connection", "authorization"),
}
SPECIAL_TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
    "<IMAGE_TOKEN>",
)
PICTURE = re.compile(
    r"data:image/(?:jpeg|png|webp|gif);base64,(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
)
BOUNDS = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "n": (1, 8),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "top_logprobs": (0, 20),
    "max_tokens": (1, 2**31),
    "max_completion_tokens": (1, 2**31),
    "seed": (-(2**63), 2**63 - 1),
}


def violations(headers: dict[str, str], body: bytes, *, secret: str) -> list[str]:
    """What is in an engine's request that must not be; `secret` is the client's key."""
    found = [f"header {name}" for name in headers if name.lower() not in HEADERS]
    if any(secret in value for value in headers.values()):
        found.append("the client's key")
    document = json.loads(body, object_pairs_hook=_Object)
    found += [f"a key twice in {place}" for place in _twice(document, "the body")]
    known = CHAT if "messages" in document else COMPLETION
    found += [f"field {name}" for name in document if name not in known]
    for name, (least, most) in BOUNDS.items():
        value = document.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            found.append(f"{name}: {value!r}")
    found += [f"special token {token}" for token in SPECIAL_TOKENS if token in json.dumps(document, ensure_ascii=False)]
    for message in document.get("messages", []):
        found += _of_message(message)
    return found


class _Object(dict[str, Any]):
    """A JSON object that remembers whether a key stood twice in it."""

    def __init__(self, items: list[tuple[str, Any]]) -> None:
        super().__init__(items)
        self.twice = len(self) < len(items)


def _twice(value: object, place: str) -> Iterator[str]:
    if isinstance(value, _Object):
        if value.twice:
            yield place
        for name, item in value.items():
            if name not in FREE_FORM:
                yield from _twice(item, f"{place}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _twice(item, f"{place}[{number}]")


def _of_message(message: dict[str, Any]) -> list[str]:
    found = [f"message's field {name}" for name in message if name not in MESSAGE]
    content = message.get("content")
    for part in content if isinstance(content, list) else []:
        allowed = PART.get(part.get("type"), set())
        found += [f"part's field {name} of {part.get('type')}" for name in part if name not in allowed]
        if part.get("type") == "image_url":
            url = part["image_url"]["url"] if isinstance(part["image_url"], dict) else part["image_url"]
            if not PICTURE.fullmatch(url):
                found.append(f"picture {url[:60]}")
    return found
