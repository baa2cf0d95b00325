"""The VLN API as the two processes it is in a pod, the simulator as its engine, and robots with the real client."""

import asyncio
import base64
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.images import jpeg
from tests.support.polling import until
from tests.support.processes import ENVIRONMENT, free_port

from qwen3vl_client import Command, Robot

ROBOT_KEY, OPERATOR_KEY, ENGINE_KEY = "robot-key", "operator-key", "engine-key"
FORWARD: dict[str, Any] = {
    "reached_goal": False,
    "waypoints": [{"dx": 0.5, "dy": 0.0, "dtheta": 0.0}],
    "action": "forward",
}
OWNER = {"uid": "0a1b2c3d-0000", "namespace": "robots", "name": "walk", "generation": 1}


def frame(task: str, seed: int = 0, **more: Any) -> dict[str, Any]:
    """A body of `POST /vln/frame`; each seed is another picture."""
    return {"task_id": task, "frame": base64.b64encode(jpeg(320, 240, seed)).decode()} | more


def child_of(pid: int) -> int:
    """The process that this one has started."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@dataclass
class Program:
    """A Python program under test, which can be killed, frozen and started again on its port."""

    module: str
    arguments: tuple[str, ...]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    ready: str = "/health"
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        command = (sys.executable, "-m", self.module, "--host", self.host, "--port", str(self.port), *self.arguments)
        with self.log.open("ab") as sink:
            environment = ENVIRONMENT | self.environment
            self.process = await asyncio.create_subprocess_exec(*command, stderr=sink, env=environment)
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            while True:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    async with http.get(self.url + self.ready) as response:
                        if response.status == 200:
                            return
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)

    @property
    def running(self) -> asyncio.subprocess.Process:
        """Its process; fails when it was never started."""
        assert self.process is not None, f"{self.module} was not started"
        return self.process

    def signal(self, number: int) -> None:
        self.running.send_signal(number)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def end(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 10)
            except TimeoutError:
                await self.kill()


@dataclass
class Chain:
    """Engine and VLN API, and the client that asks them."""

    engine: Program
    vln: Program
    http: aiohttp.ClientSession

    async def ask(self, method: str, path: str, body: Any = None, *, key: str | None = ROBOT_KEY) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with self.http.request(method, self.vln.url + path, json=body, headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else text

    async def create(self, **config: Any) -> str:
        config = {"keyframes": {"maxIntervalSeconds": 0.5}} | config
        status, body = await self.ask("POST", "/vln/task/create", {"instruction": "Walk on.", "config": config})
        assert status == 200, body
        return str(body["task_id"])

    async def task(self, task_id: str) -> dict[str, Any]:
        status, body = await self.ask("GET", f"/vln/task/{task_id}")
        assert status == 200, body
        return dict(body)

    async def ended(self, task_id: str, verdict: str) -> bool:
        """Whether a task has this verdict."""
        return bool((await self.task(task_id))["verdict"] == verdict)

    async def says(self, text: str | dict[str, Any]) -> None:
        """The model answers with this from now on."""
        await self.fault(fault="reply", text=text if isinstance(text, str) else json.dumps(text))

    async def fault(self, **body: Any) -> None:
        headers = {"authorization": f"Bearer {ENGINE_KEY}"}
        async with self.http.post(self.engine.url + "/simulator/faults", json=body, headers=headers) as response:
            assert response.status == 200, await response.text()

    def socket_url(self, path: str) -> str:
        return f"ws://{self.vln.host}:{self.vln.port}{path}"


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    async with running(tmp_path) as chain:
        yield chain


@contextlib.asynccontextmanager
async def running(tmp_path: Path, *more: str, host: str = "127.0.0.1") -> AsyncIterator[Chain]:
    """Engine and VLN API, which robots reach at `host`; their logs hold no secret and no error of the program."""
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "go2").write_text(ROBOT_KEY)
    (keys / "panel.stop").write_text("stop-key")
    (keys / "page.view").write_text("view-key")
    engine = Program(
        "qwen3vl_server.simulator",
        ("--model-name", "sim", "--first-token-millis", "20", "--tokens-per-second", "2000"),
        tmp_path / "engine.log",
        {"QWEN3VL_ENGINE_KEY": ENGINE_KEY},
    )
    arguments: tuple[str, ...] = ("--model-name", "sim", "--gateway-url", f"{engine.url}/v1", "--keys-dir", str(keys))
    arguments += ("--recordings-dir", str(tmp_path / "recordings"), *more)
    secrets = {"QWEN3VL_GATEWAY_KEY": ENGINE_KEY, "QWEN3VL_OPERATOR_KEY": OPERATOR_KEY}
    vln = Program("qwen3vl_vln", arguments, tmp_path / "vln.log", secrets, "/ready", host)
    async with aiohttp.ClientSession() as http:
        await asyncio.gather(engine.start(), vln.start())
        try:
            yield Chain(engine, vln, http)
        finally:
            await asyncio.gather(engine.end(), vln.end())
    log = vln.log.read_text()
    for secret in (ROBOT_KEY, OPERATOR_KEY, ENGINE_KEY):
        assert secret not in log
    assert "Traceback" not in log, log


@dataclass
class Base:
    """A robot's control loop at 30 Hz with pictures at 10 Hz; remembers what it was told and when.

    Attributes:
        log: time, linear and angular velocity, state and reason of each command.
    """

    robot: Robot
    log: list[tuple[float, Command]] = field(default_factory=list)
    pictures: int = 0

    async def drive(self) -> None:
        """Run until cancelled."""
        loop, turn = asyncio.get_running_loop(), 0
        began = loop.time()
        while True:
            turn += 1
            await asyncio.sleep(max(0.0, began + turn / 30 - loop.time()))
            if turn % 3 == 0:
                self.pictures += 1
                self.robot.send(jpeg(320, 240, seed=self.pictures % 40))
            else:
                self.robot.tick()
            self.log.append((time.monotonic(), self.robot.command()))

    @property
    def last(self) -> Command:
        return self.log[-1][1] if self.log else Command()

    def last_motion(self) -> float:
        """When the last velocity that is not zero was put out."""
        return max((at for at, told in self.log if told.linear_mps or told.angular_rps), default=float("-inf"))

    async def until(self, wanted: Callable[[Command], bool], seconds: float = 10.0) -> float:
        """Wait for a command; when it came."""
        await until(
            lambda: self.log and wanted(self.last), seconds, "the command", lambda: f"the last one was {self.last}"
        )
        return self.log[-1][0]

    async def moves(self) -> None:
        """Wait until it drives."""
        await self.until(lambda told: told.linear_mps > 0.05)

    async def stands(self, reason: str | None = None, seconds: float = 10.0) -> None:
        """Wait until it stands, for that reason."""
        await self.until(
            lambda told: not told.linear_mps and not told.angular_rps and reason in (None, told.reason), seconds
        )


@contextlib.asynccontextmanager
async def base(chain: Chain, path: str, **options: Any) -> AsyncIterator[Base]:
    """A robot that drives by the VLN API."""
    async with Robot(chain.socket_url(path), key=ROBOT_KEY, **options) as robot:
        driven = Base(robot)
        driving = asyncio.create_task(driven.drive())
        try:
            yield driven
        finally:
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
