"""What is said over a task's image. A function of the task and of times."""

import time

from qwen3vl_common.navigation.states import State
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.task.task import Task


def scene_of(task: Task, now: float, wall: float, *, image_at: float) -> Scene:
    """What is said about a task now, over its image of `picture_at`."""
    state, reason = task.state(now)
    follower, reckoning = task.follower, task.execution.reckoning
    moving = state is State.MOVING
    clock = time.strftime("%H:%M:%S", time.gmtime(wall)) + f".{int(wall * 10) % 10}Z"
    return Scene(
        camera=task.settings.camera,
        rest=tuple(task.execution.rest()),
        v=reckoning.commanded_v if moving else 0.0,
        w=reckoning.commanded_w if moving else 0.0,
        state=state.value,
        reason=reason.value,
        plan_age_seconds=None if follower is None else now - follower.started_at,
        picture_age_seconds=max(0.0, now - image_at),
        progress=task.progress,
        instruction=task.settings.instruction,
        environment=task.environment,
        message=task.explain(state, reason),
        at=clock,
    )
