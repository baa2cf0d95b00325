"""NavTasks with the VLN API itself and the simulator behind it, as the processes they are in pods.

Only robot and gateway are missing: a test sends the frames, and the VLN API asks the engine directly."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator.api import Namespace, eventually
from tests.integration.operator.conftest import NAVIGATION, model, nav_task, operating, operator_kubeconfig
from tests.support.figures import Figures
from tests.support.images import jpeg

from localkube.testing import ApiServer
from qwen3vl_operator.secrets.model_keys import secret_name

ENGINE_KEY, ROBOT_KEY = "engine-key", "robot-key"
FORWARD = {"reached_goal": False, "waypoints": [{"dx": 0.5, "dy": 0.0, "dtheta": 0.0}], "action": "forward"}
GOAL = {"reached_goal": True, "waypoints": [], "action": "stop"}


def ask(method: str, url: str, body: Any = None, key: str = "") -> tuple[int, Any]:
    """Status and JSON of one request."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@dataclass
class Program:
    """A Python program on a port of its own, which can be killed and started again."""

    module: str
    log: Path
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, ready: str = "/health") -> None:
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
        command = [sys.executable, "-m", self.module, "--host", "127.0.0.1", "--port", str(self.port), *self.arguments]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **self.environment}
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )

        def answers() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError):
                return ask("GET", self.url + ready)[0] == 200
            return False

        eventually(answers, 30)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


