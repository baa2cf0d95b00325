"""What a client gets when all goes well and each documented error when it does not; afterwards nothing is left over."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import openai
import pytest
from tests.integration.gateway.whole.conftest import KEY, SECRET, Running
from tests.support.stub_engine import STREAM
from yarl import URL

from qwen3vl_common.keys import derive

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


async def test_the_official_client_gets_the_engines_answer_and_the_engine_its_own_key(running: Running) -> None:
    answer = await running.openai().chat.completions.create(**ASK, extra_body={"top_k": 20})
    assert answer.choices[0].message.content == "hello"
    headers, body = running.engine.requests[0]
    assert headers["Authorization"] == f"Bearer {derive(SECRET, 'engine', 'models', 'model-m')}"
    assert json.loads(body)["top_k"] == 20
    await running.quiet()
    assert running.metric("requests_total", model="m", code="200") == 1


async def test_a_stream_passes_byte_for_byte(running: Running) -> None:
    async with running.http.post("/v1/chat/completions", json={**ASK, "stream": True}) as response:
        assert response.content_type == "text/event-stream"
        assert await response.read() == STREAM
    words = [chunk async for chunk in await running.openai().chat.completions.create(**ASK, stream=True)]
    assert "".join(word.choices[0].delta.content for word in words) == "one two three"
    await running.quiet()


async def test_models_are_listed_with_their_context_and_replicas(running: Running) -> None:
    listed = (await running.openai().models.list()).data
    assert [(one.id, one.owned_by, one.created, (one.model_extra or {})["max_model_len"]) for one in listed] == [
        ("m", "models/model-m", 1_700_000_000, 4096)
    ]
    assert (await running.openai().models.retrieve("m")).id == "m"
    with pytest.raises(openai.NotFoundError):
        await running.openai().models.retrieve("other")


async def test_a_model_whose_name_has_a_slash_is_found_however_a_client_writes_it(running: Running) -> None:
    name = "Qwen/Qwen3-VL"
    running.gateway.directory.routes = {name: replace(running.gateway.directory.routes["m"], served_name=name)}
    for path in ("Qwen%2FQwen3-VL", "Qwen/Qwen3-VL"):
        async with running.http.get(URL(f"/v1/models/{path}", encoded=True)) as response:
            assert (response.status, (await response.json())["id"]) == (200, name)


async def test_a_long_body_where_no_engine_answers_is_told_of_its_path(running: Running) -> None:
    async with running.http.post("/v1/responses", data=b"x" * 100_000) as response:
        assert response.status == 413
        assert "no engine answers at /v1/responses" in (await response.json())["error"]["message"]


async def test_a_wrong_key_is_refused_before_anything_else(running: Running) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        await running.openai("wrong").chat.completions.create(**ASK)
    assert caught.value.code == "invalid_api_key"
    for headers in ({"authorization": ""}, {"authorization": "Basic abc"}):
        for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/v1/models/m")):
            async with running.http.request(method, path, headers=headers) as response:
                assert response.status == 401
                assert response.headers["www-authenticate"] == "Bearer"
                assert (await response.json())["error"]["code"] == "invalid_api_key"
    assert running.engine.requests == []
    assert running.metric("requests_total", model="unknown", code="401") == 3


async def test_every_answer_carries_the_requests_id(running: Running) -> None:
    for body, key in (
        (ASK, KEY),
        ({**ASK, "stream": True}, KEY),
        ({}, KEY),
        ({**ASK, "model": "other"}, KEY),
        (ASK, ""),
    ):
        for given in ("mine-1", "", "x" * 101):
            headers = {"x-request-id": given, "authorization": f"Bearer {key}"}
            async with running.http.post("/v1/chat/completions", json=body, headers=headers) as response:
                told = response.headers["x-request-id"]
                assert told == given if given == "mine-1" else len(told) == 32 and told != given


async def test_a_mistake_of_the_gateway_is_an_answer_and_a_line_in_its_log(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    # Routes that cannot be: while the request is checked, and while it is handed on.
    for change in ({"context_length": "long"}, {"context_length": None, "endpoints": (5,)}):
        running.route(**change)
        async with running.http.post("/v1/chat/completions", json={**ASK, "max_tokens": 2}) as response:
            assert response.status == 500, change
            assert (await response.json())["error"]["code"] == "internal_error"
    assert sum("failed in the gateway" in record.message for record in caplog.records) == 2
    await running.quiet()


async def test_an_unknown_model_names_the_known_ones(running: Running) -> None:
    with pytest.raises(openai.NotFoundError, match="known models: m") as caught:
        await running.openai().chat.completions.create(**{**ASK, "model": "other"})
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


FAILURES = [
    # mode of the engine, status, code, words that must not reach the client
    ("status:500 Traceback secret-path", 502, "engine_error", "secret-path"),
    ("status:504 nginx", 502, "engine_error", "nginx"),
    ("status:401 bad key", 502, "engine_error", "bad key"),
    ("status:307 moved", 502, "engine_error", "moved"),
    ("status:503 overloaded", 503, "model_unavailable", "overloaded"),
    ("hang", 504, "engine_timeout", None),
    ("close", 502, "engine_error", None),
    ("half-json", 502, "engine_error", None),
]


@pytest.mark.parametrize(("mode", "status", "code", "hidden"), FAILURES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_failing_engine(running: Running, mode: str, status: int, code: str, hidden: str, stream: bool) -> None:
    running.engine.mode = mode
    async with running.http.post("/v1/chat/completions", json={**ASK, "stream": stream}) as response:
        text = await response.text()
        assert response.status == status, text
        assert ("retry-after" in response.headers) == (status == 503)
    error = json.loads(text)["error"]
    assert (error["code"], error["type"], error["param"]) == (code, "server_error", None)
    assert hidden is None or hidden not in text
    await running.quiet()
    assert running.metric("requests_total", model="m", code=str(status)) == 1
    running.engine.mode = "answer"
    assert (await running.openai().chat.completions.create(**ASK)).choices[0].message.content == "hello"


@pytest.mark.parametrize(
    ("text", "message", "param", "code"),
    [
        (
            '{"error": {"message": "too long", "type": "t", "param": "max_tokens", "code": "c"}}',
            "too long",
            "max_tokens",
            "c",
        ),
        ('{"object": "error", "message": "too long", "code": 400}', "too long", None, "engine_refused"),
        ('{"detail": "too long"}', "too long", None, "engine_refused"),
        ('{"detail": [{"loc": ["body", "n"], "msg": "is no number"}]}', "n: is no number", None, "engine_refused"),
        ('{"error": "too long"}', "too long", None, "engine_refused"),
        ("[1]", "refused the request with status 422", None, "engine_refused"),
        ("<html>", "refused the request with status 422", None, "engine_refused"),
    ],
)
async def test_a_refusal_of_the_engine_takes_openais_shape(
    running: Running, text: str, message: str, param: str | None, code: str
) -> None:
    running.engine.mode = f"status:422 {text}"
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        await running.openai().chat.completions.create(**ASK)
    error = caught.value.body
    assert isinstance(error, dict) and message in error["message"]
    assert (error["param"], error["code"]) == (param, code)


async def test_no_replica_is_503_with_retry_after(running: Running) -> None:
    for endpoints in ((), ("127.0.0.1:9",), ("127.0.0.1:9", "[::1]:9")):
        running.route(endpoints=endpoints)
        with pytest.raises(openai.InternalServerError) as caught:
            await running.openai().chat.completions.create(**ASK)
        assert (caught.value.status_code, caught.value.code) == (503, "model_unavailable")
        assert int(caught.value.response.headers["retry-after"]) > 0
    await running.quiet()


@pytest.mark.parametrize("mode", ["refused", "status:500 boom", "status:503 loading"])
async def test_another_replica_takes_over_while_nothing_was_sent(running: Running, mode: str) -> None:
    broken, healthy = running.engines
    broken.mode = mode
    running.route(endpoints=("127.0.0.1:9" if mode == "refused" else broken.address, healthy.address))
    for _ in range(24):  # the order is random: some begin at the broken one
        async with running.http.post("/v1/chat/completions", json=ASK) as response:
            assert response.status == 200
    assert len(healthy.requests) == 24
    errors = {"refused": "connect", "status:500 boom": "status_500"}.get(mode, "unavailable")
    assert running.metric("upstream_errors_total", model="m", reason=errors) > 0
    await running.quiet()


async def test_an_error_of_the_engine_itself_is_tried_at_one_other_replica_only(running: Running) -> None:
    for engine in running.engines:
        engine.mode = "status:500 boom"
    running.route(endpoints=tuple(engine.address for engine in running.engines))
    with pytest.raises(openai.InternalServerError) as caught:
        await running.openai().chat.completions.create(**ASK)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert [len(engine.requests) for engine in running.engines] == [1, 1]


async def test_the_least_busy_replica_gets_the_request(running: Running) -> None:
    busy, idle = running.engines
    running.route(endpoints=(busy.address,))
    busy.mode = "hold"
    async with running.http.post("/v1/chat/completions", json={**ASK, "stream": True}) as held:
        running.route(endpoints=(busy.address, idle.address))
        for _ in range(8):
            async with running.http.post("/v1/chat/completions", json=ASK) as response:
                assert response.status == 200
        assert (len(busy.requests), len(idle.requests)) == (1, 8)
        busy.release.set()
        assert (await held.read()).endswith(STREAM)


async def test_a_stream_cut_by_the_engine_ends_in_an_error_event(running: Running) -> None:
    running.engine.mode = "cut"
    with pytest.raises(openai.APIError, match="middle of its answer"):
        async for _ in await running.openai().chat.completions.create(**ASK, stream=True):
            pass
    async with running.http.post("/v1/chat/completions", json={**ASK, "stream": True}) as response:
        text = await response.text()
    assert json.loads(text.split("data: ")[-1])["error"]["code"] == "engine_error"
    assert "[DONE]" not in text
    await running.quiet()


async def test_a_stream_that_stalls_ends_in_an_error_event(running: Running) -> None:
    running.engine.mode = "stall"
    async with running.http.post("/v1/chat/completions", json={**ASK, "stream": True}) as response:
        text = await response.text()
    assert json.loads(text.split("data: ")[-1])["error"]["code"] == "engine_timeout"
    await running.quiet()
    async with asyncio.timeout(0.5):
        await running.engine.ended.wait()
    assert running.engine.cancelled == 1


@pytest.mark.parametrize("mode", ["hang", "stall"])
async def test_a_client_that_leaves_cancels_the_engines_work(running: Running, mode: str) -> None:
    running.engine.mode = mode
    asking = asyncio.create_task(running.http.post("/v1/chat/completions", json={**ASK, "stream": True}))
    await running.engine.began.wait()
    if mode == "stall":
        response = await asking
        await response.content.readany()
        response.close()
    else:
        asking.cancel()
    async with asyncio.timeout(0.5):  # well before the time-outs
        await running.engine.ended.wait()
    assert running.engine.cancelled == 1
    await running.quiet()
    assert running.metric("requests_total", model="m", code="499") == 1
    running.engine.mode = "answer"
    assert (await running.openai().chat.completions.create(**ASK)).choices


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "unknown_path"),
        ("POST", "/v1/embeddings", 404, "unknown_path"),
        ("POST", "/terminate", 404, "unknown_path"),
        ("POST", "/simulator/faults", 404, "unknown_path"),
        ("GET", "/v1/models/", 404, "unknown_path"),
        ("GET", "/docs", 404, "unknown_path"),
        ("POST", "/v1/chat/completions/", 404, "unknown_path"),
        ("POST", "/v1/chat/../../terminate", 404, "unknown_path"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ],
)
async def test_only_the_allowed_paths_exist(running: Running, method: str, path: str, status: int, code: str) -> None:
    async with running.http.request(method, path) as response:
        assert response.status == status
        assert (await response.json())["error"]["code"] == code
    assert running.engine.requests == []


async def test_ready_says_what_is_waited_for(running: Running) -> None:
    async def ready() -> tuple[int, list[str]]:
        async with running.http.get("/ready") as response:
            return response.status, (await response.json())["waiting_for"]

    assert await ready() == (200, [])
    running.gateway.directory.complete = False
    assert (await ready())[0] == 503
    running.gateway.directory.complete = True
    running.gateway.drain.told = True
    assert await ready() == (503, ["stopping"])
    async with running.http.get("/health") as response:
        assert response.status == 200


async def test_metrics_name_the_model_and_never_what_a_client_made_up(running: Running) -> None:
    await running.openai().chat.completions.create(**ASK)
    with pytest.raises(openai.NotFoundError):
        await running.openai().chat.completions.create(**{**ASK, "model": "made-up"})
    async with running.http.get("/metrics") as response:
        assert response.status == 404, "only the kubelet's and Prometheus' port has it"
    async with running.http.get(f"{running.metrics_url}/metrics") as response:
        text = await response.text()
    assert 'qwen3vl_gateway_requests_total{code="200",model="m"} 1.0' in text
    assert 'qwen3vl_gateway_requests_total{code="404",model="unknown"} 1.0' in text
    assert "made-up" not in text
