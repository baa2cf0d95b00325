"""One task: no plan means zero, a plan is driven once, and every way of not being sure has its state and reason."""

import math
from dataclasses import replace
from typing import Any

import pytest

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_common.navigation.states import Phase, Reason, Verdict
from qwen3vl_vln.motion.dead_reckoning import Odometry
from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.waypoint import Waypoint

from .samples import BOOT, FORWARD, Walk


def still(body: dict[str, Any]) -> bool:
    return bool(body["linear_vel"] == 0.0 and body["angular_vel"] == 0.0)


def moving() -> Walk:
    walk = Walk()
    walk.frame()
    walk.result("plan", FORWARD)
    assert walk.run(0.3)[-1]["linear_vel"] > 0
    return walk


def test_before_any_plan_all_fields_are_there_and_velocities_are_zero() -> None:
    body = Walk().frame(captured=12.5)
    assert body["linear_vel"] == 0.0 and body["angular_vel"] == 0.0
    assert isinstance(body["linear_vel"], float) and isinstance(body["angular_vel"], float)
    assert body["waypoints"] == [] and body["environment"] == "" and body["action"] == "stop"
    assert body["progress"] == 0.0 and body["reached_goal"] is False and body["visualized_frame"] is None
    assert body["inference_time"] == 0.0 and body["plan_id"] is None and body["captured_at"] is None
    assert (body["state"], body["reason"]) == ("waiting", "waiting_for_model")


def test_a_plan_moves_and_says_where_it_comes_from() -> None:
    walk = Walk()
    walk.frame(captured=50.0)
    walk.now += 0.4
    walk.result("plan", FORWARD, action="forward", model_seconds=0.35)
    body = walk.run(0.2)[-1]
    assert body["state"] == "moving" and 0 < body["linear_vel"] <= 0.6
    assert body["plan_id"].startswith(f"{BOOT}-") and body["captured_at"] == 50.0
    assert body["age_ms"] == pytest.approx(600, abs=2) and body["valid_ms"] == 250
    assert body["inference_time"] == 0.35 and body["action"] == "forward"
    assert body["valid_until"] > 50.0
    assert 0 < body["waypoints"][0]["dx"] < 0.5


def test_frame_ids_rise() -> None:
    ids = [body["frame_id"] for body in Walk().run(0.5)]
    assert ids == sorted(set(ids))


def test_a_plan_is_driven_once_and_then_held() -> None:
    walk = Walk()
    walk.frame()
    walk.result("plan", FORWARD)
    answers = walk.run(5)
    assert sum(abs(body["linear_vel"]) / 30 for body in answers) <= 0.5
    assert answers[-1]["state"] == "hold" and answers[-1]["reason"] == "plan_consumed"
    assert still(answers[-1]) and answers[-1]["waypoints"] == []


def test_no_velocity_in_any_state_but_moving() -> None:
    walk = moving()
    for outcome in ("invalid", "hold", "stop", "goal"):
        walk.frame()
        walk.result("plan", FORWARD)
        walk.run(0.2)
        walk.result(outcome)
        answers = walk.run(0.2)
        assert all(still(body) and body["state"] == "hold" for body in answers)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("invalid", "invalid_result"),
        ("hold", "hold_result"),
        ("stop", "stop_result"),
        ("goal", "goal_candidate"),
        ("pixel_goal", "invalid_result"),
    ],
)
def test_what_is_no_plan_drops_the_plan_at_once(outcome: str, reason: str) -> None:
    walk = moving()
    walk.result(outcome)
    body = walk.frame()
    assert still(body) and (body["state"], body["reason"]) == ("hold", reason) and body["plan_id"] is None


def test_a_failing_model_leaves_the_plan_to_its_end_and_then_is_named() -> None:
    walk = moving()
    walk.fail()
    walk.fail()
    assert walk.frame()["state"] == "moving"
    walk.fail()
    body = walk.frame()
    assert still(body) and (body["state"], body["reason"]) == ("error", "model_failed")
    walk.result("plan", FORWARD)
    assert walk.run(0.2)[-1]["state"] == "moving"


