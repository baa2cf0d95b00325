"""The WebSockets, called as the server calls them, on a clock that only the test moves."""

import json
import socket

import pytest
from tests.support.images import jpeg

from qwen3vl_vln.__main__ import _listen
from qwen3vl_vln.edge.sockets import CONNECTIONS_PER_TASK

from .socket_server import Server

HELLO = json.dumps({"hello": {"writer": "w"}})


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
