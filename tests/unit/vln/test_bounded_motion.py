"""Motion never exceeds the plan, whatever odometry says and whenever frames come; and no healthy robot is stopped."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.motion.dead_reckoning import HOLD_SECONDS
from qwen3vl_vln.motion.geometry import Pose

from .legs import Point, Robot, budget, frozen, jumped, length, mirrored, mirrored_yaw, scaled, straight, swapped
from .samples import Walk

WIDE = Limits(blind_meters=10.0, max_plan_age_seconds=60.0)
BY_ODOMETRY = {"odometry_jump", "odometry_mirrored", "odometry_axes", "not_moving", "stuck", "no_image", "plan_too_old"}
SLACK_METRES, SLACK_RADIANS = 0.05, 1e-6

points = st.tuples(st.floats(0.0, 1.0), st.floats(-0.5, 0.5), st.one_of(st.just(0.0), st.floats(-0.8, 0.8)))
turns = st.tuples(st.just(0.0), st.just(0.0), st.floats(-0.8, 0.8))
plans = st.lists(st.one_of(points, turns), min_size=1, max_size=5)


def wild(seed: int) -> Callable[[Pose, float], Pose]:
    """Odometry that wanders by itself, as fast as is just believed."""

    def pose(_: Pose, seconds: float) -> Pose:
        phase = seconds * (1 + seed % 5) / 2
        return Pose(0.3 * math.sin(phase), 0.2 * math.cos(1.3 * phase + seed), 0.9 * math.sin(0.7 * phase))

    return pose


odometries = st.one_of(
    st.sampled_from([straight, frozen, mirrored, mirrored_yaw, swapped]),
    st.floats(0.1, 3.0).map(scaled),
    st.builds(
        jumped,
        st.floats(0.0, 4.0),
        st.builds(Pose, st.floats(-3.0, 3.0), st.floats(-3.0, 3.0), st.floats(-3.1, 3.1)),
    ),
    st.integers(0, 100).map(wild),
)


@settings(max_examples=60, deadline=None)
@given(
    plan=plans,
    odometry=odometries,
    gaps=st.lists(st.floats(0.01, 1.0), min_size=4, max_size=60),
    watchdog=st.booleans(),
    dead=st.floats(0.0, 0.6),
)
def test_no_more_is_told_than_the_plan_says(
    plan: list[Point], odometry: Callable[[Pose, float], Pose], gaps: list[float], watchdog: bool, dead: float
) -> None:
    walk = Walk(limits=WIDE, watchdog=watchdog)
    robot = Robot(walk, [plan], latency=0.0, odometry=odometry, dead_seconds=dead)
    base = None
    for turn in range(max(len(gaps), 80)):
        robot.step(gaps[turn % len(gaps)])
        if base is None and walk.task.follower is not None:
            base = robot.metres, robot.radians
    assert base == (0.0, 0.0)
    assert robot.metres <= length(plan) + SLACK_METRES
    # Between picture and plan nothing happens but a step of odometry that is just believed.
    assert robot.radians <= budget(plan) + SLACK_RADIANS
    assert abs(walk.task.execution.reckoning.commanded_pose.yaw) <= 1.6 + SLACK_RADIANS


SOME: list[list[Point]] = [
    [(0.5, 0.0, 0.0)],
    [(0.5, 0.1, 0.2), (0.4, 0.0, 0.0)],
    [(0.0, 0.0, 0.4)],
    [(0.3, 0.0, -0.3), (0.3, -0.1, 0.0)],
    [(0.0, 0.0, -0.5)],
    [(0.6, 0.0, 0.0), (0.0, 0.0, 0.3)],
    [(0.1, 0.0, 0.0)],
]


def healthy(latency: float, **more: float) -> Robot:
    """A legged robot with slow odometry that sways, and a model that goes on planning."""
    given = {"dead_seconds": 0.5, "picture_age": 0.4, "sway_metres": 0.03, "sway_radians": 0.03, "odometry_hz": 5.0}
    return Robot(Walk(), SOME * 100, latency=latency, **(given | more))  # type: ignore[arg-type]


@pytest.mark.parametrize("sway_hz", [0.6, 1.7, 3.1])
@pytest.mark.parametrize("latency", [0.3, 1.0, 3.0, 8.0])
def test_a_legged_robot_that_sways_is_not_stopped_by_its_odometry(latency: float, sway_hz: float) -> None:
    robot = healthy(latency, sway_hz=sway_hz).run(max(60.0, 12 * latency))
    assert not robot.reasons & BY_ODOMETRY, robot.reasons
    assert robot.metres > 1.0


@settings(max_examples=15, deadline=None)
@given(
    latency=st.floats(0.3, 8.0),
    hz=st.floats(5.0, 30.0),
    age=st.floats(0.02, 0.4),
    dead=st.floats(0.05, 0.5),
    sway_hz=st.floats(0.3, 4.0),
    odometry_hz=st.sampled_from([5.0, 10.0, 50.0]),
    scale=st.floats(0.95, 1.05),
)
def test_healthy_robots_of_all_kinds_are_not_stopped_by_their_odometry(
    latency: float, hz: float, age: float, dead: float, sway_hz: float, odometry_hz: float, scale: float
) -> None:
    robot = healthy(latency, dead_seconds=dead, picture_age=age, sway_hz=sway_hz, odometry_hz=odometry_hz)
    robot.hz, robot.odometry = hz, scaled(scale)
    robot.run(40.0)
    assert not robot.reasons & BY_ODOMETRY, robot.reasons


@pytest.mark.parametrize("latency", [0.3, 3.0, 8.0])
def test_a_robot_that_stands_and_sways_has_not_come_anywhere(latency: float) -> None:
    walk = Walk()
    robot = Robot(walk, [[(0.4, 0.0, 0.0)]], latency=latency, sway_metres=0.03, sway_radians=0.03, hz=30.0)
    robot.run(latency + 6.0)
    assert robot.metres >= 0.3, "what it swayed while the model was thinking is not taken from the plan"


TURN: list[Point] = [(0.0, 0.0, 0.30)]


class TestTurns:
    """The plan says 0.30 rad; what is told stays within 0.1 rad of it."""

    @pytest.mark.parametrize("hz", [5.0, 10.0, 30.0])
    @pytest.mark.parametrize(
        "odometry",
        [straight, frozen, mirrored, scaled(1 / 3), scaled(0.1), scaled(2.0)],
        ids=["right", "frozen", "mirrored", "a third", "a tenth", "twice"],
    )
    def test_whatever_odometry_says(self, odometry: Callable[[Pose, float], Pose], hz: float) -> None:
        robot = Robot(Walk(), [TURN], hz=hz, odometry=odometry).run(6.0)
        assert 0.1 < robot.radians <= 0.40

    def test_the_other_way_too(self) -> None:
        robot = Robot(Walk(), [[(0.0, 0.0, -0.30)]], odometry=frozen).run(6.0)
        assert robot.radians <= 0.40

    def test_a_bearing_that_is_turned_to_first_is_bounded_too(self) -> None:
        plan: list[Point] = [(0.2, 0.4, 0.0)]
        robot = Robot(Walk(), [plan], odometry=frozen).run(8.0)
        assert robot.radians <= budget(plan) and robot.metres <= length(plan)

    @pytest.mark.parametrize("odometry", [straight, frozen], ids=["right", "frozen"])
    def test_no_robot_is_turned_out_of_sight_of_its_picture(self, odometry: Callable[[Pose, float], Pose]) -> None:
        robot = Robot(Walk(), [[(0.0, 0.0, 0.8)] * 4], odometry=odometry).run(9.0)
        assert 0.4 < robot.radians <= 1.6 + 1e-6
        assert odometry is frozen or "blind_limit" in robot.reasons


@pytest.mark.parametrize(("stall", "hz"), [(3.0, 30.0), (1.0, 30.0), (0.9, 30.0), (3.0, 10.0)])
def test_a_client_without_a_watchdog_that_stalls_is_never_faster_than_its_plan_s_rest_in_one_second(
    stall: float, hz: float
) -> None:
    plan: list[Point] = [(0.6, 0.0, 0.0)]
    robot = Robot(Walk(watchdog=False), [plan], hz=hz).run(1.2)
    rest = length(plan) - robot.metres
    body = robot.step(1 / hz)
    assert 0.0 < body["linear_vel"] <= rest
    before = robot.metres
    robot.step(stall)
    assert robot.metres - before <= rest * max(1.0, stall)
    assert robot.metres <= length(plan) * max(1.0, stall)
    robot.run(3.0)
    assert stall > 1.0 or robot.metres <= length(plan) + SLACK_METRES


def test_after_a_stall_the_longest_of_the_last_five_gaps_is_reckoned_with() -> None:
    robot = Robot(Walk(watchdog=False), [[(1.0, 0.0, 0.0)]]).run(0.5)
    robot.step(2.0)
    rest = length(robot.plans[0]) - robot.metres
    assert robot.step(1 / 30)["linear_vel"] * 2.0 <= max(0.0, rest) + 1e-9


@settings(max_examples=40, deadline=None)
@given(
    some=st.lists(plans, min_size=1, max_size=6),
    odometry=odometries,
    latency=st.floats(0.0, 4.0),
    hz=st.floats(4.0, 30.0),
    watchdog=st.booleans(),
)
def test_nor_under_any_of_many_plans_of_a_model_that_takes_its_time(
    some: list[list[Point]], odometry: Callable[[Pose, float], Pose], latency: float, hz: float, watchdog: bool
) -> None:
    walk = Walk(limits=WIDE.model_copy(update={"blind_meters": 1.0}), watchdog=watchdog)
    robot = Robot(walk, some * 5, latency=latency, hz=hz, odometry=odometry)
    drive, since, most, plan = None, (0.0, 0.0), math.inf, 0.0
    for _ in range(round(20 * hz)):
        robot.step(1 / hz)
        if walk.task.follower is not None and walk.task.follower is not drive:
            # The answer before the plan's first one is not the plan's, and is followed only now.
            v, w = robot._command
            drive, since = walk.task.follower, (robot.metres + abs(v) / hz, robot.radians + abs(w) / hz)
            most, plan = drive._budget or 0.0, drive.plan.metres
        if drive is not None and walk.task.follower is drive:
            assert robot.metres - since[0] <= min(plan, 1.0) + SLACK_METRES
            assert robot.radians - since[1] <= most + SLACK_RADIANS


def restless(poses: list[Pose], hz: float) -> Callable[[Pose, float], Pose]:
    """Odometry that says anything, and something else several times in a second."""
    return lambda _, seconds: poses[int(hz * seconds) % len(poses)]


anything = st.one_of(
    odometries,
    st.builds(
        restless,
        st.lists(
            st.builds(Pose, st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-0.6, 0.6)), min_size=1, max_size=8
        ),
        st.floats(0.5, 10.0),
    ),
)


@settings(max_examples=60, deadline=None)
@given(
    some=st.lists(plans, min_size=1, max_size=6),
    odometry=anything,
    latency=st.floats(0.0, 4.0),
    gaps=st.lists(st.floats(0.005, 1.0), min_size=4, max_size=40),
    longest=st.sampled_from([0.05, 0.2, 1.0, 5.0]),
    again=st.sampled_from([1, 20]),
    watchdog=st.booleans(),
    age=st.floats(0.0, 0.5),
    dead=st.floats(0.0, 0.6),
)
def test_nor_under_any_plan_whenever_answers_come(
    some: list[list[Point]],
    odometry: Callable[[Pose, float], Pose],
    latency: float,
    gaps: list[float],
    longest: float,
    again: int,
    watchdog: bool,
    age: float,
    dead: float,
) -> None:
    # Without a watchdog no gap is longer than what is reckoned with, a second.
    longest = longest if watchdog else min(longest, 1.0)
    walk = Walk(limits=WIDE, watchdog=watchdog)
    robot = Robot(walk, some * again, latency=latency, odometry=odometry, dead_seconds=dead, picture_age=age)
    follower, metres, radians, most, plan = None, 0.0, 0.0, math.inf, math.inf
    for turn in range(300):
        gap = longest * gaps[turn % len(gaps)]
        if walk.task.follower is not None and walk.task.follower is not follower:
            follower = walk.task.follower
            points = [(point.dx, point.dy, point.dtheta) for point in follower.plan.waypoints]
            coming = walk.task.execution.reckoning.since(follower.anchor)[1]
            plan, most = length(points), budget(points, coming.yaw)
            # The answer before the plan's first one is followed until that one comes, and is not the plan's.
            follows = min(gap, HOLD_SECONDS) if watchdog else gap
            v, w = robot.answers[-1]["linear_vel"], robot.answers[-1]["angular_vel"]
            metres, radians = robot.metres + abs(v) * follows, robot.radians + abs(w) * follows
        robot.step(gap)
        if follower is not None and walk.task.follower is follower:
            assert robot.metres - metres <= plan + SLACK_METRES
            assert robot.radians - radians <= most + SLACK_RADIANS


BY_PICTURES = {"picture_too_old", "frame_old", "frame_delayed", "frozen_camera", "bad_odometry", "no_image"}
drives = st.tuples(st.floats(0.1, 0.6), st.floats(-0.2, 0.2), st.floats(-0.5, 0.5))


@settings(max_examples=20, deadline=None)
@given(
    some=st.lists(st.lists(drives, min_size=1, max_size=4), min_size=3, max_size=8),
    latency=st.floats(0.3, 8.0),
    gaps=st.lists(st.floats(0.01, 0.2), min_size=4, max_size=40),
    watchdog=st.booleans(),
    sway_hz=st.floats(0.3, 4.0),
)
def test_no_healthy_robot_is_stopped_whatever_it_walks_and_whenever_its_frames_come(
    some: list[list[Point]], latency: float, gaps: list[float], watchdog: bool, sway_hz: float
) -> None:
    robot = healthy(latency, sway_hz=sway_hz)
    robot.walk.watchdog, robot._plans = watchdog, iter(some * 100)
    while robot.walk.now < robot.start + 40.0:
        robot.step(gaps[len(robot.answers) % len(gaps)])
    assert not robot.reasons & (BY_ODOMETRY | BY_PICTURES), robot.reasons
    assert robot.metres > 0.1, "a plan of a quarter of a metre each eight seconds is driven in part"