def test_a_model_that_failed_for_long_is_lost() -> None:
    walk = Walk(limits=Limits(model_lost_seconds=5))
    walk.frame()
    walk.fail()
    walk.run(4.9)
    assert walk.task.verdict is None
    walk.run(0.2)
    assert walk.task.verdict is Verdict.MODEL_LOST and "HTTP 503" in walk.task.message


def test_a_hanging_model_is_named_within_three_seconds() -> None:
    walk = moving()
    walk.task.call_began(walk.task.epoch, walk.now)
    assert walk.run(3)[-1]["reason"] == "model_slow"
    assert still(walk.frame())


def test_a_plan_ends_with_its_validity() -> None:
    walk = Walk(limits=Limits(max_plan_age_seconds=0.9))
    walk.frame()
    walk.result("plan", FORWARD)
    body = walk.run(1.0)[-1]
    assert still(body) and (body["state"], body["reason"]) == ("stale", "plan_expired")


def test_no_more_than_blind_metres_is_driven_on_one_picture() -> None:
    walk = Walk(limits=Limits(blind_meters=0.3))
    walk.frame()
    walk.result("plan", FORWARD, FORWARD)
    answers = walk.run(4)
    assert sum(abs(body["linear_vel"]) / 30 for body in answers) <= 0.3
    assert answers[-1]["reason"] == "blind_limit"


def test_a_newer_plan_replaces_the_old_one_and_skips_what_was_driven() -> None:
    walk = Walk()
    walk.frame()
    walk.result("plan", FORWARD)
    walk.run(0.4)
    walk.frame()
    key = walk.key
    driven = sum(body["linear_vel"] / 30 for body in walk.run(0.4)[:-1])
    walk.result("plan", FORWARD, frame=key)
    assert walk.frame()["waypoints"][0]["dx"] == pytest.approx(0.5 - driven, abs=0.03)


class TestGoal:
    def test_one_claim_is_only_a_candidate(self) -> None:
        walk = moving()
        walk.result("goal")
        assert walk.frame()["reason"] == "goal_candidate" and walk.task.verdict is None

    def test_the_second_counts_only_from_a_standing_robot(self) -> None:
        walk = moving()
        walk.result("goal")
        walk.run(0.4)
        walk.result("goal")
        assert walk.task.verdict is None
        walk.run(0.3)
        walk.result("goal")
        body = walk.frame()
        assert walk.task.verdict is Verdict.GOAL_REACHED and walk.task.phase is Phase.FINISHED
        assert body["state"] == "goal" and body["reached_goal"] is True and still(body)

    def test_another_result_between_cancels_it(self) -> None:
        walk = moving()
        walk.result("goal")
        walk.run(0.7)
        walk.result("hold")
        walk.result("goal")
        assert walk.task.verdict is None

    def test_a_rolling_robot_has_not_stood(self) -> None:
        walk = moving()
        walk.result("goal")
        walk.run(1.0, odometry=Odometry(Pose(), 1, 0.4, 0.0))
        walk.result("goal")
        assert walk.task.verdict is None

    def test_the_epoch_of_the_claim_counts(self) -> None:
        walk = moving()
        walk.result("goal")
        walk.run(0.7)
        walk.task.edit(replace(walk.task.settings, instruction="Walk to the blue door."))
        walk.frame()
        walk.result("goal")
        assert walk.task.verdict is None

    def test_five_stops_over_ten_seconds_end_the_task(self) -> None:
        walk = Walk()
        walk.frame()
        for _ in range(4):
            walk.result("stop")
            walk.run(2.4)
        assert walk.task.verdict is None
        walk.run(0.6)
        walk.result("stop")
        assert walk.task.verdict is Verdict.STOPPED_BY_MODEL


