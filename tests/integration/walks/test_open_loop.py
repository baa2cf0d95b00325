"""A scripted plan in an empty hall: it ends where it should, and never drives further than it is long."""

import json
import math
from dataclasses import dataclass, field

import pytest
from tests.support import virtual_time
from tests.support.figures import Figures
from tests.support.images import jpeg

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_eval.loop import Loop
from qwen3vl_eval.models import Script
from qwen3vl_eval.robot import CommandHorizon
from qwen3vl_vln.motion.geometry import Pose, wrapped
from qwen3vl_vln.task.settings import Settings
from qwen3vl_world import buildings
from qwen3vl_world.world import World

PLANS: dict[str, list[tuple[float, float, float]]] = {
    "curve": [(0.5, 0, 0.2), (0.5, 0.1, 0.2), (0.4, 0, 0), (0.5, -0.1, -0.3), (0.5, 0, 0)],
    "corners": [(0.6, 0, 0.8), (0.5, 0, 0), (0, 0, -0.8), (0.5, 0, -0.8), (0.4, 0.2, 0.3)],
    "turns": [(0, 0, 0.8), (0, 0, 0.8), (0.3, 0, 0), (0, 0, -0.5), (0, 0, -0.5)],
}
WIDE = Limits(blind_meters=10, max_plan_age_seconds=60)
"""What is tested here is the driving: neither of the two other bounds shall end it."""
METRES, DEGREES = 0.10, 5.0


PICTURES = [jpeg(160, 120, seed=number) for number in range(8)]
TASK = Settings("robot", "Walk on.", WIDE)


def say(points: list[tuple[float, float, float]]) -> str:
    """A model's answer with this plan."""
    steps = [{"dx": dx, "dy": dy, "dtheta": dtheta} for dx, dy, dtheta in points]
    return json.dumps({"reached_goal": False, "waypoints": steps, "action": "forward"})


def end_of(points: list[tuple[float, float, float]]) -> tuple[Pose, float]:
    """Where a plan ends, and its length."""
    end = Pose()
    for point in points:
        end = end.after(*point)
    return end, sum(math.hypot(dx, dy) for dx, dy, _ in points)


@dataclass
class Drive:
    """A world in an empty hall, and a robot whose model says these texts and then nothing."""

    texts: list[str]
    latency: float = 0.3
    rhythm: CommandHorizon = field(default_factory=CommandHorizon)
    world: World = field(default_factory=lambda: World(buildings.empty_hall()))

    def loop(self) -> Loop:
        return Loop(
            self.world, TASK, Script(self.texts, self.latency), self.rhythm, draw=lambda number: PICTURES[number % 8]
        )


def drive(name: str, latency: float, hz: float, odometry: bool) -> tuple[float, float, float]:
    """Metres and degrees from the plan's end, and metres driven beyond its length."""
    end, length = end_of(PLANS[name])
    one = Drive([say(PLANS[name])], latency, CommandHorizon(hz, hz, odometry=odometry))

    async def go() -> None:
        loop = one.loop()

        def done() -> bool:
            left = loop.server.task.follower is None and loop.server.task.steps == 1
            return left and one.world.robot.v == one.world.robot.w == 0.0

        await loop.run(latency + 30, done)
        assert done(), loop.answers[-1]
        assert loop.answers[-1]["linear_vel"] == 0.0
        await loop.server.close()

    virtual_time.run(go())
    assert one.world.collisions == 0
    hall = one.world.building
    start = Pose(hall.start.x, hall.start.y, hall.start.yaw)
    reached = Pose(one.world.pose.x, one.world.pose.y, one.world.pose.yaw).seen_from(start)
    return reached.distance(end), math.degrees(wrapped(reached.yaw - end.yaw)), one.world.path_length - length


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
    one = Drive([say([(0.5, 0.0, 0.0)] * 2)] * 2, latency=1.0)

    async def go() -> None:
        loop = one.loop()
        await loop.run(12)
        assert loop.server.task.steps == 2
        await loop.server.close()

    virtual_time.run(go())
    # The second plan is of a picture taken where the robot then was: at most its whole length more.
    assert one.world.path_length <= 2.0


def test_a_robot_whose_answers_stop_stands_within_its_watchdog() -> None:
    one = Drive([say([(1.0, 0.0, 0.0)])])

    async def go() -> float:
        loop = one.loop()
        await loop.run(1.5)
        assert loop.robot.command.linear_mps > 0
        await loop.server.close()
        return loop.now

    cut = virtual_time.run(go())
    one.world.step(cut + 2)
    assert one.world.robot.moved_by_command_at <= cut + 0.3
    assert abs(one.world.robot.v) < 1e-3
