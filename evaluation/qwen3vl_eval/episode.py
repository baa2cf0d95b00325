"""One walk, from a seed and conditions to what is measured of it."""

import random
from dataclasses import dataclass, field, replace
from typing import Any

from qwen3vl_common.navigation.settings import Camera, History, Limits
from qwen3vl_common.navigation.states import Verdict
from qwen3vl_eval import virtual_time
from qwen3vl_eval.loop import Loop
from qwen3vl_eval.models import Behaviour, PolicyModel
from qwen3vl_eval.network import Conditions
from qwen3vl_eval.remote import Remote, RemoteModel
from qwen3vl_eval.watch import Watch
from qwen3vl_vln.task.settings import Settings
from qwen3vl_world import buildings
from qwen3vl_world.geodesic import Ways
from qwen3vl_world.lens import USUAL, Lens, drawn
from qwen3vl_world.plan import Pose
from qwen3vl_world.robot import RADIUS
from qwen3vl_world.verdict import Standard
from qwen3vl_world.world import World

STANDS_SECONDS = 1.5
"""The world goes on for this long after a task has ended."""
ODOMETRY_SCALE, ODOMETRY_DRIFT = 0.03, 0.01
HISTORY = History(frames=15)
"""The policy remembers nothing but what the pictures show."""
DEAD_AFTER_SECONDS = (3.0, 8.0)


@dataclass(frozen=True)
class Setting:
    """What a walk is under, apart from its seed.

    Attributes:
        dead_seconds: how long the model refuses all calls, once, some seconds after the start.
        most_seconds: deadline of the task.
        lens: the robot's camera, and the light.
        yields: whether who walks there looks out for the robot.
        vary: both are drawn anew for each seed.
        remote: a real model instead of the simulator's policy.
    """

    model_seconds: float = 0.3
    invalid_share: float = 0.0
    dead_seconds: float = 0.0
    one_shot: int = 0
    network: Conditions = field(default_factory=Conditions)
    most_seconds: float = 300.0
    lens: Lens = USUAL
    yields: bool = True
    vary: bool = False
    remote: Remote | None = None


@dataclass(frozen=True)
class Episode:
    """What came of a walk.

    Attributes:
        path: where the robot truly was, with times.
        model_seconds: what each call of the model took; empty where nobody counted them.
    """

    seed: int
    verdict: str
    success: bool
    oracle: bool
    false_goal: bool
    spl: float
    metres_from_goal: float
    shortest_metres: float
    driven_metres: float
    seconds: float
    collisions: int
    blind_metres: float
    pauses: int
    connections: int
    seconds_in_state: dict[str, float]
    path: tuple[tuple[float, Pose], ...] = ()
    model_seconds: tuple[float, ...] = ()

    def figures(self) -> dict[str, Any]:
        """All but the path and the calls."""
        return {name: value for name, value in vars(self).items() if name not in ("path", "model_seconds")}


@dataclass(frozen=True)
class Plan:
    """What a walk begins with."""

    seed: int
    world: World
    standard: Standard
    settings: Settings
    behaviour: Behaviour


def make(seed: int, setting: Setting) -> Plan:
    """The building of a seed, its robot and its task."""
    rng = random.Random(f"episode {seed}")  # noqa: S311 - conditions, not a secret
    building = buildings.building(seed)
    scale, drift = 1 + rng.choice((-1, 1)) * ODOMETRY_SCALE, rng.uniform(-1, 1) * ODOMETRY_DRIFT
    begin = rng.uniform(*DEAD_AFTER_SECONDS)
    behaviour = Behaviour(setting.model_seconds, setting.invalid_share, one_shot=setting.one_shot)
    if setting.dead_seconds:
        behaviour = replace(behaviour, dead=(begin, begin + setting.dead_seconds))
    limits = Limits(timeout_seconds=setting.most_seconds)
    lens, yields = conditions(seed, setting)
    settings = Settings(
        "robot",
        f"Walk to the {building.target} door and stop.",
        limits,
        history=HISTORY,
        camera=Camera(
            height_meters=lens.height_metres, pitch_degrees=lens.pitch_degrees, horizontal_fov_degrees=lens.fov_degrees
        ),
    )
    goal = building.door(building.target).goal
    standard = Standard(Ways(building, RADIUS), (building.start.x, building.start.y), (goal.x, goal.y))
    world = World(building, seed, scale=scale, drift=drift, lens=lens, yields=yields)
    return Plan(seed, world, standard, settings, behaviour)


def conditions(seed: int, setting: Setting) -> tuple[Lens, bool]:
    """The camera and the light of a walk, and whether who walks there looks out for the robot."""
    if not setting.vary:
        return setting.lens, setting.yields
    rng = random.Random(f"conditions {seed}")  # noqa: S311 - conditions, not a secret
    return drawn(rng), rng.random() < 0.5


def walk(seed: int, setting: Setting) -> Episode:
    """Walk once through the building of a seed, on a virtual clock."""
    return virtual_time.run(_walk(make(seed, setting), setting))


async def _walk(plan: Plan, setting: Setting) -> Episode:
    model = PolicyModel(plan.behaviour, plan.seed) if setting.remote is None else RemoteModel(setting.remote)
    one = Loop(plan.world, plan.settings, model, network=setting.network)
    one.watch.standard = plan.standard
    await one.run(setting.most_seconds + 1.0, one.ended)
    seconds, verdict = one.now, one.server.task.verdict
    await one.run(STANDS_SECONDS)
    await one.server.close()
    episode = episode_of(plan, one.watch, "" if verdict is None else verdict.value, seconds, one.robot.connections)
    return replace(episode, model_seconds=tuple(model.seconds))


def episode_of(plan: Plan, watch: Watch, verdict: str, seconds: float, connections: int) -> Episode:
    """What came of a walk that is over."""
    world = plan.world
    score = plan.standard.score(declared=verdict == Verdict.GOAL_REACHED, driven_metres=world.path_length)
    return Episode(
        seed=plan.seed,
        verdict=verdict,
        success=score.success,
        oracle=score.oracle,
        false_goal=score.false_goal,
        spl=score.spl,
        metres_from_goal=score.metres_from_goal,
        shortest_metres=plan.standard.shortest_metres,
        driven_metres=world.path_length,
        seconds=seconds,
        collisions=world.collisions,
        blind_metres=watch.blind_metres,
        pauses=watch.pauses,
        connections=connections,
        seconds_in_state=dict(watch.seconds_in_state),
        path=tuple(world.path),
    )