class TestEpochs:
    def test_another_instruction_drops_everything_of_the_old_one(self) -> None:
        walk = moving()
        old = walk.task.epoch
        walk.task.edit(replace(walk.task.settings, instruction="Walk to the blue door."))
        body = walk.frame()
        assert still(body) and body["state"] == "waiting"
        walk.result("plan", FORWARD, epoch=old)
        assert still(walk.frame()) and walk.task.counts.late_results == 1

    def test_the_same_instruction_changes_nothing(self) -> None:
        walk = moving()
        epoch = walk.task.epoch
        walk.task.edit(replace(walk.task.settings))
        assert walk.task.epoch == epoch and walk.frame()["state"] == "moving"

    def test_pause_stands_and_resume_needs_a_new_result(self) -> None:
        walk = moving()
        walk.task.pause()
        body = walk.frame()
        assert still(body) and (body["state"], body["reason"]) == ("hold", "paused")
        walk.task.resume()
        assert still(walk.frame())
        walk.result("plan", FORWARD)
        assert walk.run(0.2)[-1]["state"] == "moving"

    def test_stop_is_latched(self) -> None:
        walk = moving()
        walk.task.stop(walk.now, walk.wall)
        walk.task.stop(walk.now, walk.wall)
        walk.task.resume()
        walk.result("plan", FORWARD)
        body = walk.frame()
        assert still(body) and body["state"] == "stopped" and walk.task.verdict is Verdict.CANCELLED

    def test_a_restarted_task_holds_until_a_new_result(self) -> None:
        walk = Walk(restarted=True)
        body = walk.frame()
        assert still(body) and (body["state"], body["reason"]) == ("hold", "restarted")
        walk.result("plan", FORWARD)
        assert walk.run(0.2)[-1]["state"] == "moving"


class TestFrames:
    def test_an_unusable_picture_drops_the_plan(self) -> None:
        walk = moving()
        body = walk.frame(fault=Reason.UNUSABLE_FRAME)
        assert still(body) and (body["state"], body["reason"]) == ("error", "unusable_frame")
        assert walk.frame()["state"] != "moving"

    def test_a_frozen_camera_drops_the_plan_within_two_pictures(self) -> None:
        walk = moving()
        walk.frame(image=b"same")
        walk.frame(image=b"same")
        body = walk.frame(image=b"same")
        assert still(body) and body["reason"] == "frozen_camera"
        assert walk.frame(image=b"same")["reason"] == "frozen_camera" and not walk.offered
        assert walk.frame()["state"] == "hold" and walk.offered, "a picture that differs may be looked at again"

    def test_an_older_picture_does_not_thaw_a_frozen_camera(self) -> None:
        walk = moving()
        for _ in range(3):
            walk.frame(image=b"same")
        walk.task.camera_monitor.decoded_ok()
        assert walk.frame(image=b"same")["reason"] == "frozen_camera" and not walk.offered

    def test_a_plan_also_expires_while_no_frame_comes(self) -> None:
        walk = moving()
        walk.now += 6
        walk.task.expire(walk.now, walk.wall)
        assert walk.task.state(walk.now) == ("stale", "plan_expired"), "a reader must not be told that it moves"

    def test_a_covered_camera_drops_the_plan(self) -> None:
        walk = moving()
        walk.task.camera_fault(Reason.COVERED_CAMERA)
        assert walk.frame()["reason"] == "covered_camera"
        walk.task.camera_monitor.decoded_ok()
        assert still(walk.frame())

    def test_an_old_sequence_number_is_not_looked_at(self) -> None:
        walk = moving()
        body = walk.frame(sequence=1)
        assert still(body) and not walk.offered and walk.task.counts.old_sequences == 1

    def test_a_delayed_frame_stands(self) -> None:
        body = moving().frame(delayed=True)
        assert still(body) and (body["state"], body["reason"]) == ("stale", "frame_delayed")

    def test_blocked_forbids_motion_and_keeps_the_plan(self) -> None:
        walk = moving()
        assert walk.frame(blocked=True)["reason"] == "blocked"
        assert walk.run(0.2)[-1]["state"] == "moving"

    def test_an_emergency_stop_drops_the_plan(self) -> None:
        walk = moving()
        assert walk.frame(emergency_stop=True)["reason"] == "emergency_stop"
        assert still(walk.frame())

    def test_odometry_that_is_no_number_drops_the_plan(self) -> None:
        walk = moving()
        assert walk.frame(odometry_bad=True)["reason"] == "bad_odometry"
        assert still(walk.frame())

    def test_ticks_without_pictures_move_for_one_second_at_most(self) -> None:
        walk = Walk(limits=Limits(blind_meters=5, linear_meters_per_second=0.1))
        walk.frame()
        walk.result("plan", FORWARD)
        answers = walk.run(1.2, image=None)
        assert answers[10]["state"] == "moving"
        assert (answers[-1]["state"], answers[-1]["reason"]) == ("stale", "no_image") and still(answers[-1])

    def test_another_writer_gets_no_old_plan(self) -> None:
        walk = moving()
        walk.task.granted(2, other=True)
        body = walk.frame()
        assert still(body) and body["lease_epoch"] == 2

    def test_a_silent_worker_is_an_error(self) -> None:
        walk = moving()
        walk.task.on_worker_silent()
        body = walk.frame()
        assert still(body) and (body["state"], body["reason"]) == ("error", "worker_silent")


