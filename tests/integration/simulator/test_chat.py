"""The engine as the official client sees it: text, pictures, streams, structured answers, limits and errors."""

import base64
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import orjson
import picture
import pydantic
import pytest
import pytest_asyncio
from openai.types.chat import ChatCompletionMessageParam

from qwen3vl_server.simulator.app import Settings

from .conftest import KEY, Running, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEADERS = {"authorization": f"Bearer {KEY}"}
SEEN = "I see 3 shapes: 2 red circles and 1 blue square on a white background."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def simulator() -> AsyncIterator[Running]:
    # One engine for all of this module: no request here may change how the next one is answered.
    async with serving(Settings("sim", key=KEY, first_token_millis=1, tokens_per_second=5000)) as running:
        yield running


def about(*urls: str, text: str = "What do you see?") -> list[ChatCompletionMessageParam]:
    images: list[Any] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": [*images, {"type": "text", "text": text}]}]


PICTURE = about(picture.data_url(picture.draw()))


async def test_a_picture_is_described_and_its_tokens_are_counted(simulator: Running) -> None:
    decoded = simulator.engine.stats.images_decoded
    answer = await simulator.client().chat.completions.create(model="sim", messages=PICTURE)
    assert answer.choices[0].message.content == SEEN
    assert answer.choices[0].finish_reason == "stop"
    text = await simulator.client().chat.completions.create(
        model="sim", messages=[{"role": "user", "content": "What do you see?"}]
    )
    assert answer.usage and text.usage
    assert answer.usage.prompt_tokens - text.usage.prompt_tokens == 300 + 2
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert simulator.engine.stats.images_decoded == decoded + 1


async def test_several_pictures_are_told_apart(simulator: Running) -> None:
    empty = picture.data_url(picture.draw((), background="green"))
    answer = await simulator.client().chat.completions.create(
        model="sim", messages=about(picture.data_url(picture.draw()), empty)
    )
    assert (
        answer.choices[0].message.content == f"Picture 1: {SEEN} Picture 2: I see no shapes, only a green background."
    )


async def test_a_stream_carries_the_same_text_then_usage(simulator: Running) -> None:
    stream = await simulator.client().chat.completions.create(
        model="sim", messages=PICTURE, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == SEEN
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].choices == [] and chunks[-1].usage and chunks[-1].usage.prompt_tokens > 302
    assert chunks[-1].usage.completion_tokens == len(chunks) - 2


