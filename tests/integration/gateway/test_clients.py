"""Programs of others that speak to the gateway as they are: OpenAI's library, curl, and Python's HTTP clients."""

import asyncio
import base64
import http.client
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import openai
import picture
import pydantic
import pytest
from openai.types.chat import ChatCompletionMessageParam
from tests.support.gateway_process import KEY, GatewayProcess, gateway_running, simulator_running

SEEN = "I see 3 shapes: 2 red circles and 1 blue square on a white background."
IDLE_SECONDS = 6
"""Longer than the 5 s that many servers keep an idle connection: common clients take theirs up again after that."""
URL = picture.data_url(picture.draw())
QUESTION = [{"type": "image_url", "image_url": {"url": URL}}, {"type": "text", "text": "What do you see?"}]
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]  # type: ignore[list-item, misc]  # a literal's type is wider
ASK = {"model": "m", "messages": MESSAGES}
HEADERS = {"authorization": f"Bearer {KEY}"}


class Shapes(pydantic.BaseModel):
    count: int
    background_color: str


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    with simulator_running() as engine, gateway_running(folder, engine) as running:
        yield running


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=30) as made:
        yield made


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """A chat request with a picture of more than a megabyte, which curl announces before it sends it."""
    large = picture.data_url(_padded(base64.b64decode(URL.partition(",")[2])))
    parts = [{"type": "image_url", "image_url": {"url": large}}, QUESTION[1]]
    path = tmp_path / "body.json"
    path.write_text(json.dumps({"model": "m", "messages": [{"role": "user", "content": parts}]}))
    assert path.stat().st_size > 1 << 20
    return path


def _padded(jpeg: bytes) -> bytes:
    """The same picture with comments (JPEG's COM segments) that make a megabyte."""
    comment = b"\xff\xfe\xff\xff" + b" " * 65533
    return jpeg[:2] + comment * 13 + jpeg[2:]


def test_openai_sees_a_picture(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="m", messages=MESSAGES)
    assert answer.choices[0].message.content == SEEN
    assert answer.usage and answer.usage.prompt_tokens > 300


def test_openai_takes_its_own_answer_as_the_next_messages(client: openai.OpenAI) -> None:
    """Every field that the library gives back with an answer is one that may be sent again."""
    first = client.chat.completions.create(model="m", messages=MESSAGES)
    said: Any = first.choices[0].message
    for again in (said, said.model_dump(exclude_none=True), said.model_dump()):
        messages: Any = [*MESSAGES, again, {"role": "user", "content": "And now?"}]
        assert client.chat.completions.create(model="m", messages=messages).choices[0].message.content


def test_openai_streams(client: openai.OpenAI) -> None:
    usage = {"include_usage": True}
    with client.chat.completions.create(model="m", messages=MESSAGES, stream=True, stream_options=usage) as stream:  # type: ignore[call-overload]  # a literal's type is wider
        pieces = list(stream)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == SEEN
    assert len(pieces) > 5
    assert pieces[-1].usage and pieces[-1].usage.completion_tokens > 5


def test_openai_parses_an_answer_into_a_model(client: openai.OpenAI) -> None:
    parsed = (
        client.chat.completions.parse(model="m", messages=MESSAGES, response_format=Shapes).choices[0].message.parsed
    )
    assert parsed == Shapes(count=3, background_color="white")


def test_openai_knows_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["m"]
    assert client.models.retrieve("m").id == "m"


def test_openai_completes_text(client: openai.OpenAI) -> None:
    assert client.completions.create(model="m", prompt="Once upon a time").choices[0].text


def test_openai_has_its_exceptions(client: openai.OpenAI, gateway: GatewayProcess) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt", messages=MESSAGES)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="m", messages=[])
    assert wrong.value.param == "messages"
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.chat.completions.create(model="m", messages=MESSAGES)


async def test_openai_asks_many_things_at_once(gateway: GatewayProcess) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=60) as client:

        async def streamed() -> str:
            stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
            return "".join([piece.choices[0].delta.content or "" async for piece in stream if piece.choices])

        async def whole() -> str:
            answer = await client.chat.completions.create(model="m", messages=MESSAGES)
            return answer.choices[0].message.content or ""

        answers = await asyncio.gather(*[one() for _ in range(8) for one in (streamed, whole)])
    assert answers == [SEEN] * 16


