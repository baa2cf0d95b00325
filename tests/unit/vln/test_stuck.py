"""A robot that is driven and gets nowhere stands, tries again, and at last waits for a person."""

import math
from dataclasses import replace
from typing import Any

import pytest

from qwen3vl_vln.task.record import record

from .samples import FORWARD, Walk

LEFT, RIGHT = (0.0, 0.0, 0.3), (0.0, 0.0, -0.3)


def driven(walk: Walk, *points: tuple[float, float, float], seconds: float = 1.5) -> list[dict[str, Any]]:
    """A picture, its plan, and the answers while it is driven."""
    walk.run(0.1)
    walk.result("plan", *points)
    return walk.run(seconds)


def is_stuck(walk: Walk) -> bool:
    body = walk.frame()
    assert not (body["reason"] == "stuck" and (body["linear_vel"] or body["angular_vel"]))
    return bool(body["state"] == "hold" and body["reason"] == "stuck")


def test_turning_to_and_fro() -> None:
    walk = Walk()
    stuck_after = next(n for n in range(20) if driven(walk, LEFT if n % 2 else RIGHT) and is_stuck(walk))
    assert stuck_after == 6
    assert "to and fro" in walk.task.explain(*walk.task.state(walk.now))


def test_plans_that_turn_to_and_fro_in_themselves() -> None:
    walk = Walk()
    assert next(n for n in range(20) if driven(walk, LEFT, RIGHT) and is_stuck(walk)) == 3


def test_turning_with_a_step_between_is_no_fault() -> None:
    walk = Walk()
    for n in range(20):
        driven(walk, LEFT if n % 2 else RIGHT)
        driven(walk, FORWARD)
        assert not is_stuck(walk)


def test_one_round_is_a_search_and_two_are_not() -> None:
    walk = Walk()
    turned = 0.0
    while not is_stuck(walk):
        driven(walk, (0.0, 0.0, 0.7), seconds=2.0)
        turned += 0.7
        assert turned < 20
    assert 4 * math.pi <= turned + 0.7 and turned > 3 * math.pi


@pytest.mark.parametrize(("points", "least"), [([FORWARD], 0.5), ([(0.0, 0.0, 0.8)], 1.2)])
def test_a_picture_that_does_not_change_while_the_robot_is_driven(
    points: list[tuple[float, float, float]], least: float
) -> None:
    walk = Walk()
    walk.task.on_decoded(walk.now, changed=True)
    for _ in range(4):
        driven(walk, *points, seconds=3.0)
        walk.task.on_decoded(walk.now, changed=False)
        if is_stuck(walk):
            break
    assert is_stuck(walk)
    assert (
        max(walk.task.execution.reckoning.commanded_metres, abs(walk.task.execution.reckoning.commanded_pose.yaw))
        >= least
    )
    assert "does not change" in walk.task.explain(*walk.task.state(walk.now))


def test_a_robot_that_stands_may_see_the_same_for_ever() -> None:
    walk = Walk()
    for _ in range(100):
        walk.run(0.2)
        walk.task.on_decoded(walk.now, changed=False)
        assert not is_stuck(walk)


def test_it_stands_three_seconds_then_the_model_may_try_again() -> None:
    walk = Walk()
    for n in range(7):
        driven(walk, LEFT if n % 2 else RIGHT)
    assert is_stuck(walk)
    assert all(body["linear_vel"] == 0 for body in driven(walk, FORWARD, seconds=1.0))
    walk.run(2.5)
    assert driven(walk, FORWARD)[5]["linear_vel"] > 0


def test_the_third_time_only_another_instruction_or_a_pause_helps() -> None:
    walk = Walk()
    for _ in range(3):
        for n in range(7):
            driven(walk, LEFT if n % 2 else RIGHT)
        assert is_stuck(walk)
        walk.run(4)
    driven(walk, FORWARD)
    assert is_stuck(walk)
    assert "another instruction" in walk.task.explain(*walk.task.state(walk.now))
    walk.task.edit(replace(walk.task.settings, instruction="Walk to the blue door."))
    assert any(body["linear_vel"] > 0 for body in driven(walk, FORWARD))


def test_it_still_takes_the_goal_and_the_stop() -> None:
    walk = Walk()
    for n in range(7):
        driven(walk, LEFT if n % 2 else RIGHT)
    assert is_stuck(walk)
    walk.result("goal")
    walk.run(1)
    walk.result("goal")
    assert walk.frame()["reached_goal"]


class TestAnotherCamera:
    """Pictures of another shape are of another camera: nothing of the former ones holds."""

    def test_the_plan_and_what_was_asked_are_void(self) -> None:
        walk = Walk()
        walk.frame(size=(640, 480))
        first, epoch = walk.key, walk.task.epoch
        walk.result("plan", FORWARD)
        assert walk.run(0.3, size=(640, 480))[-1]["linear_vel"] > 0
        body = walk.frame(size=(1280, 720))
        assert body["linear_vel"] == 0 and (body["state"], body["reason"]) == ("hold", "camera_changed")
        assert walk.task.epoch == epoch + 1 and walk.task.camera_monitor.number == 2
        walk.result("plan", FORWARD, frame=first, epoch=epoch)
        assert walk.run(0.3, size=(1280, 720))[-1]["linear_vel"] == 0
        walk.result("plan", FORWARD)
        assert walk.run(0.3, size=(1280, 720))[-1]["linear_vel"] > 0

    def test_a_robot_may_say_which_of_its_cameras_it_is(self) -> None:
        walk = Walk()
        walk.frame(camera=1)
        walk.result("plan", FORWARD)
        assert walk.run(0.3, camera=1)[-1]["linear_vel"] > 0
        body = walk.frame(camera=2)
        assert body["linear_vel"] == 0 and (body["state"], body["reason"]) == ("hold", "camera_changed")

    def test_a_tick_or_a_damaged_picture_has_no_shape(self) -> None:
        walk = Walk()
        walk.frame(size=(640, 480))
        walk.frame(image=None, size=(0, 0))
        walk.frame(size=(640, 480))
        assert walk.task.camera_monitor.number == 1


@pytest.mark.parametrize("streamed", [True, False])
def test_what_the_third_time_was_stays_said_however_the_answers_come(streamed: bool) -> None:
    """Also when the opening of an answer is what found it, and the rest of it only confirms the opening."""
    walk = Walk()
    for turn in range(200):
        walk.run(0.1)
        key, points = walk.key, LEFT if turn % 2 else RIGHT
        if streamed:
            walk.early_plan(points)
            walk.now += 0.1
        walk.result("plan", points, frame=key)
        walk.run(1.5)
        if walk.task.execution.stuck.tries == 3:
            break
    assert is_stuck(walk)
    for shown in (walk.task.explain(*walk.task.state(walk.now)), record(walk.task, walk.now)["message"]):
        assert shown == "the robot turns to and fro; it waits for another instruction"
    walk.result("hold", detail="I wait")
    walk.result("plan", FORWARD)
    walk.run(0.5)
    assert record(walk.task, walk.now)["message"].startswith("the robot turns to and fro;")
