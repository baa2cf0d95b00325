"""Keys that are for some robots: they make, drive and stop tasks for these alone."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from qwen3vl_common.keys import KeyRing
from qwen3vl_vln.edge.http import app
from qwen3vl_vln.edge.identity import Authenticator
from qwen3vl_vln.edge.sockets import Sockets
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.task.settings import Settings

from .samples import navigation_without_worker

ENTRIES = {
    "fleet": "fleet-key\nrobots: [go2-*]\n",
    "one": "robots: [spot-1]\none-key",
    "mixed": "mixed-key\nrobots: [go2-*, 'spot-1']",
    "two": "two-key\nrobots: [spot-1, spot-2]",
    "panel.stop": "panel-key\nrobots: [go2-*]",
    "desk.view.stop": "desk-key\nrobots: [go2-*]",
    "free": "free-key",
}


class Door:
    """A VLN API with these keys."""

    def __init__(self, folder: Path) -> None:
        for name, text in ENTRIES.items():
            (folder / name).write_text(text)
        ring = KeyRing(folder)
        ring.reload()
        self.navigation, authenticator = navigation_without_worker(), Authenticator(ring, None)
        self.app = app.build(self.navigation, authenticator, Bounds(), model="m", ready=lambda: True)
        self.sockets = Sockets(self.navigation, authenticator, Bounds(), frozenset())

    def task_of(self, robot: str) -> str:
        return self.navigation.create(Settings(robot, "Walk.")).task.task_id

    def create(self, key: str, **config: Any) -> tuple[int, dict[str, Any]]:
        return self.ask("POST", "/vln/task/create", key, {"instruction": "Walk.", "config": config})

    def ask(self, method: str, path: str, key: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        return asyncio.run(self._ask(method, path, key, json.dumps(body).encode()))

    async def _ask(self, method: str, path: str, key: str, body: bytes) -> tuple[int, dict[str, Any]]:
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        scope = {"type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode()}
        headers = [(b"authorization", f"Bearer {key}".encode())]
        await self.app({**scope, "query_string": b"", "headers": headers, "scheme": "http"}, receive, send)
        return said[0]["status"], json.loads(said[1]["body"])

    async def connect(self, path: str, key: str) -> list[Message]:
        """What a WebSocket is told until it leaves."""
        said: list[Any] = []
        inbox = [{"type": "websocket.disconnect", "code": 1000}, {"type": "websocket.connect"}]

        async def receive() -> Any:
            return inbox.pop()

        async def send(message: Any) -> None:
            said.append(message)

        headers = [(b"authorization", f"Bearer {key}".encode())]
        await self.sockets({"type": "websocket", "path": path, "headers": headers}, receive, send)
        return said


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def is_foreign(answer: tuple[int, dict[str, Any]]) -> bool:
    return answer[0] == 403 and answer[1]["error"]["code"] == "robot_not_of_key"


def test_a_key_makes_tasks_for_its_own_robots(door: Door) -> None:
    assert door.create("fleet-key", robot="go2-01")[0] == 200
    assert is_foreign(door.create("fleet-key", robot="spot-1"))
    assert is_foreign(door.create("fleet-key", robot="GO2-02"))
    assert door.create("free-key", robot="spot-7")[0] == 200


@pytest.mark.parametrize(("key", "robot"), [("one-key", "spot-1"), ("mixed-key", "spot-1")])
def test_without_a_name_it_is_the_only_one_that_the_key_names(door: Door, key: str, robot: str) -> None:
    status, made = door.create(key)
    assert (status, made["robot"]) == (200, robot)


@pytest.mark.parametrize("key", ["fleet-key", "two-key"])
def test_where_there_is_no_only_one_the_robot_is_named(door: Door, key: str) -> None:
    status, answer = door.create(key)
    assert status == 400 and answer["error"]["param"] == "config.robot" and "robot" in answer["detail"]
    assert door.create("free-key")[0] == 200


def test_it_sends_frames_and_changes_tasks_of_its_own_robots_alone(door: Door) -> None:
    own, other = door.task_of("go2-01"), door.task_of("spot-1")
    for path in ("/vln/frame", "/vln/frame/sync"):
        assert is_foreign(door.ask("POST", path, "fleet-key", {"task_id": other, "frame": ""}))
    assert door.ask("POST", "/vln/frame", "fleet-key", {"task_id": own, "frame": ""})[0] == 200
    assert is_foreign(door.ask("DELETE", f"/vln/task/{other}", "fleet-key"))
    assert door.ask("GET", f"/vln/task/{other}", "fleet-key")[0] == 200
    assert door.ask("DELETE", f"/vln/task/{own}", "fleet-key")[0] == 200


async def test_its_websocket_is_for_its_own_robots_alone(door: Door) -> None:
    own, other = door.task_of("go2-01"), door.task_of("spot-1")
    for path in (f"/vln/ws/{other}", "/vln/robot/spot-1", f"/vln/stream/{other}"):
        assert (await door.connect(path, "fleet-key"))[-1]["code"] == 4403
    assert (await door.connect(f"/vln/ws/{own}", "fleet-key"))[-1]["type"] == "websocket.accept"


def test_stop_is_bound_unless_it_is_all_that_the_key_may(door: Door) -> None:
    other = f"/vln/task/{door.task_of('spot-1')}/stop"
    assert is_foreign(door.ask("POST", other, "fleet-key"))
    assert is_foreign(door.ask("POST", other, "desk-key"))
    assert door.ask("POST", other, "panel-key")[0] == 200
    assert door.ask("POST", f"/vln/task/{door.task_of('go2-05')}/stop", "desk-key")[0] == 200
