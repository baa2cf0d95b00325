"""The HTTP face, called as the server calls it: what a frame's body may do to the answer."""

import asyncio
import json

import pytest

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.ipc.to_edge import Fault, FrameDecoded, FrameFault

from .door import Door


@pytest.fixture
def door() -> Door:
    door = Door()
    door.frame()
    door.plan()
    for _ in range(30):
        door.now += 0.05
        status, body = door.frame()
    assert status == 200 and body["linear_vel"] == pytest.approx(0.5)
    return door


def test_a_slow_upload_among_quick_ones_makes_no_robot_quicker(door: Door) -> None:
    def others() -> None:
        for _ in range(40):
            door.now += 0.05
            door.frame()

    _, body = door.frame(meanwhile=others)
    assert abs(body["linear_vel"]) <= 0.5 and abs(body["angular_vel"]) <= 0.8


def test_a_picture_that_was_long_under_way_is_not_walked_by(door: Door) -> None:
    def crawl() -> None:
        door.now += 1.5

    _, body = door.frame(meanwhile=crawl)
    assert (body["linear_vel"], body["state"], body["reason"]) == (0.0, "stale", "frame_delayed")
    assert body["age_ms"] == 3000


def test_a_task_is_named_by_a_text(door: Door) -> None:
    status, body = door.frame(task_id=[[]] * 1000)
    assert status == 400 and len(json.dumps(body)) < 1000


def test_a_good_picture_of_before_does_not_uncover_the_present_camera(door: Door) -> None:
    task = door.entry.task
    before = task.epoch
    door.navigation.grant(door.entry, "another", takeover=True)
    door.navigation.on_message(FrameFault(task_id=task.task_id, epoch=task.epoch, fault=Fault.COVERED_CAMERA))
    door.navigation.on_message(FrameDecoded(task_id=task.task_id, epoch=before, key=True, changed=True))
    assert task.camera_monitor.fault is Reason.COVERED_CAMERA


@pytest.mark.parametrize(("origin", "status"), [("http://evil.example", 403), ("http://robots.local", 200)])
def test_where_no_keys_are_asked_for_a_foreign_page_may_not_steer(origin: str, status: int) -> None:
    door = Door()
    path = f"/vln/task/{door.entry.task.task_id}/stop"
    answer = asyncio.run(door._post(path, b"{}", lambda: None, origin=origin, host="robots.local"))
    assert answer[0] == status, answer
