"""A scripted plan in an empty hall: it ends where it should, and never drives further than it is long."""

import math
from collections.abc import Iterator

import pytest
from tests.figures import Figures
from tests.unit.vln.virtual import Loop

from qwen3vl_vln.motion.geometry import Pose, wrapped
from qwen3vl_vln.motion.limits import Limits
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.waypoint import Waypoint
from qwen3vl_world import buildings
from qwen3vl_world.world import World

PLANS = {
    "curve": [(0.5, 0, 0.2), (0.5, 0.1, 0.2), (0.4, 0, 0), (0.5, -0.1, -0.3), (0.5, 0, 0)],
    "corners": [(0.6, 0, 1.0), (0.5, 0, 0), (0, 0, -0.8), (0.5, 0, -0.8), (0.4, 0.2, 0.3)],
    "turns": [(0, 0, 0.8), (0, 0, 0.8), (0.3, 0, 0), (0, 0, -0.5), (0, 0, -0.5)],
}
WIDE = Limits(blind_meters=10, max_plan_age_seconds=60)
"""What is tested here is the driving: neither of the two other bounds shall end it."""
METRES, DEGREES = 0.10, 5.0


def script(points: list[tuple[float, float, float]]) -> tuple[Iterator[Result], Pose, float]:
    """A model that gives the plan once and then stays silent; where it ends, and its length."""
    waypoints = tuple(Waypoint(*point) for point in points)
    end = Pose()
    for point in waypoints:
        end = end.after(point.dx, point.dy, point.dtheta)
    length = sum(math.hypot(point.dx, point.dy) for point in waypoints)
    return iter([Result(0, 0, "plan", waypoints=waypoints)]), end, length


def drive(name: str, latency: float, hz: float, odometry: bool, **more: float) -> tuple[float, float, float]:
    """Metres and degrees from the plan's end, and metres driven beyond its length."""
    once, end, length = script(PLANS[name])
    hall = buildings.empty_hall()
    world = World(hall)
    loop = Loop(world, lambda _: next(once, None), WIDE, hz, hz, latency, odometry=odometry, draws=False, **more)
    loop.run(latency + 30)
    assert world.collisions == 0 and loop.answers[-1]["linear_vel"] == 0.0
    start = Pose(hall.start.x, hall.start.y, hall.start.yaw)
    reached = Pose(world.pose.x, world.pose.y, world.pose.yaw).seen_from(start)
    return reached.distance(end), math.degrees(wrapped(reached.yaw - end.yaw)), world.path_length - length


@pytest.mark.parametrize("odometry", [True, False], ids=["odometry", "no-odometry"])
@pytest.mark.parametrize("hz", [5, 10, 30])
@pytest.mark.parametrize("latency", [0, 0.3, 1, 3])
def test_a_plan_ends_where_it_should(latency: float, hz: float, odometry: bool, figure: Figures) -> None:
    runs = [drive(name, latency, hz, odometry) for name in PLANS]
    metres, degrees = max(run[0] for run in runs), max(abs(run[1]) for run in runs)
    beyond = max(run[2] for run in runs)
    title = f"open loop, latency {latency:g} s, {hz} Hz, {'with' if odometry else 'without'} odometry"
    figure(f"{title}: from the end", metres, "m", METRES)
    figure(f"{title}: from the heading", degrees, "°", DEGREES)
    assert metres <= METRES and degrees <= DEGREES and beyond <= 0.0, runs


def test_what_was_driven_while_the_model_thought_is_not_driven_again() -> None:
    """The same picture answered twice: the second plan begins where the first one has led."""
    plan = tuple(Waypoint(0.5, 0.0, 0.0) for _ in range(2))
    said = iter([Result(0, 0, "plan", waypoints=plan)] * 2)
    world = World(buildings.empty_hall())
    loop = Loop(world, lambda _: next(said, None), WIDE, draws=False, latency=1.0)
    loop.run(12)
    # The second plan is of a picture taken where the robot then was: at most its whole length more.
    assert world.path_length <= 2.0
    assert loop.task.steps == 2


def test_a_robot_whose_answers_stop_stands_within_its_watchdog() -> None:
    once, _, _ = script([(1.0, 0.0, 0.0)])
    world = World(buildings.empty_hall())
    loop = Loop(world, lambda _: next(once, None), WIDE, draws=False)
    loop.run(1.5)
    assert loop.command.linear_mps > 0
    cut = loop.now
    world.step(cut + 2)
    assert world.robot.moved_by_command_at <= cut + 0.3
    assert abs(world.robot.v) < 1e-3


def test_the_whole_loop_repeats_bit_for_bit() -> None:
    def run() -> list[tuple[float, float, float]]:
        once, _, _ = script(PLANS["curve"])
        loop = Loop(World(buildings.building(3), 3), lambda _: next(once, None), latency=0.3)
        loop.run(3)
        return [(body["linear_vel"], body["angular_vel"], body["age_ms"] or 0) for body in loop.answers]

    assert run() == run()
