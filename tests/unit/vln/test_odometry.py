"""What odometry may say, and what is done when it contradicts itself or what the robot was told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.motion.commanded import CommandedMotion
from qwen3vl_vln.motion.dead_reckoning import Odometry
from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.motion.track import Speeds, Track

from .legs import Point, Robot, frozen, jumped, mirrored, mirrored_yaw, straight, swapped
from .samples import FORWARD, Walk

AHEAD: list[Point] = [(0.8, 0.0, 0.0)]
LEFT: list[Point] = [(0.0, 0.0, 0.6)]
WIDE = Limits(blind_meters=2.0)


def still(body: dict[str, Any]) -> bool:
    return bool(body["linear_vel"] == 0.0 and body["angular_vel"] == 0.0)


def explained(robot: Robot) -> str:
    task = robot.walk.task
    return task.explain(*task.state(robot.walk.now))


class TestJumps:
    """A step that no robot makes is another origin that was not announced."""

    @pytest.mark.parametrize(
        "by",
        [Pose(0.0, 2.0, 0.0), Pose(0.0, 0.0, 1.5), Pose(0.0, 0.0, -3.0), Pose(0.0, 0.0, 0.9), Pose(-0.3, 0.0, 0.0)],
        ids=["2 m aside", "yaw 1.5", "yaw -3", "yaw 0.9", "0.3 m back"],
    )
    @pytest.mark.parametrize("after", [0.6, 0.9, 1.4])
    def test_the_plan_is_dropped_and_nothing_is_turned(self, by: Pose, after: float) -> None:
        robot = Robot(Walk(limits=WIDE), [AHEAD], odometry=jumped(after, by)).run(6.0)
        assert "odometry_jump" in robot.reasons and robot.answers[-1]["state"] == "hold"
        assert robot.radians <= 0.1 and robot.metres < 0.8
        assert "jumped by" in explained(robot)

    def test_the_plan_of_a_later_picture_is_driven(self) -> None:
        robot = Robot(Walk(limits=WIDE), [AHEAD] * 20, odometry=jumped(1.0, Pose(0.0, 2.0, 0.0))).run(6.0)
        assert [body["reason"] for body in robot.answers].count("odometry_jump") < 30
        assert robot.metres > 0.8 and robot.pose.y == pytest.approx(0.0, abs=0.05)

    def test_the_plan_of_a_picture_from_before_is_not(self) -> None:
        walk = Walk()
        walk.run(0.2, odometry=Odometry(Pose(), 1))
        key = walk.key
        walk.run(0.2, odometry=Odometry(Pose(2.0, 0.0, 0.0), 1))
        walk.result("plan", FORWARD, frame=key)
        body = walk.frame(odometry=Odometry(Pose(2.0, 0.0, 0.0), 1))
        assert still(body) and (body["state"], body["reason"]) == ("hold", "odometry_jump")
        walk.result("plan", FORWARD)
        assert walk.run(0.3, odometry=Odometry(Pose(2.0, 0.0, 0.0), 1))[-1]["linear_vel"] > 0

    def test_an_announced_origin_is_no_jump(self) -> None:
        walk = Walk()
        walk.run(0.2, odometry=Odometry(Pose(), 1))
        walk.result("plan", FORWARD)
        assert walk.run(0.3, odometry=Odometry(Pose(), 1))[-1]["linear_vel"] > 0
        assert walk.run(0.1, odometry=Odometry(Pose(5.0, 5.0, 2.0), 2))[-1]["state"] == "moving"

    def test_many_small_steps_are_one_over_a_second(self) -> None:
        track, fastest = Track(), Speeds(0.6, 0.8)
        found = []
        for turn in range(60):
            pose, captured = Pose(0.1 * turn, 0.0, 0.0), turn / 30
            found.append(track.jumps(pose, captured, fastest))
            track.take(pose, captured)
        assert not found[1] and any(found)

    @pytest.mark.parametrize("speed", [0.3, 0.6])
    @pytest.mark.parametrize("hz", [1.0, 5.0, 30.0])
    def test_measurements_that_come_seldom_are_no_jumps(self, hz: float, speed: float) -> None:
        track, fastest = Track(), Speeds(0.6, 0.8)
        for turn in range(300):
            captured = turn / 30
            measured = int(captured * hz) / hz
            pose = Pose(speed * measured, 0.03 * (-1) ** int(measured * hz), 0.5 * measured)
            assert hz < 2 or not track.jumps(pose, captured, fastest)
            track.take(pose, captured)

    def test_speeds_that_were_told_until_a_moment_ago_are_believed(self) -> None:
        walk = Walk(limits=Limits(linear_meters_per_second=3.0, linear_acceleration=10.0, blind_meters=10.0))
        robot = Robot(walk, [[(1.0, 0.0, 0.0)] * 3]).run(1.2)
        assert robot.answers[-1]["linear_vel"] > 1.5
        slow = replace(walk.task.settings, limits=walk.limits.model_copy(update={"linear_meters_per_second": 0.1}))
        walk.task.edit(slow)
        robot.run(0.5)
        assert "odometry_jump" not in robot.reasons

    def test_a_robot_that_stood_for_long_may_not_be_elsewhere_at_once(self) -> None:
        walk = Walk()
        walk.run(20.0, odometry=Odometry(Pose(), 1))
        assert walk.frame(odometry=Odometry(Pose(0.0, 0.0, 0.9), 1))["reason"] == "odometry_jump"


class TestOrder:
    """Poses are ordered by when they were captured; one that comes late only says where its picture was taken."""

    def test_a_late_pose_is_not_the_pose_of_now(self) -> None:
        walk = Walk()
        for turn in range(10):
            walk.now += 1 / 30
            walk.frame(image=None, captured=turn / 30, odometry=Odometry(Pose(0.01 * turn, 0.0, 0.0), 1))
        walk.now += 1 / 30
        walk.frame(captured=5 / 30, age_seconds=5 / 30, odometry=Odometry(Pose(0.05, 0.0, 0.0), 1))
        assert walk.task.execution.reckoning.odometry == Pose(0.09, 0.0, 0.0)
        walk.result("plan", FORWARD)
        body = walk.frame(image=None, captured=11 / 30, odometry=Odometry(Pose(0.09, 0.0, 0.0), 1))
        assert body["waypoints"][0]["dx"] == pytest.approx(0.46), "driven since that picture: 4 cm"

    def test_late_poses_of_a_moving_robot_are_no_jumps(self) -> None:
        robot = Robot(Walk(limits=WIDE), [AHEAD] * 5, picture_age=0.4).run(10.0)
        assert not robot.reasons & {"odometry_jump", "not_moving"} and robot.metres > 1.0

    def test_a_clock_that_was_set_back_begins_anew(self) -> None:
        walk = Walk()
        walk.frame(captured=100.0, odometry=Odometry(Pose(1.0, 0.0, 0.0), 1))
        walk.frame(captured=40.0, odometry=Odometry(Pose(1.5, 0.0, 0.0), 1))
        assert walk.task.execution.reckoning.odometry == Pose(1.5, 0.0, 0.0)

    def test_without_odometry_a_picture_is_anchored_where_what_was_told_led_when_it_was_taken(self) -> None:
        walk = Walk()
        walk.frame()
        walk.result("plan", FORWARD)
        answers = walk.run(0.8)
        walk.now += 1 / 30
        walk.frame(age_seconds=0.4)
        driven = sum(body["linear_vel"] / 30 for body in answers[-12:])
        walk.result("plan", FORWARD)
        assert walk.frame(image=None)["waypoints"][0]["dx"] == pytest.approx(0.5 - driven, abs=0.02)


class TestAgreement:
    """What was told up to 0.7 s ago must show in the odometry."""

    def test_a_robot_that_does_not_move(self) -> None:
        robot = Robot(Walk(limits=WIDE), [AHEAD], odometry=frozen).run(6.0)
        assert "not_moving" in robot.reasons and robot.answers[-1]["state"] == "hold"
        assert 0.3 <= robot.metres < 0.8 and "the odometry shows 0.00 m" in explained(robot)

    def test_a_robot_that_does_not_turn(self) -> None:
        robot = Robot(Walk(), [LEFT, LEFT], odometry=frozen).run(6.0)
        assert "not_moving" in robot.reasons and "rad" in explained(robot)

    def test_one_that_stops_moving_on_its_way(self) -> None:
        def held(pose: Pose, seconds: float) -> Pose:
            return pose if seconds < 4.0 else Pose(1.0, 0.0, 0.0)

        robot = Robot(Walk(limits=WIDE), [[(1.0, 0.0, 0.0)] * 2] * 20, odometry=held, latency=1.0)
        robot.walk.task.settings = replace(
            robot.walk.task.settings, limits=WIDE.model_copy(update={"linear_meters_per_second": 0.3})
        )
        robot.run(12.0)
        assert robot.reasons & {"not_moving", "stuck"}

    def test_the_next_plan_is_tried_and_the_third_time_it_is_stuck(self) -> None:
        robot = Robot(Walk(limits=WIDE), [AHEAD] * 20, odometry=frozen).run(20.0)
        assert {"not_moving", "stuck"} <= robot.reasons and robot.answers[-1]["reason"] == "stuck"
        assert robot.metres < 3 * 0.8
        assert "does not move" in explained(robot) and "waits for another instruction" in explained(robot)
        robot.walk.task.edit(replace(robot.walk.task.settings, instruction="Walk to the blue door."))
        assert robot.walk.task.state(robot.walk.now)[1] != "stuck"

    def test_a_result_of_a_picture_from_before_is_not_driven(self) -> None:
        robot = Robot(Walk(limits=WIDE), [AHEAD, AHEAD], odometry=frozen)
        while "not_moving" not in robot.reasons:
            robot.step(1 / 30)
        walk, key = robot.walk, robot.walk.key
        walk.result("plan", FORWARD, frame=key)
        assert still(walk.frame(odometry=Odometry(Pose(), 1))) and walk.task.follower is None

    @pytest.mark.parametrize("turn", [0.6, -0.6])
    def test_a_mirrored_yaw_is_named_and_lasts(self, turn: float) -> None:
        plan: list[Point] = [(0.0, 0.0, turn)]
        robot = Robot(Walk(), [plan] * 20, odometry=mirrored).run(15.0)
        assert robot.answers[-1]["state"] == "hold" and robot.answers[-1]["reason"] == "odometry_mirrored"
        assert "the other way" in explained(robot)
        told = robot.radians
        assert robot.run(5.0).radians == told, "no plan helps"
        assert robot.walk.task.follower is None

    @pytest.mark.parametrize("odometry", [swapped, lambda pose, seconds: Pose(-pose.x, -pose.y, pose.yaw)])
    def test_axes_that_are_not_the_robot_s_are_named_and_last(self, odometry: Callable[[Pose, float], Pose]) -> None:
        robot = Robot(Walk(limits=WIDE), [AHEAD] * 20, odometry=odometry).run(10.0)
        assert robot.answers[-1]["state"] == "hold" and robot.answers[-1]["reason"] == "odometry_axes"
        assert "off the heading" in explained(robot) and robot.metres <= 0.8

    def test_another_origin_or_another_run_makes_them_good(self) -> None:
        for repair in ("origin", "run", "instruction"):
            robot = Robot(Walk(limits=WIDE), [AHEAD] * 20, odometry=swapped).run(6.0)
            walk = robot.walk
            assert robot.answers[-1]["reason"] == "odometry_axes"
            if repair == "run":
                walk.task.granted(2, other=True)
                walk.pictures = 0
            elif repair == "instruction":
                walk.task.edit(replace(walk.task.settings, instruction="Walk to the blue door."))
            at = Odometry(Pose(), 2 if repair == "origin" else 1)
            walk.frame(odometry=at, captured=5000.0)
            walk.result("plan", FORWARD)
            body = walk.run(0.3, odometry=at, captured=5000.1)[-1]
            assert (body["linear_vel"] > 0) == (repair != "instruction"), repair

    def test_mirrored_yaw_with_right_places_is_one_of_them(self) -> None:
        robot = Robot(Walk(limits=WIDE), [LEFT, LEFT, *[AHEAD] * 10], odometry=mirrored_yaw, latency=1.0).run(25.0)
        assert robot.answers[-1]["reason"] in ("odometry_mirrored", "odometry_axes")

    @pytest.mark.parametrize("plan", [AHEAD, LEFT, [(0.3, 0.1, 0.4)], [(0.3, 0.0, -0.5)]])
    def test_a_robot_that_does_as_it_is_told_is_none(self, plan: list[Point]) -> None:
        robot = Robot(Walk(limits=WIDE), [plan] * 50, odometry=straight).run(30.0)
        assert robot.reasons <= {"waiting_for_model", "following_plan", "plan_consumed", "stuck"}
        assert "does not move" not in explained(robot)

    def test_a_robot_that_is_pushed_while_it_stands_is_none(self) -> None:
        walk = Walk(limits=WIDE)
        for turn in range(300):
            walk.now += 1 / 30
            walk.frame(odometry=Odometry(Pose(-0.01 * turn, 0.0, -0.01 * turn), 1))
        assert walk.task.state(walk.now)[0] != "hold"


def test_what_was_told_is_known_for_any_moment_of_the_last_seconds() -> None:
    told = CommandedMotion()
    told.command(0.5, 0.0, 10.0, 0.25)
    told.command(0.0, -0.4, 10.2, 0.25)
    told.command(-0.2, 0.0, 11.0, 0.25)
    told.advance(12.0)
    assert told.mark.metres == pytest.approx(0.1 + 0.05) and told.mark.radians == pytest.approx(0.1)
    assert told.at(10.1).metres == pytest.approx(0.05) and told.at(9.0).metres == 0.0
    assert told.at(10.3).pose.yaw == pytest.approx(-0.04) and told.at(10.9).pose.yaw == pytest.approx(-0.1)
    assert told.ways(10.1) == {1, 0, -1} and told.ways(10.5) == {-1} and told.ways(11.5) == set()
    assert told.fastest(10.3) == (0.2, 0.4)
    assert told.turned_way_since == 10.2
