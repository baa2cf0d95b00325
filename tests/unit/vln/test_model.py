"""The worker's client of the model, over a real connection."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from qwen3vl_vln.worker.model_client import (
    LARGEST_ANSWER,
    ContextLengthError,
    ModelClient,
    ModelDeadlineError,
    ModelError,
)

Send = Callable[[bytes], Awaitable[None]]
TOO_LONG = "context_length_exceeded"
ANSWER = json.dumps({"choices": [{"message": {"content": "turn left"}, "finish_reason": "stop"}]}).encode()


@contextlib.asynccontextmanager
async def client_of(
    say: Callable[[Send], Awaitable[None]], status: int = 200, content_type: str = "application/octet-stream"
) -> AsyncIterator[ModelClient]:
    """A client of a model that says something in pieces."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"content-type": content_type})
        await response.prepare(request)
        await say(response.write)
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = ModelClient(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", None, timeout_seconds=0.3)
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


def saying(body: bytes) -> Callable[[Send], Awaitable[None]]:
    """One that says this."""

    async def say(send: Send) -> None:
        await send(body)

    return say


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_call_has_a_deadline(streamed: bool) -> None:
    """Counted from the question to the last word, however busy the connection is."""

    async def say(send: Send) -> None:
        while True:
            await send(b'data: {"choices": [{"delta": {"content": " "}}]}\n\n' if streamed else b" ")
            await asyncio.sleep(0.02)

    async with client_of(say) as client:
        began = asyncio.get_running_loop().time()
        with pytest.raises(ModelDeadlineError, match=r"0\.3 s"):
            await client.ask({}, (lambda text: None) if streamed else None)
        assert 0.29 <= asyncio.get_running_loop().time() - began < 2.0


async def test_an_answer_may_come_in_pieces() -> None:
    async def say(send: Send) -> None:
        for start in range(0, len(ANSWER), 30):
            await send(ANSWER[start : start + 30])
            await asyncio.sleep(0.01)

    async with client_of(say) as client:
        reply = await client.ask({})
        assert (reply.text, reply.finish_reason) == ("turn left", "stop")


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_without_end_is_given_up(streamed: bool) -> None:
    async def say(send: Send) -> None:
        for _ in range(2 * LARGEST_ANSWER // 65536):
            await send(b"data: " + b" " * 65536)

    async with client_of(say) as client:
        with pytest.raises(ModelError, match="too long"):
            await client.ask({}, (lambda text: None) if streamed else None)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        # LMDeploy and the simulator, then vLLM and SGLang as the gateway hands them on.
        (
            {"message": "Input length (9000) must be smaller than the model context length (8192).", "code": TOO_LONG},
            "8192",
        ),
        (
            {"message": "This model's maximum context length is 4096 tokens. However, ...", "code": "engine_refused"},
            "4096",
        ),
        (
            {"message": "The input (9 tokens) is longer than the model's context length (8 tokens).", "code": None},
            "8 tokens",
        ),
    ],
)
async def test_a_question_that_is_too_long_is_told_from_other_refusals(error: dict[str, str], says: str) -> None:
    async with client_of(saying(json.dumps({"error": error}).encode()), 400) as client:
        with pytest.raises(ContextLengthError, match=says):
            await client.ask({})
    event = b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    async with client_of(saying(event), content_type="text/event-stream") as client:
        with pytest.raises(ContextLengthError, match=says):
            await client.ask({}, lambda text: None)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, b'{"error": {"message": "no such picture", "code": "invalid_image"}}', "HTTP 400 invalid_image"),
        (503, b'{"error": {"message": "x", "code": "model_unavailable"}}', "HTTP 503 model_unavailable"),
        (400, b'{"error": {"message": null, "code": null}}', "HTTP 400 None"),
        (400, b'{"error": "what"}', "HTTP 400"),
        (502, b"<html>", "HTTP 502"),
    ],
)
async def test_other_refusals_are_failures(status: int, body: bytes, says: str) -> None:
    async with client_of(saying(body), status) as client:
        with pytest.raises(ModelError, match=f"^{says}$") as refused:
            await client.ask({})
        assert not isinstance(refused.value, ContextLengthError)


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [{"delta": "hi"}]},
        {"choices": [{"delta": ["hi"]}]},
        {"choices": [{"delta": {"content": [{"type": "text", "text": "hi"}]}}]},
        {"choices": ["hi"]},
        {"choices": "hi"},
        {"choices": {"delta": {"content": "hi"}}},
        {"choices": 1},
        ["choices"],
    ],
)
async def test_a_stream_of_another_shape_is_a_failure(event: object) -> None:
    said = b"data: " + json.dumps(event).encode() + b"\n\ndata: [DONE]\n\n"
    async with client_of(saying(said), content_type="text/event-stream") as client:
        with pytest.raises(ModelError, match="the stream is not a chat completion"):
            await client.ask({}, lambda text: None)


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [{"message": "hi"}]},
        {"choices": [{"message": {"content": ["hi"]}, "finish_reason": "stop"}]},
        {"choices": ["hi"]},
        {"choices": "hi"},
        {"choices": {}},
        ["choices"],
    ],
)
async def test_an_answer_of_another_shape_is_a_failure(answer: object) -> None:
    async with client_of(saying(json.dumps(answer).encode())) as client:
        with pytest.raises(ModelError, match="the answer is not a chat completion"):
            await client.ask({})


async def test_what_an_engine_leaves_empty_is_no_text() -> None:
    events: tuple[dict[str, object], ...] = (
        {"choices": [{"delta": {"role": "assistant", "content": None}, "finish_reason": None}]},
        {"choices": [{"delta": {"content": "turn left"}}]},
        {"choices": [{"delta": None, "finish_reason": "stop"}]},
        {"choices": []},
    )
    said = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    async with client_of(saying(said), content_type="text/event-stream") as client:
        reply = await client.ask({}, lambda text: None)
        assert (reply.text, reply.finish_reason) == ("turn left", "stop")