class TestEnds:
    def test_a_silent_robot(self) -> None:
        walk = Walk(limits=Limits(robot_silent_seconds=3))
        walk.now += 100
        walk.task.expire(walk.now, walk.wall)
        assert walk.task.verdict is None, "silence counts only after the first frame"
        walk.frame()
        walk.now += 3.1
        walk.task.expire(walk.now, walk.wall)
        assert walk.task.verdict is Verdict.ROBOT_SILENT

    def test_the_deadline_counts_pauses(self) -> None:
        walk = Walk(limits=Limits(timeout_seconds=4))
        walk.frame()
        walk.task.pause()
        walk.run(4.1)
        assert walk.task.verdict is Verdict.DEADLINE_EXCEEDED

    def test_the_step_limit(self) -> None:
        walk = Walk(limits=Limits(max_steps=2))
        walk.frame()
        for _ in range(3):
            walk.result("plan", FORWARD)
            walk.run(0.3)
        assert walk.task.verdict is Verdict.STEP_LIMIT and walk.task.steps == 2
        assert still(walk.frame())


def test_a_client_without_watchdog_never_gets_more_than_its_next_frame_allows() -> None:
    walk = Walk(watchdog=False)
    walk.frame()
    walk.result("plan", FORWARD)
    driven = 0.0
    for _ in range(40):
        walk.now += 0.4
        body = walk.frame()
        driven += body["linear_vel"] * 1.0
        assert body["linear_vel"] * 1.0 <= 0.5
        driven -= body["linear_vel"] * 0.6
    assert driven <= 0.5


@pytest.mark.parametrize(("gap", "counted"), [(0.1, 0.1), (0.8, 0.8), (2.0, 1.0)])
def test_without_a_watchdog_an_answer_counts_until_the_next_frame_and_one_second_at_most(
    gap: float, counted: float
) -> None:
    walk = Walk(watchdog=False, limits=Limits(blind_meters=5.0))
    walk.frame()
    walk.result("plan", *[(1.0, 0.0, 0.0)] * 3)
    told = walk.run(0.5)[-1]["linear_vel"]
    before = walk.task.execution.reckoning.commanded_metres
    walk.now += gap
    walk.frame()
    assert walk.task.execution.reckoning.commanded_metres - before == pytest.approx(counted * told)


