"""`hack/eval --model-url`: a model that is really asked, here the simulator behind the real gateway."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from tests.integration.vln.conftest import ENGINE_KEY, Program
from tests.support.processes import ENVIRONMENT, free_port

USER_KEY = "someone's-key"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Program]:
    """With the simulator's drive policy behind it, as model `walker`."""
    keys, routes = tmp_path / "keys", tmp_path / "routes.yaml"
    keys.mkdir()
    (keys / "lab").write_text(USER_KEY)
    pace = ("--first-token-millis", "50", "--tokens-per-second", "5000")
    engine = Program(
        "qwen3vl_server.simulator",
        ("--model-name", "walker", "--policy", "drive", *pace),
        tmp_path / "engine.log",
        {"QWEN3VL_ENGINE_KEY": ENGINE_KEY},
    )
    route = {"model": "walker", "endpoints": [f"{engine.host}:{engine.port}"], "key": ENGINE_KEY}
    routes.write_text(yaml.safe_dump([route]))
    options = ("--routes", str(routes), "--keys-dir", str(keys), "--drain-seconds", "0")
    ports = ("--metrics-port", str(free_port()))
    front = Program("qwen3vl_server.gateway", options + ports, tmp_path / "gateway.log", ready="/ready")
    await engine.start()
    try:
        await front.start()
        yield front
    finally:
        await front.kill()
        await engine.kill()


async def evaluate(*arguments: str, key: str = USER_KEY) -> tuple[int, str, str]:
    command = (sys.executable, "-m", "qwen3vl_eval", "--json", *arguments)
    environment = ENVIRONMENT | {"QWEN3VL_API_KEY": key}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(240):
        out, told = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), told.decode()


async def test_a_model_behind_the_gateway_walks_and_what_its_calls_took_is_told(gateway: Program) -> None:
    asked = ("--model-url", f"{gateway.url}/v1", "--model", "walker")
    code, out, told = await evaluate("--episodes", "1", "--seed", "1", *asked)
    assert code == 0, told
    figures = json.loads(out)
    assert figures["success_rate"] == 1.0 and figures["collisions"] == 0
    assert figures["model_calls"] > 5
    assert 0.05 <= figures["model_p50_seconds"] < 1.0, "the simulator takes 50 ms before it says anything"
    assert USER_KEY not in out + told


async def test_a_model_that_refuses_moves_nobody(gateway: Program) -> None:
    asked = ("--model-url", f"{gateway.url}/v1", "--model", "walker", "--deadline", "20")
    code, out, told = await evaluate("--episodes", "1", "--seed", "1", *asked, key="another-key")
    assert code == 0, told
    figures = json.loads(out)
    assert figures["metres"] == 0.0 and figures["success_rate"] == 0.0 and figures["model_calls"] > 0
