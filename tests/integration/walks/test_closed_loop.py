"""Camera, policy, parser, task and body together, on a virtual clock: the right door, and nothing touched."""

import math

import pytest
from tests.support import virtual_time
from tests.support.figures import Figures

from qwen3vl_common.navigation.states import Verdict
from qwen3vl_eval.loop import Loop
from qwen3vl_eval.models import Behaviour, PolicyModel
from qwen3vl_vln.task.settings import Settings
from qwen3vl_world import buildings
from qwen3vl_world.judge import SUCCESS_METRES
from qwen3vl_world.world import World

BEHAVIOUR = Behaviour(seconds=0.4)


def towards(colour: str) -> Settings:
    return Settings("robot", f"Walk to the {colour} door and stop.")


def walk(first: str, *, then: str | None = None, after: float = 0.0) -> float:
    """Walk through the demo's building until the task ends, perhaps to another door half way; how long it took."""
    building = buildings.demo()
    world, goal = World(building), building.door(then or first).goal

    async def go() -> float:
        loop = Loop(world, towards(first), PolicyModel(BEHAVIOUR))
        if then is not None:
            await loop.run(after)
            loop.server.edit(towards(then))
        await loop.run(120, loop.ended)
        seconds = loop.now
        await loop.run(1.5)
        await loop.server.close()
        assert loop.server.task.verdict is Verdict.GOAL_REACHED
        return seconds

    seconds = virtual_time.run(go())
    assert math.dist((world.pose.x, world.pose.y), (goal.x, goal.y)) <= SUCCESS_METRES
    assert world.collisions == 0
    return seconds


@pytest.mark.parametrize("colour", ["red", "blue", "green"])
def test_to_each_door_of_the_demo(colour: str, figure: Figures) -> None:
    figure(f"closed loop to the {colour} door", walk(colour), "s")


@pytest.mark.parametrize("after", [3, 15])
def test_to_another_door_half_way(after: float) -> None:
    walk("red", then="blue", after=after)
