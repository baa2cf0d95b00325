"""From a draft to the engine's body: every field checked for the engine at hand, and all of it written anew."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_server.gateway.request import special_tokens
from qwen3vl_server.gateway.request.decoding import decode
from qwen3vl_server.gateway.request.draft import Draft, read_skeleton
from qwen3vl_server.gateway.request.fields import TRANSFORMERS, Field
from qwen3vl_server.gateway.request.limits import SLICE_BYTES, Limits
from qwen3vl_server.gateway.request.messages import engine_messages
from qwen3vl_server.gateway.request.pictures import Pictures
from qwen3vl_server.gateway.request.values import tidy

_encode = msgspec.json.Encoder().encode
_TOKENS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What an engine is sent.

    Attributes:
        stream: whether the answer is a stream.
        images, image_tokens: pictures, and what the model spends on them.
    """

    body: bytes
    stream: bool
    images: int
    image_tokens: int


async def finish(draft: Draft, *, engine: str, model: str, context_length: int | None, limits: Limits) -> EngineRequest:
    """Check a request and write it anew for its engine. Gives the loop a turn after each MiB of work.

    Args:
        engine: its name; one that is not known gets what most of them take.
        model: the name that the engine is asked for.
        context_length: the longest context in tokens, where it is known.

    Raises:
        InvalidRequest: what is wrong and where.
    """
    large = len(draft.body) > SLICE_BYTES
    if large:
        await asyncio.sleep(0)
    document: dict[str, Any] = {"model": model}
    pictures = Pictures(draft.body, draft.runs, limits)
    if draft.messages is not None:
        document["messages"] = await engine_messages(draft.messages, pictures)
    if len(pictures.used) != len(draft.runs):
        # A string that looked like a picture is something else: nothing may be taken out of it.
        whole = read_skeleton(draft.path, draft.body, draft.body, ())
        return await finish(whole, engine=engine, model=model, context_length=context_length, limits=limits)
    if large:
        await asyncio.sleep(0)
    for name, value in _given(draft.values, engine):
        document[name] = value
    _check_together(draft, document, engine, context_length)
    written = _encode(document)
    if large:
        await asyncio.sleep(0)
    if not limits.special_tokens:
        special_tokens.check_written(written)
    stream = document.get("stream", False)
    return EngineRequest(_with_pictures(written, pictures), stream, len(pictures.found), pictures.tokens)


def _given(values: Iterable[tuple[str, Field, Raw]], engine: str) -> Iterable[tuple[str, object]]:
    """The fields that the engine is handed, checked."""
    for name, field, raw in values:
        size = len(memoryview(raw))
        if size > field.max_bytes:
            if not field.engines and field.neutral is not None:
                raise _unsupported(name, field, engine)
            raise InvalidRequest(f"{name} has {size} bytes; {field.max_bytes} are accepted", param=name)
        if field.decoder is None:
            continue
        value = decode(field.decoder, memoryview(raw), name)
        if not field.given_to(engine):
            if field.neutral is not None and value not in field.neutral:
                raise _unsupported(name, field, engine)
            continue
        if (value := tidy(value, name)) is not None:
            yield name, value


def _unsupported(name: str, field: Field, engine: str) -> InvalidRequest:
    lacking = f"the engine {engine} does not have" if field.engines else "no engine has"
    able = f"; {', '.join(sorted(field.engines))} have it" if field.engines else ""
    return InvalidRequest(
        f"{name} would change the answer, and {lacking} it{able}", param=name, code="unsupported_field"
    )


def _check_together(draft: Draft, document: dict[str, Any], engine: str, context_length: int | None) -> None:
    """What one field says of another."""
    if draft.messages is None and "prompt" not in document:
        raise InvalidRequest("prompt is a string or a list of strings", param="prompt")
    if not document.get("stream"):
        document.pop("stream_options", None)
    if "tool_choice" in document and "tools" not in document:
        if document["tool_choice"] not in ("none", "auto"):
            raise InvalidRequest("tool_choice asks for a tool, and there is none in tools", param="tool_choice")
        del document["tool_choice"]
    if "top_logprobs" in document and not document.get("logprobs"):
        if document["top_logprobs"]:
            raise InvalidRequest("top_logprobs needs logprobs: true", param="top_logprobs")
        del document["top_logprobs"]
    for name in _TOKENS:
        if context_length is not None and document.get(name, 0) > context_length:
            raise InvalidRequest(f"{name} is at most {context_length}, the context of this model in tokens", param=name)
    if "max_completion_tokens" in document:
        # The older name means the same; two values would be read differently by different engines.
        document.pop("max_tokens", None)
        if engine == TRANSFORMERS:
            document["max_tokens"] = document.pop("max_completion_tokens")


def _with_pictures(written: bytes, pictures: Pictures) -> bytes:
    """Put each picture in its place: one copy of its data, the only one."""
    if not pictures.found:
        return written
    first, *texts = written.split(b"\x00")
    pieces: list[bytes | bytearray | memoryview] = [first]
    for text, (head, data) in zip(texts, pictures.found, strict=True):
        pieces += (head, data, b'"', text)
    return b"".join(pieces)
