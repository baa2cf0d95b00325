"""Room for tasks: one client that makes many keeps out neither another one nor the operator."""

import asyncio
import json
from typing import Any

import pytest

from qwen3vl_common.navigation.states import Verdict
from qwen3vl_vln.edge.http import app
from qwen3vl_vln.edge.identity import Authenticator
from qwen3vl_vln.edge.navigation import Assertion, Navigation
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.task.events import Frame, Owner
from qwen3vl_vln.task.settings import Settings

from .samples import navigation_without_worker


class Room:
    """A VLN API without keys, whose clients are told apart by their addresses, on a clock of the test."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.navigation: Navigation = navigation_without_worker()
        self.navigation.now = lambda: self.now  # type: ignore[method-assign]
        authenticator = Authenticator(None, "operator-key")
        self.app = app.build(self.navigation, authenticator, Bounds(), model="m", ready=lambda: True)

    def create(self, address: str = "10.0.0.1", **headers: str) -> tuple[int, dict[str, Any]]:
        """A task by REST: status and answer."""
        return asyncio.run(self._create(address, headers))

    async def _create(self, address: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b'{"instruction": "Walk."}', "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        path = "/vln/task/create"
        scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode()}
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope |= {"query_string": b"", "headers": given, "scheme": "http", "client": (address, 4242)}
        await self.app(scope, receive, send)
        return said[0]["status"], json.loads(said[1]["body"])

    def assert_task(self, name: str) -> None:
        """A NavTask's task."""
        owner = Owner(f"uid-{name}", "robots", name, 1)
        self.navigation.assert_task(name, Assertion(owner, Settings(name, "Walk."), "Running"))


@pytest.fixture
def room() -> Room:
    return Room()


def test_one_client_makes_no_more_than_its_share(room: Room) -> None:
    made = [room.create() for _ in range(33)]
    assert [status for status, _ in made] == [200] * 32 + [429]
    error = made[-1][1]["error"]
    assert error["code"] == "too_many_tasks" and "32" in error["message"]
    assert room.create("10.0.0.2")[0] == 200
    room.navigation.stop(room.navigation.tasks.get(made[0][1]["task_id"]), "enough")
    assert room.create()[0] == 200


def test_a_quarter_of_the_room_is_the_operators(room: Room) -> None:
    made = [room.create(f"10.0.0.{number % 20}")[0] for number in range(250)]
    assert made == [200] * 192 + [429] * 58
    for number in range(63):
        room.assert_task(f"walk-{number}")
    operator = {"authorization": "Bearer operator-key"}
    assert [room.create(**operator)[0] for _ in range(2)] == [200, 429]


def test_a_task_that_no_robot_comes_for_ends(room: Room) -> None:
    waiting, walking = (room.navigation.tasks.get(room.create()[1]["task_id"]).task for _ in range(2))
    room.assert_task("walk")
    room.now += 599.0
    walking.frame(Frame(room.now))
    room.navigation.look_at_clock()
    assert waiting.verdict is None
    room.now += 1.0
    room.navigation.look_at_clock()
    assert waiting.verdict is Verdict.ROBOT_SILENT and "10 minutes" in waiting.message
    assert walking.verdict is None and room.navigation.tasks.get("walk").task.verdict is None
