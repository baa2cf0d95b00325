"""The simulator takes every field that the table says it is handed."""

import asyncio
from typing import Any

import pytest
from tests.support.asking import TEXT, chat, completion, data_url, image, passed_on, picture

from qwen3vl_server.gateway.request import CHAT_PATH, COMPLETION_PATH
from qwen3vl_server.gateway.request.fields import CHAT, COMPLETION, SIMULATOR
from qwen3vl_server.simulator.protocol import ChatRequest, CompletionRequest, parse
from qwen3vl_server.simulator.serving import Model, Reply

MODEL = Model("m", 4_096)
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": {"type": "object"}}}
VALUES: dict[str, Any] = {
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 1,
    "top_p": 1,
    "stop": ["a", "b"],
    "seed": 7,
    "frequency_penalty": 0.5,
    "presence_penalty": -1,
    "logit_bias": {"5": 1},
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "max_tokens": 5,
    "max_completion_tokens": 5,
    "response_format": SCHEMA,
    "tools": [FUNCTION],
    "tool_choice": "none",
    "parallel_tool_calls": False,
    "chat_template_kwargs": {"enable_thinking": False},
    "prompt": ["once"],
}
NEEDS: dict[str, dict[str, Any]] = {
    "stream_options": {"stream": True},
    # Like an engine without a parser for calls, it takes tools that it need not call.
    "tools": {"tool_choice": "none"},
    "tool_choice": {"tools": [FUNCTION]},
    "parallel_tool_calls": {"tools": [FUNCTION], "tool_choice": "none"},
}


def answer(body: bytes, path: str = CHAT_PATH) -> Reply:
    sent = asyncio.run(passed_on(body, path, SIMULATOR)).body
    return (
        MODEL.chat(parse(sent, ChatRequest)) if path == CHAT_PATH else MODEL.completion(parse(sent, CompletionRequest))
    )


@pytest.mark.parametrize("name", [name for name, field in CHAT.items() if SIMULATOR in field.engines])
def test_a_field_of_a_chat(name: str) -> None:
    assert answer(chat(TEXT, **{name: VALUES[name]}, **NEEDS.get(name, {}))).text


@pytest.mark.parametrize("name", [name for name, field in COMPLETION.items() if SIMULATOR in field.engines])
def test_a_field_of_a_completion(name: str) -> None:
    assert answer(completion(**{name: VALUES[name]}, **NEEDS.get(name, {})), COMPLETION_PATH).text


def test_every_kind_of_message() -> None:
    picture_part = image(data_url(picture()))
    messages = [
        {"role": "developer", "content": "be short", "name": "boss"},
        {"role": "user", "content": [TEXT, picture_part]},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "a", "content": [picture_part]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "user", "content": ""},
    ]
    assert answer(chat(messages=messages)).images == 2