class TestReverse:
    """The limit of now counts, whatever the worker knew of it when it read the plan."""

    BACK = (-0.5, 0.0, 0.0)

    def test_what_is_forbidden_meanwhile_is_not_driven_on(self) -> None:
        walk = Walk(limits=Limits(reverse=True))
        walk.frame()
        walk.result("plan", self.BACK)
        assert walk.run(0.3)[-1]["linear_vel"] < 0
        walk.task.edit(replace(walk.task.settings, limits=Limits(reverse=False)))
        body = walk.frame()
        assert still(body) and (body["state"], body["reason"]) == ("hold", "invalid_result")

    def test_nor_begun(self) -> None:
        walk = Walk()
        walk.frame()
        walk.early_plan(FORWARD, self.BACK)
        assert all(map(still, walk.run(0.3)))
        walk.result("plan", FORWARD, self.BACK)
        assert all(map(still, walk.run(0.3)))


class TestAnOpening:
    """The waypoints of a guided answer move the robot before the rest is written; the rest has the last word."""

    def opened(self) -> tuple[Walk, int]:
        walk = Walk()
        walk.frame()
        key = walk.key
        walk.now += 0.3
        walk.early_plan(FORWARD)
        assert walk.run(0.3)[-1]["linear_vel"] > 0
        return walk, key

    def test_the_same_plan_goes_on_and_is_driven_once(self) -> None:
        walk, key = self.opened()
        plan_id, drive = walk.frame()["plan_id"], walk.task.follower
        assert drive is not None
        anchor = drive.anchor
        walk.result("plan", FORWARD, frame=key, action="forward", model_seconds=0.6)
        answers = walk.run(4)
        assert answers[0]["plan_id"] == plan_id and answers[0]["inference_time"] == 0.6
        assert 0.4 < walk.task.execution.reckoning.since(anchor)[2] <= 0.52
        assert walk.task.steps == 1

    def test_one_that_is_driven_already_is_not_begun_again(self) -> None:
        walk, key = self.opened()
        walk.run(0.5)
        walk.task.execution.drop()
        walk.result("plan", FORWARD, frame=key)
        assert all(still(body) for body in walk.run(2))

    @pytest.mark.parametrize("outcome", ["stop", "hold", "goal", "invalid"])
    def test_another_end_drops_it(self, outcome: str) -> None:
        walk, key = self.opened()
        walk.result(outcome, frame=key)
        assert still(walk.frame()) and walk.task.follower is None

    def test_another_plan_takes_its_place(self) -> None:
        walk, key = self.opened()
        walk.result("plan", (0.0, 0.0, 0.6), frame=key)
        body = walk.run(0.2)[-1]
        assert body["linear_vel"] == 0.0 and body["angular_vel"] > 0

    def test_a_stream_that_breaks_off_drops_it(self) -> None:
        walk, key = self.opened()
        walk.task.failed(walk.task.epoch, key, "the stream broke off", walk.now, deadline=False)
        body = walk.frame()
        assert still(body) and (body["state"], body["reason"]) == ("hold", "invalid_result")

    def test_a_worker_that_dies_drops_it(self) -> None:
        walk, _ = self.opened()
        walk.task.call_lost()
        assert still(walk.frame())

    def test_a_failure_about_another_picture_does_not(self) -> None:
        walk, key = self.opened()
        walk.task.failed(walk.task.epoch, key + 1, "HTTP 500", walk.now, deadline=False)
        assert walk.frame()["linear_vel"] > 0

    def test_none_is_taken_where_the_goal_may_be_reached_or_the_text_has_changed(self) -> None:
        walk = Walk()
        walk.frame()
        walk.result("goal")
        walk.frame()
        walk.early_plan(FORWARD)
        assert all(still(body) for body in walk.run(0.5))
        walk = Walk()
        walk.frame()
        walk.task.edit(replace(walk.task.settings, instruction="Walk to the blue door."))
        walk.early_plan(FORWARD)
        assert all(still(body) for body in walk.run(0.5))


