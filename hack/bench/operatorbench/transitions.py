"""Which task changes when. No I/O."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Transition:
    """A task's change in its VLN API: seconds after the start, and the phase that its status has then."""

    at: float
    task: int
    phase: str


def planned(tasks: int, *, per_second: float, seconds: float, seed: int = 1) -> list[Transition]:
    """Tasks in random order begin to walk; in the second half every other transition is one's end at its goal.

    No more than half of the tasks end, and no task changes more often than it can: so there may be fewer transitions
    than there is time for.
    """
    order = list(range(tasks))
    random.Random(seed).shuffle(order)  # noqa: S311 - the same order in every run
    begun, ended, made = 0, 0, []
    total = int(per_second * seconds)
    for turn in range(total):
        ends = turn >= total / 2 and turn % 2 == 1 and ended < min(begun, tasks // 2)
        if not ends and begun == tasks:
            break
        task = order[ended if ends else begun]
        made.append(Transition(turn / per_second, task, "Succeeded" if ends else "Running"))
        begun, ended = begun + (not ends), ended + ends
    return made