@dataclass
class World:
    """A namespace with a model and a NavTask, the operator, the VLN API and the engine."""

    namespace: Namespace
    vln: Program
    engine: Program
    frames: int = 0

    def says(self, answer: dict[str, Any] | None, fault: str = "reply") -> None:
        """What the model answers from now on."""
        body: dict[str, Any] = {"fault": fault} | ({} if answer is None else {"text": json.dumps(answer)})
        status, said = ask("POST", self.engine.url + "/simulator/faults", body, ENGINE_KEY)
        assert status == 200, said

    def frame(self, task_id: str) -> tuple[int, Any]:
        """The robot sends a frame and gets the answer."""
        self.frames += 1
        picture = base64.b64encode(jpeg(320, 240, seed=self.frames % 40)).decode()
        return ask("POST", self.vln.url + "/vln/frame", {"task_id": task_id, "frame": picture}, ROBOT_KEY)

    def walk(self, name: str = "walk", **spec: Any) -> str:
        uid = self.namespace.create("navtasks", nav_task(name, **spec))["metadata"]["uid"]
        task_id = f"{name}-{uid[:8]}"
        eventually(lambda: self.status(name).get("reason") == "WaitingForFrame")
        return task_id

    def status(self, name: str = "walk") -> dict[str, Any]:
        found: dict[str, Any] = self.namespace.get("navtasks", name).get("status") or {}
        return found

    def condition(self, kind: str, name: str = "walk") -> tuple[str, str]:
        found = next((one for one in self.status(name).get("conditions", []) if one["type"] == kind), None)
        return (found["status"], found["reason"]) if found else ("", "")

    def frames_until(self, task_id: str, seconds: float = 15, name: str = "walk", **fields: Any) -> dict[str, Any]:
        """Frames at 10 Hz until the NavTask's status has these fields."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.frame(task_id)
            status = self.status(name)
            if fields.items() <= status.items():
                return status
            assert time.monotonic() < deadline, (status, answer)
            time.sleep(0.1)


@pytest.fixture
def world(server: ApiServer, namespace: Namespace, tmp_path: Path) -> Iterator[World]:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "go2").write_text(ROBOT_KEY)
    speed = ["--first-token-millis", "20", "--tokens-per-second", "2000"]
    engine = Program("qwen3vl_server.simulator", tmp_path / "engine.log", ["--model-name", "m", *speed])
    engine.environment["QWEN3VL_ENGINE_KEY"] = ENGINE_KEY
    vln = Program("qwen3vl_vln", tmp_path / "vln.log", [])
    with socket.create_server(("127.0.0.1", 0)) as free:
        vln.port = free.getsockname()[1]
    kubeconfig = operator_kubeconfig(server, namespace, tmp_path / "kubeconfig")
    try:
        with operating(kubeconfig, namespace.name, tmp_path / "operator.log", vln.url):
            engine.start()
            namespace.create("visionmodels", model(spec=NAVIGATION))
            secret = eventually(lambda: namespace.find("secrets", secret_name(namespace.name, "m")))
            vln.arguments = ["--model-name", "m", "--gateway-url", f"{engine.url}/v1", "--keys-dir", str(keys)]
            operator_key = base64.b64decode(secret["data"]["m.operator-to-vln"]).decode()
            vln.environment = {"QWEN3VL_GATEWAY_KEY": ENGINE_KEY, "QWEN3VL_OPERATOR_KEY": operator_key}
            vln.start("/ready")
            yield World(namespace, vln, engine)
    finally:
        vln.end()
        engine.end()


def test_a_walk_to_the_goal_with_an_edit_on_the_way(world: World) -> None:
    world.says(FORWARD)
    task_id = world.walk(keyframes={"maxIntervalSeconds": 0.5})
    assert world.condition("Running") == ("False", "WaitingForRobot")
    status = world.frames_until(task_id, phase="Running", action="forward")
    assert world.condition("Running") == ("True", "Running")
    assert status["session"]["id"] == task_id
    world.namespace.merge("navtasks", "walk", {"spec": {"instruction": "Walk to the blue door."}})
    _, known = ask("GET", f"{world.vln.url}/vln/task/{task_id}", key=ROBOT_KEY)
    eventually(
        lambda: ask("GET", f"{world.vln.url}/vln/task/{task_id}", key=ROBOT_KEY)[1]["instruction"].endswith(
            "blue door."
        )
    )
    assert known["owner"]["name"] == "walk"
    world.says(GOAL)
    status = world.frames_until(task_id, phase="Succeeded", verdict="GoalReached")
    assert world.condition("Complete") == ("True", "GoalReached")
    assert status["steps"]["done"] >= 1
    assert status["frames"]["received"] > 0
    assert status["latency"]["p95Millis"] >= 0


def test_paused_running_stopped_do_what_they_say(world: World, figure: Figures) -> None:
    world.says(FORWARD)
    task_id = world.walk()
    world.frames_until(task_id, state="moving")
    world.namespace.merge("navtasks", "walk", {"spec": {"state": "Paused"}})
    world.frames_until(task_id, phase="Paused")
    assert world.frame(task_id)[1]["linear_vel"] == 0.0
    world.namespace.merge("navtasks", "walk", {"spec": {"state": "Running"}})
    world.frames_until(task_id, phase="Running", state="moving")
    began = time.monotonic()
    world.namespace.merge("navtasks", "walk", {"spec": {"state": "Stopped"}})
    status, answer = eventually(lambda: found if (found := world.frame(task_id))[0] == 400 else None)
    figure("state: Stopped → the robot's frames are refused", time.monotonic() - began, "s", goal=0.5)
    assert (status, answer["linear_vel"]) == (400, 0.0)
    eventually(lambda: world.status().get("verdict") == "Cancelled")
    assert world.status()["phase"] == "Stopped"


def test_a_deleted_navtask_stops_the_robot(world: World, figure: Figures) -> None:
    world.says(FORWARD)
    task_id = world.walk()
    world.frames_until(task_id, state="moving")
    began = time.monotonic()
    world.namespace.delete("navtasks", "walk")
    eventually(lambda: world.frame(task_id)[0] == 400)
    figure("NavTask deleted → the robot's frames are refused", time.monotonic() - began, "s", goal=1)


def test_a_killed_vln_api_holds_and_goes_on_to_the_goal(world: World) -> None:
    world.says(FORWARD)
    task_id = world.walk()
    before = world.frames_until(task_id, state="moving")
    world.vln.kill()
    eventually(lambda: world.condition("Running") == ("Unknown", "NavigationUnreachable"))
    world.says(None, fault="500")  # no picture is understood yet
    world.vln.start("/ready")
    eventually(lambda: world.status().get("reason") == "Restarted")
    assert world.status()["phase"] == "Running"
    _, answer = world.frame(task_id)
    # Held, or in trouble: the model is, and on a slow machine the worker may be silent at first.
    assert answer["state"] in ("hold", "error"), answer["reason"]
    assert (answer["linear_vel"], answer["angular_vel"]) == (0.0, 0.0)
    after = world.status()
    assert after["steps"]["done"] >= before["steps"]["done"]
    assert after["elapsedSeconds"] >= before["elapsedSeconds"]
    assert after["startedAt"] == before["startedAt"]
    world.says(FORWARD)
    world.frames_until(task_id, state="moving")
    world.says(GOAL)
    assert world.frames_until(task_id, phase="Succeeded")["startedAt"] == before["startedAt"]


def test_a_dead_model_is_told_within_seconds_and_is_no_end(world: World, figure: Figures) -> None:
    world.says(FORWARD)
    task_id = world.walk()
    world.frames_until(task_id, state="moving")
    world.says(None, fault="500")
    status = world.frames_until(task_id, state="error")
    assert (world.condition("Running")[0], status["phase"]) == ("False", "Running")
    assert status["modelErrors"]["count"] >= 3
    world.says(FORWARD)
    world.frames_until(task_id, state="moving")
    assert world.condition("Running") == ("True", "Running")


def test_a_robot_with_a_task_made_by_rest_is_busy_and_stop_by_rest_is_the_end(world: World) -> None:
    config = {"robot": "go2-01"}
    made = ask("POST", f"{world.vln.url}/vln/task/create", {"instruction": "go", "config": config}, ROBOT_KEY)[1]
    world.namespace.create("navtasks", nav_task())
    eventually(lambda: world.condition("Accepted") == ("False", "RobotBusy"))
    assert made["task_id"] in world.status()["message"]
    ask("POST", f"{world.vln.url}/vln/task/{made['task_id']}/stop", key=ROBOT_KEY)
    eventually(lambda: world.status().get("reason") == "WaitingForFrame")
    task_id = world.status()["session"]["id"]
    status, answer = ask("DELETE", f"{world.vln.url}/vln/task/{task_id}", key=ROBOT_KEY)
    assert (status, "walk" in answer["error"]["message"]) == (409, True)
    assert ask("POST", f"{world.vln.url}/vln/task/{task_id}/stop", key=ROBOT_KEY)[0] == 200
    eventually(lambda: world.status().get("phase") == "Stopped")
    assert world.condition("Failed") == ("True", "Cancelled")
