"""A client changes its own task, and asks what its key may do."""

import asyncio
import json
from typing import Any

import pytest
from tests.unit.vln.door import Door

from qwen3vl_vln.task.events import Owner


def patch(door: Door, body: Any) -> tuple[int, dict[str, Any]]:
    path = f"/vln/task/{door.entry.task.task_id}"
    return asyncio.run(door.asked("PATCH", path, json.dumps(body).encode()))


def test_another_instruction_drops_the_plan_of_the_old_one() -> None:
    door = Door()
    door.frame()
    door.plan()
    assert door.entry.task.follower is not None
    status, body = patch(door, {"instruction": "Walk to the red door."})
    assert (status, body["instruction"]) == (200, "Walk to the red door.")
    assert door.entry.task.follower is None and door.entry.task.epoch == 2


def test_the_same_instruction_changes_nothing() -> None:
    door = Door()
    door.frame()
    door.plan()
    assert patch(door, {"instruction": "Walk."})[0] == 200
    assert door.entry.task.follower is not None and door.entry.task.epoch == 1


def test_it_pauses_and_goes_on() -> None:
    door = Door()
    assert patch(door, {"state": "Paused"})[1]["phase"] == "Paused" and door.entry.task.paused
    assert patch(door, {"state": "Running", "instruction": "Go on."})[0] == 200
    assert not door.entry.task.paused and door.entry.task.settings.instruction == "Go on."


@pytest.mark.parametrize(
    "body",
    [{"state": "Stopped"}, {"state": " STOP "}, {"state": "stopped", "instruction": 7, "speed": {}}],
)
def test_what_reads_stop_is_obeyed_whatever_stands_beside_it(body: dict[str, Any]) -> None:
    door = Door()
    status, told = patch(door, body)
    assert (status, told["verdict"]) == (200, "Cancelled")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "an instruction, a state"),
        ({"instruction": ""}, "instruction is a text of 1 to 2000 characters"),
        ({"state": "running"}, "Running, Paused, Stopped"),
        ({"instruction": "Go.", "limits": {}}, "limits"),
        ([], "JSON object"),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(body: Any, said: str) -> None:
    door = Door()
    status, told = patch(door, body)
    assert status == 400 and said in told["detail"], told
    assert door.entry.task.settings.instruction == "Walk."


def test_a_task_that_has_ended_is_not_changed() -> None:
    door = Door()
    patch(door, {"state": "Stopped"})
    status, told = patch(door, {"instruction": "Walk on."})
    assert status == 409 and told["error"]["code"] == "finished"


def test_a_navtask_s_task_is_changed_by_the_kubectl_line_that_is_told_and_stopped_by_anybody() -> None:
    door = Door()
    door.entry.task.owned_by(Owner("uid", "robots", "walk", 1))
    status, told = patch(door, {"instruction": "Don't stop at the door."})
    assert status == 409 and told["error"]["code"] == "owned_by_navtask"
    assert "kubectl patch navtask walk --namespace robots --type merge --patch" in told["detail"]
    assert """'{"spec":{"instruction":"Don'"'"'t stop at the door."}}'""" in told["detail"], "a shell reads it as it is"
    assert door.entry.task.settings.instruction == "Walk."
    assert patch(door, {"state": "Stopped"})[1]["verdict"] == "Cancelled"


def test_a_key_is_told_what_it_may_do() -> None:
    status, told = asyncio.run(Door().asked("GET", "/vln/me"))
    assert status == 200
    assert told["rights"] == ["drive", "stop", "view"] and told["robots"] == ["*"] and told["operator"] is False
