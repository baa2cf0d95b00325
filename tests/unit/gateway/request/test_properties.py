"""Whatever passes is read by every parser in the same way, and passes again unchanged."""

import asyncio
import json
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.asking import LIMITS, chat, data_url, image, passed_on, picture

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_server.gateway.request import fields
from qwen3vl_server.gateway.request.fields import ENGINES

TEXT = st.text(max_size=20) | st.sampled_from(["<|im_", "end|>", "data:image/png;base64,AAAA", '"', "\\", "\x00"])
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
PICTURES = [data_url(picture(kind, (64, 48)), f"data:image/{kind};base64,") for kind in ("JPEG", "PNG", "GIF", "WEBP")]
PNG = data_url(picture())
PART = (
    st.builds(lambda text: {"type": "text", "text": text}, TEXT)
    | st.builds(lambda text: {"type": "refusal", "refusal": text}, TEXT)
    | st.builds(image, st.sampled_from(PICTURES))
)
CALL = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": TEXT, "arguments": TEXT | JSON.map(json.dumps)})},
    optional={"id": TEXT, "type": st.just("function"), "index": st.integers(0, 3)},
)
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system", "developer", "tool"]),
        "content": TEXT | st.lists(PART, min_size=1, max_size=4),
    },
    optional={
        "name": TEXT,
        "reasoning": TEXT,
        "refusal": st.none() | TEXT,
        "tool_calls": st.none() | st.lists(CALL, max_size=2),
        "tool_call_id": TEXT,
        "annotations": JSON,
    },
)
TOOL = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": st.text(min_size=1, max_size=9)},
            optional={
                "description": TEXT,
                "parameters": st.dictionaries(TEXT, JSON, max_size=3),
                "strict": st.booleans(),
            },
        ),
    }
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.integers(0, 2) | st.floats(0, 2),
        "top_p": st.floats(0.01, 1),
        "n": st.integers(1, 8),
        "seed": st.integers(-(1 << 63), (1 << 63) - 1),
        "stop": TEXT | st.lists(TEXT, max_size=3),
        "stream": st.booleans(),
        "stream_options": st.fixed_dictionaries({}, optional={"include_usage": st.booleans()}),
        "tools": st.lists(TOOL, max_size=2),
        "tool_choice": st.sampled_from(["none", "auto", "required"]),
        "logit_bias": st.dictionaries(st.integers(0, 99).map(str), st.integers(-100, 100), max_size=3),
        "response_format": st.builds(
            lambda schema: {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
            st.dictionaries(TEXT, JSON, max_size=3),
        ),
        "metadata": JSON,
        "user": TEXT,
    },
)


def known(document: dict[str, Any]) -> bool:
    """Whether the document holds nothing outside the tables."""
    if not set(document) <= set(fields.CHAT) | {"model", "messages"}:
        return False
    for message in document["messages"]:
        if not set(message) <= {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"}:
            return False
        for part in message["content"] if isinstance(message["content"], list) else ():
            if set(part) not in ({"type", "text"}, {"type", "image_url"}):
                return False
    return True


async def _check(body: bytes, engine: str) -> bool:
    try:
        answer = await passed_on(body, engine=engine)
    except InvalidRequest as error:
        assert error.status == 400
        assert len(str(error)) < 1_000
        return False
    document = json.loads(answer.body)
    assert orjson.loads(answer.body) == document
    assert document["model"] == "m"
    assert known(document)
    assert (await passed_on(answer.body, engine=engine)) == answer
    assert answer.images <= LIMITS.max_images
    return True


@settings(deadline=None)
@given(st.lists(MESSAGE, min_size=1, max_size=4), FIELDS, st.sampled_from([*sorted(ENGINES), "unknown"]), st.booleans())
def test_what_passes_is_read_in_one_way_and_passes_again(
    messages: list[Any], changes: dict[str, Any], engine: str, ascii_only: bool
) -> None:
    document = {"model": "x", "messages": messages, **changes}
    asyncio.run(_check(json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"), engine))


@settings(deadline=None)
@given(st.lists(st.builds(lambda text: {"type": "text", "text": text}, st.text(max_size=50)), min_size=1, max_size=4))
def test_texts_and_pictures_arrive_as_they_were_sent(parts: list[dict[str, str]]) -> None:
    content = [one for part in parts for one in (part, image(PNG))]
    answer = asyncio.run(passed_on(chat(*content)))
    assert json.loads(answer.body)["messages"][0]["content"] == content
    assert answer.images == len(parts)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*fields.CHAT, "messages", "model", "x"]), JSON, max_size=5))
def test_any_json_is_a_refusal_or_passes_and_never_another_error(document: dict[str, Any]) -> None:
    asyncio.run(_check(json.dumps(document).encode(), "vllm"))


@settings(deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_any_damage_is_a_refusal_or_passes_and_never_another_error(place: int, noise: bytes) -> None:
    body = chat({"type": "text", "text": "hi"}, image(PICTURES[0]), temperature=1, tools=[])
    place = place * len(body) // 400
    asyncio.run(_check(body[:place] + noise + body[place + len(noise) :], "vllm"))