def _curl(gateway: GatewayProcess, body: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """What curl tells of the connection, and the answer."""
    if shutil.which("curl") is None:
        pytest.skip("no curl: apt-get install curl")
    command = ["curl", "--silent", "--show-error", "--verbose", "--max-time", "30", "--noproxy", "*"]
    command += ["--header", f"authorization: Bearer {KEY}", "--header", "content-type: application/json", *arguments]
    command += ["--data-binary", f"@{body}", f"{gateway.url}/v1/chat/completions"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return done.stderr, answer


def _said(answer: dict[str, Any]) -> str:
    assert "choices" in answer, answer
    content: str = answer["choices"][0]["message"]["content"]
    return content


def test_curl_waits_for_leave_to_send_a_large_body(gateway: GatewayProcess, body: Path) -> None:
    told, answer = _curl(gateway, body, "--expect100-timeout", "20", "--header", "expect: 100-continue")
    assert "100 Continue" in told
    assert _said(answer) == SEEN


def test_curl_is_refused_without_leave_to_send(gateway: GatewayProcess, body: Path) -> None:
    wrong = ("--header", "authorization: Bearer wrong", "--expect100-timeout", "20", "--header", "expect: 100-continue")
    told, answer = _curl(gateway, body, *wrong)
    assert "100 Continue" not in told
    assert answer["error"]["type"] == "invalid_request_error"


def test_curl_that_would_rather_speak_http_2_is_answered_in_http_1(gateway: GatewayProcess, body: Path) -> None:
    told, answer = _curl(gateway, body, "--http2")
    assert "upgrade: h2c" in told.lower(), "this curl cannot speak HTTP/2"
    assert _said(answer) == SEEN


def test_curl_sends_a_body_of_unknown_length(gateway: GatewayProcess, body: Path) -> None:
    told, answer = _curl(gateway, body, "--header", "transfer-encoding: chunked")
    assert "transfer-encoding: chunked" in told.lower() and "> content-length" not in told.lower()
    assert _said(answer) == SEEN


def test_curl_of_http_1_0_is_answered(gateway: GatewayProcess, body: Path) -> None:
    _, answer = _curl(gateway, body, "--http1.0")
    assert _said(answer) == SEEN


async def test_aiohttp_sees_a_picture_whole_and_streamed(gateway: GatewayProcess) -> None:
    async with aiohttp.ClientSession(gateway.url, headers=HEADERS) as session:
        async with session.post("/v1/chat/completions", json=ASK) as answer:
            assert _said(await answer.json()) == SEEN
        async with session.post("/v1/chat/completions", json=ASK | {"stream": True}) as stream:
            assert (await stream.read()).endswith(b"data: [DONE]\n\n")


def test_a_library_that_sends_all_before_it_reads_is_told_that_it_is_too_much(gateway: GatewayProcess) -> None:
    headers = HEADERS | {"content-type": "application/json"}
    request = urllib.request.Request(f"{gateway.url}/v1/chat/completions", bytes(50_000_000), headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    with caught.value as answer:
        assert (answer.code, json.load(answer)["error"]["code"]) == (413, "request_too_large")


async def test_idle_connections_of_common_clients_serve_their_next_request(gateway: GatewayProcess) -> None:
    reused: list[bool] = []
    trace = aiohttp.TraceConfig()

    async def on_reuse(*_: object) -> None:
        reused.append(True)

    trace.on_connection_reuseconn.append(on_reuse)
    plain = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    limits = httpx2.Limits(keepalive_expiry=60)
    async with (
        aiohttp.ClientSession(gateway.url, headers=HEADERS, trace_configs=[trace]) as session,
        httpx2.AsyncClient(base_url=gateway.url, headers=HEADERS, limits=limits, trust_env=False) as httpx,
    ):

        async def ask() -> tuple[object, object]:
            """Ask by all three; the local addresses of two of them."""
            async with session.post("/v1/chat/completions", json=ASK) as answer:
                assert _said(await answer.json()) == SEEN
            found = await httpx.post("/v1/chat/completions", json=ASK)
            assert _said(found.json()) == SEEN
            plain.request("POST", "/v1/chat/completions", json.dumps(ASK), HEADERS)
            address = plain.sock.getsockname()
            assert _said(json.loads(plain.getresponse().read())) == SEEN
            return found.extensions["network_stream"].get_extra_info("client_addr"), address

        before = await ask()
        assert not reused
        await asyncio.sleep(IDLE_SECONDS)
        assert await ask() == before
        assert reused == [True]
    plain.close()
