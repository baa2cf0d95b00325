"""A few episodes in real time over the network: simulator and VLN API as their processes, and the real client."""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import orjson

from qwen3vl_client import Command, Odometry, Robot, boot_time
from qwen3vl_client.states import ENDED, GOAL
from qwen3vl_common.navigation.states import Verdict
from qwen3vl_eval.episode import STANDS_SECONDS, Episode, Setting, episode_of, make
from qwen3vl_eval.remote import Remote
from qwen3vl_eval.robot import CommandHorizon
from qwen3vl_eval.watch import Watch
from qwen3vl_world.world import World

START_SECONDS = 30.0
TOKENS_PER_SECOND = 5000
_HOST = "127.0.0.1"


async def episodes(seeds: range, setting: Setting) -> list[Episode]:
    """Walk through the buildings of all seeds, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        key = secrets.token_hex(8)
        (Path(folder) / "robot").write_text(key)
        async with _model(setting) as model:
            vln = ("--model-name", model.name, "--gateway-url", model.url, "--keys-dir", folder)
            async with _program("qwen3vl_vln", "/ready", *vln, QWEN3VL_GATEWAY_KEY=model.key or "") as url:
                done = []
                for seed in seeds:
                    done.append(await _walk(url, key, seed, setting))
                    print(f"{len(done)}/{len(seeds)}: {done[-1].figures()}", file=sys.stderr, flush=True)
                return done


@contextlib.asynccontextmanager
async def _model(setting: Setting) -> AsyncIterator[Remote]:
    """The real model that was asked for, else a simulator until the end."""
    if setting.remote is not None:
        yield setting.remote
        return
    key = secrets.token_hex(8)
    pace = ("--first-token-millis", str(1000 * setting.model_seconds), "--tokens-per-second", str(TOKENS_PER_SECOND))
    engine = ("--model-name", "sim", "--policy", "drive", *pace)
    async with _program("qwen3vl_server.simulator", "/health", *engine, QWEN3VL_ENGINE_KEY=key) as url:
        yield Remote(f"{url}/v1", "sim", key)


async def _walk(url: str, key: str, seed: int, setting: Setting) -> Episode:
    plan = make(seed, setting)
    world, watch, rhythm = plan.world, Watch(plan.world, plan.standard), CommandHorizon()
    settings = plan.settings
    parts = {"limits": settings.limits, "history": settings.history, "camera": settings.camera}
    config = {name: part.as_json() for name, part in parts.items()}
    body: dict[str, object] = {"instruction": settings.instruction, "config": config}
    task = await asyncio.to_thread(_ask, f"{url}/vln/task/create", key, body)
    every = round(rhythm.hz / rhythm.image_hz)
    began, ended_at, turn = time.monotonic(), None, 0
    async with Robot(f"ws{url.removeprefix('http')}/vln/ws/{task['task_id']}", key=key) as robot:
        while True:
            turn += 1
            await asyncio.sleep(max(0.0, began + turn / rhythm.hz - time.monotonic()))
            now = time.monotonic() - began
            world.step(now)
            command = robot.command()
            world.command(now, command.linear_mps, command.angular_rps)
            watch.look(now, command, _in_world_time(robot.answer, began))
            _send(robot, world, now, image=turn % every == 0)
            if ended_at is None and (command.state in ENDED or now > setting.most_seconds + 1.0):
                ended_at = now
            if ended_at is not None and now > ended_at + STANDS_SECONDS:
                break
        connections = robot.connections
    return episode_of(plan, watch, _verdict(command), ended_at, connections)


def _send(robot: Robot, world: World, now: float, *, image: bool) -> None:
    shot = world.shot(now)
    seen = shot.reading
    odometry = Odometry(seen.x, seen.y, seen.yaw, linear_mps=seen.v, angular_rps=seen.w)
    robot.send(world.draw(shot) if image else None, captured_seconds=boot_time(), odometry=odometry)


def _in_world_time(answer: dict[str, object] | None, began: float) -> dict[str, object] | None:
    """The answer with its time of capture on the world's clock."""
    if answer is None or not isinstance(captured := answer.get("captured_at"), int | float):
        return answer
    return answer | {"captured_at": captured - boot_time() + time.monotonic() - began}


def _verdict(command: Command) -> str:
    return str(Verdict.GOAL_REACHED) if command.state == GOAL else command.reason


def _ask(url: str, key: str, body: dict[str, object]) -> dict[str, str]:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(url, orjson.dumps(body), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return dict(orjson.loads(response.read()))


@contextlib.asynccontextmanager
async def _program(module: str, ready: str, *arguments: str, **secret: str) -> AsyncIterator[str]:
    """A server on loopback, until the end; its address."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, **secret, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = (sys.executable, "-m", module, "--host", _HOST, "--port", str(port), "--log-level", "error", *arguments)
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    url = f"http://{_HOST}:{port}"
    try:
        await _until_ready(process, f"{url}{ready}")
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _until_ready(process: asyncio.subprocess.Process, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.returncode is not None:
            raise RuntimeError(f"the server of {url} ended with {process.returncode}")
        with contextlib.suppress(OSError):
            await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=1).close())
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{url} was not there after {START_SECONDS:g} s")