def test_an_answer_that_took_long_still_counts() -> None:
    """Pictures that came meanwhile must not push out the one that was asked about."""
    walk = Walk(Limits(max_plan_age_seconds=60))
    walk.frame()
    key = walk.key
    walk.run(20)
    walk.result("plan", FORWARD, frame=key)
    assert walk.run(0.3)[-1]["linear_vel"] > 0
    assert len(walk.task.calls._seen) < 700
    walk.result("hold", frame=walk.key)
    assert len(walk.task.calls._seen) == 1


class TestWhatIsAskedStaysOfItsRobot:
    """An answer of the model may come seconds after its picture; what has happened meanwhile can make it void."""

    def test_another_writer_gets_no_plan_of_the_former_one_s_pictures(self) -> None:
        walk = moving()
        walk.task.granted(2, other=True)
        walk.pictures = 0
        walk.frame(image=None)
        walk.result("plan", FORWARD)
        assert all(map(still, walk.run(0.5, image=None))) and walk.task.counts.late_results == 1
        walk.frame()
        walk.result("plan", FORWARD)
        assert walk.run(0.3)[-1]["state"] == "moving"

    def test_the_same_writer_anew_need_not_ask_again(self) -> None:
        walk = moving()
        walk.task.granted(2, other=False)
        assert still(walk.frame())
        walk.result("plan", FORWARD)
        assert walk.run(0.3)[-1]["state"] == "moving"

    def test_the_claim_of_one_writer_is_not_confirmed_by_another_s_picture(self) -> None:
        walk = Walk()
        walk.frame()
        walk.result("goal")
        walk.run(0.6)
        walk.task.granted(2, other=True)
        walk.pictures = 0
        walk.frame()
        walk.result("goal")
        assert walk.task.verdict is None

    def test_the_same_origin_in_another_connection_is_another_place(self) -> None:
        walk = Walk()
        walk.frame(odometry=Odometry(Pose(5.0, 5.0, 1.0), 0))
        walk.task.granted(2, other=False)
        walk.pictures = 0
        walk.frame(odometry=Odometry(Pose(0.0, 0.0, 0.0), 0))
        walk.task.result(Result(walk.task.epoch, 1, "plan", waypoints=(Waypoint(*FORWARD),)), walk.now, walk.wall)
        body = walk.frame(odometry=Odometry(Pose(0.0, 0.0, 0.0), 0))
        assert [(point["dx"], point["dy"]) for point in body["waypoints"]] == [(0.5, 0.0)]

    def test_a_picture_of_a_frozen_camera_makes_no_plan_once_it_has_thawed(self) -> None:
        walk = moving()
        walk.frame(image=b"the same")
        key, epoch = walk.key, walk.task.epoch
        walk.run(0.2, image=b"the same")
        assert walk.frame(image=b"the same")["reason"] == "frozen_camera"
        walk.task.result(Result(epoch, key, "plan", waypoints=(Waypoint(*FORWARD),)), walk.now, walk.wall)
        assert all(map(still, walk.run(0.5)))

    def test_what_was_seen_before_an_emergency_stop_is_not_driven_after_it(self) -> None:
        walk = moving()
        walk.frame()
        before = walk.task.epoch, walk.key
        walk.frame(emergency_stop=True)
        assert not walk.offered, "while it is pressed, nobody asks where to go"
        walk.task.result(Result(before[0], before[1], "plan", waypoints=(Waypoint(*FORWARD),)), walk.now, walk.wall)
        assert all(map(still, walk.run(0.5)))
        walk.result("plan", FORWARD)
        assert walk.run(0.3)[-1]["state"] == "moving"


def test_a_frame_without_odometry_between_adds_no_whole_turn() -> None:
    walk = Walk()
    walk.frame(odometry=Odometry(Pose(yaw=3.1), 0))
    walk.result("plan", (0.0, 0.0, 0.5))
    walk.frame(image=None)
    walk.now += 0.1
    body = walk.frame(odometry=Odometry(Pose(yaw=-3.1), 0))
    assert body["waypoints"][0]["dtheta"] == pytest.approx(0.5 - (2 * math.pi - 6.2), abs=1e-3)