async def test_a_stream_ends_with_done_and_has_no_usage_unless_asked(simulator: Running) -> None:
    body = {"model": "sim", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    async with httpx2.AsyncClient(headers=HEADERS) as client:
        response = await client.post(f"{simulator.url}/v1/chat/completions", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("data: [DONE]\n\n") and '"usage"' not in response.text


async def test_a_typed_answer(simulator: Running) -> None:
    class Answer(pydantic.BaseModel):
        count: int
        colors: list[str]
        background_color: str | None

    answer = await simulator.client().chat.completions.parse(model="sim", messages=PICTURE, response_format=Answer)
    assert answer.choices[0].message.parsed == Answer(count=3, colors=["red", "blue"], background_color="white")


async def test_json_object(simulator: Running) -> None:
    answer = await simulator.client().chat.completions.create(
        model="sim", messages=PICTURE, response_format={"type": "json_object"}
    )
    assert orjson.loads(answer.choices[0].message.content or "")["count"] == 3


async def test_max_tokens_cuts_and_says_so(simulator: Running) -> None:
    answer = await simulator.client().chat.completions.create(model="sim", messages=PICTURE, max_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage and answer.usage.completion_tokens == 3
    assert SEEN.startswith(answer.choices[0].message.content or "nothing")


async def test_stop_ends_before_it(simulator: Running) -> None:
    answer = await simulator.client().chat.completions.create(model="sim", messages=PICTURE, stop=[":"])
    assert answer.choices[0].message.content == "I see 3 shapes"


async def test_plain_completions_whole_and_streamed(simulator: Running) -> None:
    whole = await simulator.client().completions.create(model="sim", prompt="once upon", max_tokens=50)
    assert whole.choices[0].text.endswith("once upon")
    stream = await simulator.client().completions.create(model="sim", prompt="once upon", max_tokens=50, stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == whole.choices[0].text


async def test_models_health_and_metrics(simulator: Running) -> None:
    assert [model.id async for model in simulator.client().models.list()] == ["sim"]
    await simulator.client().chat.completions.create(model="sim", messages=PICTURE)
    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"{simulator.url}/health")).status_code == 200
        assert (await client.get(f"{simulator.url}/metrics")).status_code == 401
        metrics = (await client.get(f"{simulator.url}/metrics", headers=HEADERS)).text
    assert f"qwen3vl_simulator_images_decoded_total {simulator.engine.stats.images_decoded}.0" in metrics
    assert "qwen3vl_simulator_in_flight 0.0" in metrics


async def test_wrong_key_and_unknown_model(simulator: Running) -> None:
    with pytest.raises(openai.AuthenticationError, match="key"):
        await simulator.client("wrong").chat.completions.create(model="sim", messages=PICTURE)
    with pytest.raises(openai.NotFoundError, match="only 'sim'") as unknown:
        await simulator.client().chat.completions.create(model="other", messages=PICTURE)
    assert unknown.value.code == "model_not_found"


JPEG = picture.draw()
HUGE_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (10_000).to_bytes(4) * 2 + b"\x08\x02\0\0\0" + b"\0" * 8 + b"IEND"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/a.jpg", "data:"),
        ("file:///etc/passwd", "data:"),
        ("data:image/jpeg;base64,***", "base64"),
        ("data:image/jpeg;base64,", "known format"),
        (picture.data_url(b"this is no picture at all, only text"), "known format"),
        (picture.data_url(JPEG[: len(JPEG) // 2]), "truncated"),
        (picture.data_url(HUGE_PNG), "pixels"),
        (picture.data_url(JPEG[:2] + b"\xff\xc0\0\x0b\x08\0\x20\0\x20\x01\x01\x11\0" + b"\xff\xd9"), "decoded|format"),
        (picture.data_url(picture.draw((), width=4200, height=20)), "200 times"),
    ],
)
async def test_a_bad_picture_is_refused_by_name(
    simulator: Running, url: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as refused:
        await simulator.client().chat.completions.create(model="sim", messages=about(url))
    assert (refused.value.param or "").startswith("messages.0.content.0")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"[]", None),
        (b"\xff\xfe", None),
        (b"{}", "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.image_url"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages.0.content.0.text"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
    ],
)
async def test_a_bad_request_is_refused_by_field(
    simulator: Running, body: bytes | dict[str, Any], param: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"model": "sim", "messages": [{"role": "user", "content": "hello"}]}
    rejected = simulator.engine.stats.rejected
    content = body if isinstance(body, bytes) else orjson.dumps(good | body)
    async with httpx2.AsyncClient(headers=HEADERS) as client:
        response = await client.post(f"{simulator.url}/v1/chat/completions", content=content)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param
    assert response.json()["error"]["message"]
    assert simulator.engine.stats.rejected == rejected + 1
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_unsupported_schema_names_what_is_supported(simulator: Running) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}}
    with pytest.raises(openai.BadRequestError, match="format is not supported; supported are object") as refused:
        await simulator.client().chat.completions.create(
            model="sim",
            messages=PICTURE,
            response_format={"type": "json_schema", "json_schema": {"name": "day", "schema": schema}},
        )
    assert refused.value.param == "response_format.json_schema.schema.properties.day"


async def test_a_prompt_longer_than_the_context_is_refused(simulator: Running) -> None:
    decoded = simulator.engine.stats.images_decoded
    for text in ("word " * 9000, "x" * 5_000_000):
        with pytest.raises(openai.BadRequestError, match="8192") as refused:
            await simulator.client().chat.completions.create(model="sim", messages=[{"role": "user", "content": text}])
        assert refused.value.code == "context_length_exceeded"
    eleven_thousand_tokens = picture.data_url(picture.draw((), width=4000, height=3000))
    with pytest.raises(openai.BadRequestError, match="8192"):
        await simulator.client().chat.completions.create(model="sim", messages=about(eleven_thousand_tokens))
    assert simulator.engine.stats.images_decoded == decoded


async def test_the_answer_ends_where_the_context_does() -> None:
    async with serving(Settings("sim", first_token_millis=0, tokens_per_second=5000, context_length=30)) as running:
        answer = await running.client().chat.completions.create(
            model="sim", messages=[{"role": "user", "content": "one two three four five six"}]
        )
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage and answer.usage.total_tokens == 30


async def test_a_body_over_the_limit_and_unknown_paths() -> None:
    async with serving(Settings("sim", max_body_bytes=1000)) as running, httpx2.AsyncClient() as client:
        large = await client.post(f"{running.url}/v1/chat/completions", content=b"x" * 5000)
        absent = await client.get(f"{running.url}/v1/embeddings")
        method = await client.get(f"{running.url}/v1/chat/completions")
    assert [response.status_code for response in (large, absent, method)] == [413, 404, 405]
    assert all(response.json()["error"]["message"] for response in (large, absent, method))


async def test_base64_may_name_another_type_and_parameters(simulator: Running) -> None:
    url = "data:image/png;name=a.png;base64," + base64.b64encode(JPEG).decode()
    answer = await simulator.client().chat.completions.create(model="sim", messages=about(url))
    assert answer.choices[0].message.content == SEEN
