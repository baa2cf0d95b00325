"""A slow model makes a robot walk slowly; one that is too slow is named, with what to change."""

import pytest

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.task.record import record
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.tasks import Tasks

from .legs import Point, Robot
from .samples import FORWARD, Walk

AHEAD: list[Point] = [(0.8, 0.0, 0.0)]


@pytest.mark.parametrize("odometry_hz", [5.0, 30.0])
@pytest.mark.parametrize("seconds", [5.0, 7.0, 8.0])
def test_a_model_of_five_to_eight_seconds_walks_with_default_limits(seconds: float, odometry_hz: float) -> None:
    walk = Walk()
    robot = Robot(walk, [AHEAD] * 30, latency=seconds, odometry_hz=odometry_hz).run(60.0)
    calls = 60.0 / seconds
    # The picture that was asked about while it drove is used up by that drive: every other one leads on.
    assert 0.4 * (calls / 2 - 1) <= robot.metres <= Limits().blind_meters * calls
    assert "plan_too_old" not in robot.reasons


def test_no_more_is_driven_on_one_picture_however_slow_the_model() -> None:
    walk = Walk()
    robot = Robot(walk, [AHEAD] * 30, latency=7.0)
    driven, plan, asked = 0.0, None, {0.0}
    for _ in range(1800):
        body = robot.step(1 / 30)
        if body["plan_id"] != plan:
            plan, driven = body["plan_id"], robot.metres
        asked.add(robot.metres - driven)
    assert max(asked) <= Limits().blind_meters + 1e-6


@pytest.mark.parametrize(("seconds", "limit"), [(12.0, 10.0), (3.0, 2.0), (0.8, 0.5)])
def test_a_plan_that_comes_too_late_is_named_with_both_numbers_and_what_to_change(seconds: float, limit: float) -> None:
    walk = Walk(limits=Limits(max_plan_age_seconds=limit))
    robot = Robot(walk, [AHEAD] * 30, latency=seconds).run(5 * seconds)
    said = record(walk.task, walk.now)
    assert robot.metres == 0.0 and said["reason"] == "plan_too_old" and said["state"] == "stale"
    assert said["message"].startswith(f"the model takes {seconds:.1f} s (median of the newest ")
    assert f"limits.maxPlanAgeSeconds is {limit:g}" in said["message"] and "raise it" in said["message"]
    assert said["deadline_misses"] >= 3


def test_one_that_leaves_half_a_second_is_named_too() -> None:
    robot = Robot(Walk(), [AHEAD] * 30, latency=9.6).run(60.0)
    assert "plan_too_old" in robot.reasons and robot.metres > 0.0


def test_what_the_model_took_for_another_robot_is_known_before_the_walk() -> None:
    tasks = Tasks("boot")
    first = tasks.add("a", Settings("go2-a", "Walk."), 0.0).task
    second = tasks.add("b", Settings("go2-b", "Walk."), 0.0).task
    assert second.state(0.0) == ("waiting", "waiting_for_frame")
    for _ in range(3):
        first.pace.took(15.0)
    assert second.state(0.0) == ("waiting", "plan_too_old") and "15.0 s" in second.explain(*second.state(0.0))


def test_an_answer_that_is_read_while_it_is_written_counts_once() -> None:
    walk = Walk(limits=Limits(max_plan_age_seconds=1.0))
    walk.frame()
    key = walk.key
    walk.run(1.2)
    walk.key = key
    walk.early_plan(FORWARD)
    assert walk.run(0.1)[-1]["linear_vel"] == 0.0
    walk.result("plan", FORWARD, frame=key)
    assert walk.task.counts.deadline_misses == 1
