"""Failing on command, noticing a client that leaves, pacing, and ending on SIGTERM."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from tests.support.figures import Figures
from tests.support.polling import until
from tests.support.processes import ENVIRONMENT, free_port

from qwen3vl_server.simulator.app import Settings

from .conftest import KEY, Running, serving

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello there"}]
BODY: dict[str, Any] = {"model": "sim", "messages": HELLO}
CHAT = "/v1/chat/completions"


@contextlib.asynccontextmanager
async def http(running: Running) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(base_url=running.url, headers=headers, timeout=20) as client:
        yield client


async def switch(client: httpx2.AsyncClient, **fault: Any) -> None:
    response = await client.post("/simulator/faults", json=fault)
    assert response.status_code == 200, response.text


async def test_the_switch_is_shown_counted_and_guarded(simulator: Running) -> None:
    async with http(simulator) as client:
        await switch(client, fault="500", count=2)
        assert (await client.get("/simulator/faults")).json() == {"fault": "500", "count": 2}
        codes = [(await client.post(CHAT, json=BODY)).status_code for _ in range(3)]
        assert codes == [500, 500, 200]
        assert (await client.get("/simulator/faults")).json() == {"fault": "none"}
        for wrong in ({"fault": "fire"}, {"fault": "reply"}, {"fault": "hang: x"}, {"fault": "slow", "count": 0}, {}):
            assert (await client.post("/simulator/faults", json=wrong)).status_code == 400
        for path in ("/simulator/faults", "/simulator/stats"):
            assert (await client.get(path, headers={"authorization": "Bearer no"})).status_code == 401


async def test_500_has_the_shape_of_an_error(simulator: Running) -> None:
    async with http(simulator) as client:
        await switch(client, fault="500")
    with pytest.raises(openai.InternalServerError) as failed:
        await simulator.client().chat.completions.create(**BODY)
    assert failed.value.code == "injected_fault"


@pytest.mark.parametrize("fault", [{"fault": "reply", "text": "stop now"}, {"fault": "reply: stop now"}])
async def test_reply_is_sent_literally(simulator: Running, fault: dict[str, str]) -> None:
    async with http(simulator) as client:
        await switch(client, **fault)
    answer = await simulator.client().chat.completions.create(**BODY)
    assert answer.choices[0].message.content == "stop now"


async def test_slow_delays_the_first_byte(simulator: Running) -> None:
    async with http(simulator) as client:
        await switch(client, fault="slow", seconds=0.3)
        begun = time.monotonic()
        assert (await client.post(CHAT, json=BODY)).status_code == 200
        assert time.monotonic() - begun >= 0.3


@pytest.mark.parametrize("stream", [False, True])
async def test_cut_closes_the_connection_inside_the_answer(simulator: Running, stream: bool) -> None:
    async with http(simulator) as client:
        await switch(client, fault="cut", count=1)
        received = b""
        with pytest.raises(httpx2.RemoteProtocolError):
            async with client.stream("POST", CHAT, json=BODY | {"stream": stream}) as response:
                assert response.status_code == 200
                async for part in response.aiter_raw():
                    received += part
        assert received and b"[DONE]" not in received
        assert (await client.post(CHAT, json=BODY)).status_code == 200
    assert simulator.engine.stats.cut == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_a_hung_engine_is_noticed_at_once(
    simulator: Running, stream: bool, figure: Figures
) -> None:
    stats = simulator.engine.stats
    async with http(simulator) as client:
        await switch(client, fault="hang", count=1)
        asked = asyncio.create_task(client.post(CHAT, json=BODY | {"stream": stream}))
        await until(lambda: stats.in_flight == 1)
        asked.cancel()
        begun = time.monotonic()
        await until(lambda: stats.cancelled == 1)
        figure("simulator notices a client that left", (time.monotonic() - begun) * 1000, "ms")
        shown = (await client.get("/simulator/stats")).json()
        assert (shown["in_flight"], shown["cancelled"], shown["completed"]) == (0, 1, 0)
        assert (await client.post(CHAT, json=BODY)).status_code == 200


async def test_a_client_that_leaves_a_stream_stops_it() -> None:
    async with serving(Settings("sim", first_token_millis=0, tokens_per_second=20)) as running:
        stream = await running.client().chat.completions.create(**BODY, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await until(lambda: running.engine.stats.cancelled == 1)
        assert running.engine.stats.in_flight == 0
        assert running.engine.stats.completion_tokens < 10


async def test_nothing_is_left_after_many_that_leave(simulator: Running) -> None:
    before = len(asyncio.all_tasks())
    async with http(simulator) as client:
        await switch(client, fault="hang")
        asked = [asyncio.create_task(client.post(CHAT, json=BODY)) for _ in range(40)]
        await until(lambda: simulator.engine.stats.in_flight == 40)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await until(lambda: simulator.engine.stats.cancelled == 40)
    await until(lambda: len(asyncio.all_tasks()) <= before)


async def test_tokens_come_at_the_asked_pace() -> None:
    async with serving(Settings("sim", first_token_millis=200, tokens_per_second=50)) as running:
        begun = time.monotonic()
        stream = await running.client().chat.completions.create(**BODY, stream=True)
        times = [time.monotonic() - begun async for chunk in stream if chunk.choices[0].delta.content]
    due = [0.2 + number / 50 for number in range(len(times))]
    assert len(times) > 10
    assert all(came >= wanted - 0.005 for came, wanted in zip(times, due, strict=True))
    assert times[-1] < due[-1] + 2  # no drift: a late token does not push the ones after it


@contextlib.contextmanager
def process(log: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    with log.open("wb") as out:
        started = subprocess.Popen(
            [
                *(sys.executable, "-m", "qwen3vl_server.simulator", "--model-name", "sim"),
                *("--host", "127.0.0.1", "--port", str(port), *options),
            ],
            env=ENVIRONMENT | {"QWEN3VL_ENGINE_KEY": KEY},
            stderr=out,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                assert httpx2.get(f"{url}/health").status_code == 200
                break
            except httpx2.ConnectError:
                assert started.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield started, url
    finally:
        if started.poll() is None:
            started.kill()
        started.wait()


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


async def test_sigterm_lets_a_stream_finish_ends_a_hang_and_exits_0(tmp_path: Path, figure: Figures) -> None:
    with process(tmp_path / "log", "--tokens-per-second", "30") as (started, url):
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=20) as client:
            figure("simulator memory", resident_mib(started.pid), "MiB")
            async with client.stream("POST", CHAT, json=BODY | {"stream": True}) as streamed:
                parts = streamed.aiter_text()
                text = await anext(parts)
                await switch(client, fault="hang")
                hung = asyncio.create_task(client.post(CHAT, json=BODY))

                async def both() -> bool:
                    return bool((await client.get("/simulator/stats")).json()["in_flight"] == 2)

                await until(both)
                started.send_signal(signal.SIGTERM)
                text += "".join([part async for part in parts])
            assert text.endswith("data: [DONE]\n\n")
            assert (await hung).status_code == 503
        assert await asyncio.to_thread(started.wait, 20) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


async def test_sigterm_does_not_wait_for_ever(tmp_path: Path) -> None:
    options = ("--tokens-per-second", "0.01", "--drain-seconds", "1")
    with process(tmp_path / "log", *options) as (started, url):
        async with httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {KEY}"}, timeout=20) as client:
            with pytest.raises(httpx2.RemoteProtocolError):
                async with client.stream("POST", CHAT, json=BODY | {"stream": True}) as streamed:
                    async for _ in streamed.aiter_text():
                        started.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(started.wait, 20) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
