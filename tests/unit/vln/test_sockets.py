"""The WebSockets, called as the server calls them, on a clock that only the test moves."""

import json
import socket
from typing import Any

import pytest
from tests.support.images import jpeg

from qwen3vl_client.protocol import message
from qwen3vl_vln.__main__ import _listen
from qwen3vl_vln.edge.sockets.connections import CONNECTIONS_PER_TASK
from qwen3vl_vln.task.calls import FramePose
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.waypoint import Waypoint

from .socket_server import Robot, Server

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


async def opened(server: Server, hello: dict[str, Any] | None = None) -> tuple[Robot, dict[str, Any]]:
    """A connection that has said who it is, and what the server said to that."""
    robot = server.connect()
    assert (await robot.heard())["type"] == "websocket.accept"
    return robot, {} if hello is None else (await robot.says(json.dumps({"hello": hello})))["hello"]


def picture(number: int) -> bytes:
    return message(number, number / 10, jpeg=jpeg(seed=number), age_seconds=0.02)


async def test_a_program_that_was_started_anew_begins_anew() -> None:
    """The model has been asked about a picture of the run before, and answers now."""
    server = Server()
    first, _ = await opened(server, {"writer": "w", "run": "1"})
    await first.says(picture(1))
    await first.says(picture(2))
    asked = server.entry.task.epoch
    await first.leaves()
    server.now += 0.1
    second, greeting = await opened(server, {"writer": "w", "run": "2"})
    assert greeting["lease_epoch"] == 2
    await second.says(picture(1))
    task = server.entry.task
    task.calls.remember(2, FramePose(task.execution.reckoning.fix(), server.now - 1.8, None))
    task.result(Result(asked, 2, "plan", waypoints=(Waypoint(0.5, 0.0, 0.0),)), server.now, 0.0)
    server.now += 0.1
    body = await second.says(picture(2))
    assert (body["linear_vel"], body["plan_id"]) == (0.0, None)
    server.plan()
    server.now += 0.1
    assert (await second.says(picture(3)))["state"] == "moving"
    await second.leaves()


async def test_a_connection_of_the_same_run_keeps_what_was_asked() -> None:
    server = Server()
    first, _ = await opened(server, {"writer": "w", "run": "1"})
    await first.says(picture(1))
    epoch = server.entry.task.epoch
    await first.leaves()
    second, _ = await opened(server, {"writer": "w", "run": "1"})
    assert server.entry.task.epoch == epoch
    await second.leaves()


async def test_another_run_of_a_program_that_still_drives_is_kept_out() -> None:
    server = Server()
    first, _ = await opened(server, {"writer": "w", "run": "1"})
    await first.says(picture(1))
    server.now += 0.4
    second, _ = await opened(server)
    closed = await second.says_and_is_closed(json.dumps({"hello": {"writer": "w", "run": "2"}}))
    assert closed["code"] == 4409 and "another run" in closed["reason"]
    assert (await first.says(picture(2)))["reason"] != "lease_changed"
    server.now += 0.5
    third, greeting = await opened(server, {"writer": "w", "run": "2"})
    assert greeting["lease_epoch"] == 2
    assert (await first.heard())["code"] == 4410
    await third.leaves()


async def test_a_hello_without_a_run_is_another_run_on_each_connection() -> None:
    server = Server()
    first, _ = await opened(server, {"writer": "w"})
    await first.says(picture(1))
    epoch = server.entry.task.epoch
    second, _ = await opened(server)
    assert (await second.says_and_is_closed(HELLO))["code"] == 4409
    await first.leaves()
    third, _ = await opened(server, {"writer": "w"})
    assert server.entry.task.epoch == epoch + 1
    await third.leaves()


async def test_fields_that_nobody_knows_are_named_back() -> None:
    server = Server()
    robot, greeting = await opened(server, {"writer": "w", "run": "1", "colour": "red", "Takeover": True})
    assert greeting["ignored"] == ["Takeover", "colour"]
    await robot.leaves()


async def test_a_client_that_names_its_run_says_how_old_its_pictures_are() -> None:
    server = Server()
    robot, _ = await opened(server, {"writer": "w", "run": "1"})
    body = await robot.says(message(1, 0.1, jpeg=jpeg(seed=1)))
    assert (body["state"], body["reason"]) == ("stale", "picture_clock") and "1 ms" in body["message"]
    assert (await robot.says(message(2, 0.2)))["reason"] == "waiting_for_frame", "a tick has no picture"
    await robot.leaves()
    older, _ = await opened(server, {"writer": "w"})
    body = await older.says(message(1, 0.1, jpeg=jpeg(seed=1)))
    assert (body["state"], body["untimed"]) == ("waiting", True)
    await older.leaves()
