"""The WebSockets, called as the server calls them, on a clock that only the test moves."""

import asyncio
import json
import socket
from typing import Any

import pytest
from starlette.types import Message
from tests.support.images import jpeg

from qwen3vl_vln.__main__ import _listen
from qwen3vl_vln.edge.identity import Doorkeeper
from qwen3vl_vln.edge.sockets import CONNECTIONS_PER_TASK, Sockets
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.motion.limits import Limits
from qwen3vl_vln.task.calls import Seen
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.task.task import Settings
from qwen3vl_vln.waypoint import Waypoint

from .samples import navigation_without_worker

HELLO = json.dumps({"hello": {"writer": "w"}})


class Server:
    """A VLN API without its worker, and one task."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.navigation = navigation_without_worker()
        self.navigation.now = lambda: self.now  # type: ignore[method-assign]
        self.sockets = Sockets(self.navigation, Doorkeeper(None, None), Bounds(), frozenset())
        limits = Limits(linear_acceleration=10.0)
        self.entry = self.navigation.create(Settings(robot="go2", instruction="Walk.", limits=limits))

    def connect(self, path: str | None = None) -> "Robot":
        return Robot(self, path or f"/vln/ws/{self.entry.task.task_id}")

    def plan(self) -> None:
        """The model says to walk half a metre, by a picture of now."""
        task = self.entry.task
        frame = task.counts.frames
        task.calls.remember(frame, Seen(task.reckoning.fix(), self.now, None))
        task.result(Result(task.epoch, frame, "plan", waypoints=(Waypoint(0.5, 0.0, 0.0),)), self.now, 0.0)


class Robot:
    """One connection; `said` holds what the server sent and nobody has taken."""

    def __init__(self, server: Server, path: str) -> None:
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._inbox.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "path": path, "headers": [], "subprotocols": []}
        self._serving = asyncio.create_task(server.sockets(scope, self._inbox.get, self._said.put))

    async def heard(self) -> Message:
        """The next thing the server says."""
        return await asyncio.wait_for(self._said.get(), 5)

    async def says(self, message: str | bytes) -> dict[str, Any]:
        """Send, and read the answer."""
        name = "text" if isinstance(message, str) else "bytes"
        self._inbox.put_nowait({"type": "websocket.receive", name: message})
        answer: dict[str, Any] = json.loads((await self.heard())["text"])
        return answer

    async def leaves(self) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self._serving


@pytest.mark.parametrize(("greeted", "quick"), [(True, True), (False, False)])
async def test_who_has_not_said_hello_has_no_watchdog(greeted: bool, quick: bool) -> None:
    server = Server()
    robot = server.connect()
    assert (await robot.heard())["type"] == "websocket.accept"
    if greeted:
        assert "hello" in await robot.says(HELLO)
    await robot.says(jpeg(seed=1))
    server.plan()
    beyond = []
    for seed in (2, 3):
        server.now += 0.1
        answer = await robot.says(jpeg(seed=seed))
        assert answer["state"] == "moving" and answer["linear_vel"] > 0.3
        beyond.append(answer["linear_vel"] * 1.0 > answer["waypoints"][0]["dx"])
    await robot.leaves()
    assert any(beyond) is quick, "a second of it is more than is left of the plan"


async def test_a_reason_to_close_is_no_longer_than_the_protocol_allows() -> None:
    robot = Server().connect(f"/vln/robot/{'巡' * 100}")
    assert (await robot.heard())["type"] == "websocket.accept"
    closed = await robot.heard()
    assert closed["code"] == 4004 and closed["reason"].startswith("robot '巡巡")
    assert len(closed["reason"].encode()) <= 123


async def test_a_task_has_a_bounded_number_of_connections() -> None:
    server = Server()
    robots = [server.connect() for _ in range(CONNECTIONS_PER_TASK)]
    for robot in robots:
        assert (await robot.heard())["type"] == "websocket.accept"
    one_more = server.connect()
    assert (await one_more.heard())["type"] == "websocket.accept"
    assert (await one_more.heard())["code"] == 4429
    await robots.pop().leaves()
    again = server.connect()
    assert (await again.heard())["type"] == "websocket.accept"
    assert "hello" in await again.says(HELLO)
    for robot in (*robots, again):
        await robot.leaves()


def test_a_connection_of_a_robot_that_vanished_ends() -> None:
    with _listen("127.0.0.1", 0) as listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 10
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2000
