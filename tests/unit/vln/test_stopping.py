"""Whatever looks like a stop is one, on each way in, and nothing else is."""

import asyncio
import json
from typing import Any

import orjson
import pytest
from tests.support.images import jpeg

from qwen3vl_vln.edge.stopping import SHORT_BYTES, state_stops, text_stops

from .door import Door
from .socket_server import Server

STOPS = (
    '{"stop": true}',
    '{"stop":1}',
    '{"stop":"true"}',
    '{"stop":0}',
    '{"stop":{}}',
    '{"STOP":true}',
    '{"Stop":true,"seq":7}',
    "stop",
    "STOP!",
    "please Stop now",
    '"stop"',
    '["stop"]',
    '{"stop":true,}',
    "{'stop': True}",
    '{"cmd":"stop"}',
    '{"stop":false,"cmd":"stop"}',
    "停",
    '{"cmd":"停止"}',
    '{"cmd":"\\u505c\\u6b62"}',
    '{"stop":true,"pad":"' + "x" * 5000 + '"}',
    '{"stop":true,"frame":"' + "x" * 5000 + '"}',
)
NO_STOPS = (
    "",
    "hello",
    "{}",
    '{"stop":false}',
    '{"stop":null}',
    '{"hello":{"writer":"stop"}}',
    '{"hello":{"stop_epoch":0}}',
    '{"frame":"/stop/"}',
    "{" + '"stop' + "x" * SHORT_BYTES,
)


def parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


@pytest.mark.parametrize("text", STOPS)
def test_a_text_that_is_a_stop(text: str) -> None:
    assert text_stops(text, parsed(text)) and text_stops(text.encode(), parsed(text))


@pytest.mark.parametrize("text", NO_STOPS)
def test_a_text_that_is_none(text: str) -> None:
    assert not text_stops(text, parsed(text))


@pytest.mark.parametrize("kind", ["ws", "stream"])
@pytest.mark.parametrize("text", STOPS[1:10])
async def test_it_ends_the_task_on_either_websocket(kind: str, text: str) -> None:
    server = Server()
    robot = server.connect(f"/vln/{kind}/{server.entry.task.task_id}")
    assert (await robot.heard())["type"] == "websocket.accept"
    answer = await robot.says(text)
    assert answer["stopped"] is True and answer["state"] == "stopped"
    assert server.entry.task.verdict == "Cancelled"
    await robot.leaves()


@pytest.mark.parametrize("data", [b"stop", b'{"stop": true}', "停".encode()])
async def test_a_binary_message_may_be_a_stop_too(data: bytes) -> None:
    server = Server()
    robot = server.connect()
    assert (await robot.heard())["type"] == "websocket.accept"
    assert (await robot.says(data))["stopped"] is True
    assert server.entry.task.verdict == "Cancelled"
    await robot.leaves()


@pytest.mark.parametrize("epoch", [1, 1.0, "1", True])
async def test_a_stop_pressed_while_nobody_was_connected_is_one_however_it_is_counted(epoch: object) -> None:
    server = Server()
    robot = server.connect()
    assert (await robot.heard())["type"] == "websocket.accept"
    assert (await robot.says(json.dumps({"hello": {"writer": "go2", "run": "r", "stop_epoch": epoch}})))[
        "stopped"
    ] is True
    assert server.entry.task.verdict == "Cancelled"


async def test_it_needs_no_lease_on_the_json_websocket() -> None:
    server = Server()
    driver = server.connect()
    assert (await driver.heard())["type"] == "websocket.accept"
    await driver.says(jpeg(seed=1))
    other = server.connect(f"/vln/stream/{server.entry.task.task_id}")
    assert (await other.heard())["type"] == "websocket.accept"
    assert (await other.says("stop"))["stopped"] is True
    assert (await driver.says(jpeg(seed=2)))["state"] == "stopped"
    await driver.leaves()
    await other.leaves()


def test_a_post_reads_no_body() -> None:
    door = Door()

    def never() -> None:
        raise AssertionError("the body was asked for")

    status, body = asyncio.run(door._post(f"/vln/task/{door.entry.task.task_id}/stop", b"{", never))
    assert status == 200 and body["status"] == "stopped"
    assert door.entry.task.verdict == "Cancelled"


@pytest.mark.parametrize("state", ["Stopped", "stopped", "STOP", "stop", " Stop "])
def test_a_state_that_stops(state: str) -> None:
    assert state_stops({"state": state, "limits": 7})


@pytest.mark.parametrize("body", [None, [], {}, {"state": "Running"}, {"state": True}, {"state": "nonstop"}])
def test_a_state_that_does_not(body: Any) -> None:
    assert not state_stops(body)


OWNER = {"uid": "0a1b2c3d-0000", "namespace": "robots", "name": "walk", "generation": 1}


@pytest.mark.parametrize("more", [{"limits": 7}, {"owner": None}, {"instruction": ""}, {"owner": OWNER | {"uid": "x"}}])
def test_an_assertion_is_obeyed_before_its_other_fields(more: dict[str, Any]) -> None:
    door = Door(operator_key="operator")
    wish = {"owner": OWNER, "robot": "go2-9", "instruction": "Walk.", "state": "Running"}
    assert door.put("/vln/task/walk-0a1b2c3d", wish)[0] == 200
    door.put("/vln/task/walk-0a1b2c3d", wish | {"state": "STOP"} | more)
    assert door.navigation.tasks.get("walk-0a1b2c3d").task.verdict == "Cancelled"


def test_an_assertion_to_stop_of_a_task_that_has_not_begun() -> None:
    door = Door(operator_key="operator")
    wish = {"owner": OWNER, "robot": "go2-9", "instruction": "Walk.", "state": "stopped"}
    assert door.put("/vln/task/walk-0a1b2c3d", wish | {"limits": 7})[0] == 404
    status, body = door.put("/vln/task/walk-0a1b2c3d", wish | {"state": "Running"})
    assert status == 409 and json.dumps(body["task"]["verdict"]) == '"Cancelled"'


@pytest.mark.parametrize(
    "text",
    [
        '{"stop": true, "stop": false}',
        '{"stop": false, "a": ' + "[" * 300 + "]" * 300 + ', "STOP": 1}',
    ],
)
def test_a_stop_that_json_would_lose_is_one(text: str) -> None:
    assert text_stops(text, orjson.loads(text))


def test_deep_nesting_beside_a_no_is_no_stop_and_no_error() -> None:
    text = '{"stop": false, "a": ' + "[" * 300 + "]" * 300 + "}"
    assert not text_stops(text, orjson.loads(text))


@pytest.mark.parametrize("body", [{"State": "Stopped"}, {"STATE": "stop"}, {" state ": "Stop"}])
def test_a_state_that_reads_stop_is_one_however_its_key_is_written(body: dict[str, str]) -> None:
    assert state_stops(body)
