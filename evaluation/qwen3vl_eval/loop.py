"""One robot, its server and its world on a virtual clock, step by step: what episodes and tests are made of."""

from collections.abc import Callable
from typing import Any

from qwen3vl_eval.film import developer
from qwen3vl_eval.network import Conditions
from qwen3vl_eval.robot import CommandHorizon, RobotSide
from qwen3vl_eval.server import Server
from qwen3vl_eval.watch import Watch
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.worker.question import Model
from qwen3vl_world.world import World


class Loop:
    """One walk; made within a running loop.

    Args:
        draw: makes the JPEG of a picture's number; without it the world's camera does.
        context_length: of the model, in tokens; None where nobody has said.

    Attributes:
        answers: of the server, as they came to the robot.
    """

    def __init__(
        self,
        world: World,
        settings: Settings,
        model: Model,
        rhythm: CommandHorizon | None = None,
        network: Conditions | None = None,
        draw: Callable[[int], bytes] | None = None,
        context_length: int | None = None,
    ) -> None:
        self.world, self.now = world, 0.0
        self.answers: list[dict[str, Any]] = []
        draw = draw or (lambda number: world.draw(self.robot.shots[number]))
        self.server = Server(settings, model, developer(draw), context_length)
        heard = self.answers.append
        self.robot = RobotSide(
            world, self.server, rhythm or CommandHorizon(), network or Conditions(), world.seed, heard
        )
        self.watch = Watch(world)

    async def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, or until something is so."""
        end = self.now + seconds
        while self.now < end - 1e-9 and not until():
            self.now = await self.robot.tick()
            self.watch.look(self.now, self.robot.command, self.answers[-1] if self.answers else None)

    def ended(self) -> bool:
        """The task has a verdict."""
        return self.server.task.verdict is not None
