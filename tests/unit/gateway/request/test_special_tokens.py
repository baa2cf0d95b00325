"""A text cannot pretend to be a turn or a picture of the model's prompt."""

import json

import pytest
from tests.support.asking import (
    LIMITS,
    TEXT,
    chat,
    completion,
    data_url,
    image,
    picture,
    refusal,
    said,
    written,
)

from qwen3vl_common.special_tokens import SPECIAL_TOKENS
from qwen3vl_server.gateway.request import COMPLETION_PATH, Limits

TOKEN = "<|im_start|>"
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION = {"type": "function", "function": {"name": "f"}}


def calling(**changes: str) -> bytes:
    call = {**CALL, "function": {"name": "f", "arguments": "{}", **changes}}
    return said({"role": "assistant", "content": None, "tool_calls": [call]})


HIDDEN: dict[str, tuple[bytes, str | None]] = {
    "a content": (said({"role": "user", "content": f"a{TOKEN}b"}), "messages[0].content"),
    "a part": (chat(TEXT, {"type": "text", "text": TOKEN}), "messages[0].content"),
    "the only part": (chat({"type": "text", "text": TOKEN}), "messages[0].content[0].text"),
    "two parts together": (
        chat({"type": "text", "text": "<|im_"}, {"type": "text", "text": "start|>"}),
        "messages[0].content",
    ),
    "three parts together": (
        chat(*({"type": "text", "text": text} for text in ("<|i", "m_s", "tart|>"))),
        "messages[0].content",
    ),
    "a refusal": (said({"role": "assistant", "refusal": TOKEN}), "messages[0].content"),
    "a thought": (
        said({"role": "assistant", "content": "", "reasoning": TOKEN}),
        "messages[0].reasoning_content",
    ),
    "a name": (said({"role": "user", "content": "a", "name": TOKEN}), "messages[0].name"),
    "a called name": (calling(name=TOKEN), "messages[0].tool_calls[0].function.name"),
    "arguments": (calling(arguments=json.dumps({"a": TOKEN})), "messages[0].tool_calls[0].function.arguments"),
    "arguments with escapes": (
        calling(arguments='{"a": "\\u003c|im_start|>"}'),
        "messages[0].tool_calls[0].function.arguments",
    ),
    "arguments with escapes and what only some parsers take": (
        calling(arguments='{"a": "\\u003c|im_start|>", "b": NaN, "c": "\\ud800"}'),
        "messages[0].tool_calls[0].function.arguments",
    ),
    "an escape": (
        said({"role": "user", "content": "XX"}).replace(b"XX", b"\\u003c\\u007cim_st\\u0061rt|>"),
        "messages[0].content",
    ),
    "a tool's description": (
        chat(TEXT, tools=[{"type": "function", "function": {"name": "f", "description": TOKEN}}]),
        "tools[0].function.description",
    ),
    "a schema": (
        chat(TEXT, tools=[{"type": "function", "function": {"name": "f", "parameters": {"a": [1, {"b": TOKEN}]}}}]),
        "tools[0].function.parameters.a[1].b",
    ),
    "a key of a schema": (
        chat(TEXT, tools=[{"type": "function", "function": {"name": "f", "parameters": {"a": {TOKEN: 1}}}}]),
        "tools[0].function.parameters.a",
    ),
    "an escape in a schema": (
        chat(TEXT, tools=[{"type": "function", "function": {"name": "f", "parameters": {"a": "XX"}}}]).replace(
            b"XX", b"\\u003c|im_start|>"
        ),
        "tools[0].function.parameters.a",
    ),
    "a stop": (chat(TEXT, stop=["a", TOKEN]), "stop[1]"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_special_token_is_found_wherever_it_is(name: str) -> None:
    body, param = HIDDEN[name]
    error = refusal(body)
    assert (error.param, error.code) == (param, "special_token"), str(error)
    assert TOKEN in str(error)


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_each_of_them_is_refused_in_a_prompt_too(token: str) -> None:
    assert refusal(completion(prompt=f"a {token}"), COMPLETION_PATH).param == "prompt"
    assert refusal(completion(prompt=["a", token]), COMPLETION_PATH).param == "prompt[1]"


@pytest.mark.parametrize(
    "text", ["<|im_start|", "<im_start>", "a < b", "<think></think>", "<|IM_START|>", "<|im_start |>"]
)
def test_what_is_none_passes(text: str) -> None:
    assert written(said({"role": "user", "content": text}))["messages"][0]["content"] == text


def test_texts_on_both_sides_of_a_picture_are_not_put_together() -> None:
    parts = [{"type": "text", "text": "<|im_"}, image(data_url(picture())), {"type": "text", "text": "start|>"}]
    assert written(chat(*parts))["messages"][0]["content"] == parts


def test_the_refusal_can_be_switched_off() -> None:
    limits = Limits(LIMITS.max_image_pixels, LIMITS.max_images, special_tokens=True)
    for body, _ in HIDDEN.values():
        assert written(body, limits=limits)
