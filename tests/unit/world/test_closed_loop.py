"""Camera, policy, parser's plan, task and body together, on a virtual clock: the right door, and nothing touched."""

import collections
from collections.abc import Callable

import pytest
import simplejpeg
from tests.figures import Figures
from tests.unit.vln.virtual import Loop

from qwen3vl_server.simulator.drive import decide
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.task.words import Verdict
from qwen3vl_vln.waypoint import Waypoint
from qwen3vl_world import buildings
from qwen3vl_world.judge import SUCCESS_METRES, Judge
from qwen3vl_world.plan import Building
from qwen3vl_world.world import World

LATENCY = 0.4


class Policy:
    """The simulator's policy as the model of a loop; `colour` is the instruction."""

    def __init__(self, colour: str) -> None:
        self.colour = colour
        self.history: collections.deque[object] = collections.deque(maxlen=8)

    def __call__(self, picture: bytes | None) -> Result | None:
        assert picture is not None
        pixels = simplejpeg.decode_jpeg(picture, "BGR")
        said = decide([*self.history, pixels], f"Instruction: Walk to the {self.colour} door and stop.")
        self.history.append(pixels)
        points = tuple(Waypoint(step["dx"], step["dy"], step["dtheta"]) for step in said["waypoints"])
        outcome = "goal" if said["reached_goal"] else "plan" if points else "hold"
        return Result(0, 0, outcome, waypoints=points, action=said["action"])


def walk(
    building: Building,
    colour: str,
    seed: int = 0,
    *,
    scale: float = 1.0,
    change: Callable[[Loop, Policy], None] | None = None,
) -> tuple[Loop, float]:
    """Walk until the task ends; the loop, and metres from the goal point of the door wanted last."""
    policy = Policy(colour)
    loop = Loop(World(building, seed, scale=scale), policy, latency=LATENCY)
    if change is not None:
        change(loop, policy)
    loop.run(120, until=lambda loop: loop.task.verdict is not None)
    loop.run(1.5)
    goal = building.door(policy.colour).goal
    return loop, ((loop.world.pose.x - goal.x) ** 2 + (loop.world.pose.y - goal.y) ** 2) ** 0.5


@pytest.mark.parametrize("colour", ["red", "blue", "green"])
def test_to_each_door_of_the_demo(colour: str, figure: Figures) -> None:
    loop, metres = walk(buildings.demo(), colour)
    assert loop.task.verdict is Verdict.GOAL_REACHED and metres <= SUCCESS_METRES and loop.world.collisions == 0
    figure(f"closed loop to the {colour} door", loop.now, "s")


@pytest.mark.parametrize("after", [3, 9, 15])
def test_to_another_door_half_way(after: float) -> None:
    def change(loop: Loop, policy: Policy) -> None:
        loop.run(after)
        policy.colour = "blue"

    loop, metres = walk(buildings.demo(), "red", change=change)
    assert loop.task.verdict is Verdict.GOAL_REACHED and metres <= SUCCESS_METRES and loop.world.collisions == 0


@pytest.mark.parametrize("seed", range(4))
def test_in_other_buildings_with_a_wrong_odometry(seed: int) -> None:
    building = buildings.building(seed)
    loop, metres = walk(building, building.target, seed, scale=1.03)
    assert loop.task.verdict is Verdict.GOAL_REACHED and metres <= SUCCESS_METRES and loop.world.collisions == 0
    judge = Judge(building)
    assert judge.nearest(loop.world.pose)[0] == building.target
