"""Watching an operator that has nothing to change: idle.py says how its cost is taken apart."""

import asyncio
import time
from dataclasses import dataclass

from hack.bench.operatorbench.cluster import Cluster, path
from hack.bench.operatorbench.failure import say
from hack.bench.operatorbench.idle import WINDOW_PERIODS, Moment
from hack.bench.operatorbench.installation import NAMESPACE
from hack.bench.operatorbench.operator_process import OperatorProcess
from hack.bench.operatorbench.quiet import quiet_since

MOST_MOMENTS, LEAST_MOMENTS = 120, 3
MOST_TOUCHED = 100
GET = frozenset({"GET"})


@dataclass(frozen=True)
class RestWindow:
    """What was seen over 1.2 re-look periods without an edit."""

    moments: list[Moment]
    passes: int
    list_waves: int
    writes: int

    @property
    def seconds(self) -> float:
        return self.moments[-1].at - self.moments[0].at


async def count_passes(operator: OperatorProcess, cluster: Cluster) -> int:
    """Passes so far: by the operator's metric, else by the apiserver's count, as an older commit reads each model once
    in each pass. Only differences mean something."""
    passes = await operator.passes()
    return (await cluster.requests()).of("visionmodels", GET) if passes is None else passes


async def watch_window(operator: OperatorProcess, cluster: Cluster, relook_seconds: float) -> RestWindow:
    """Look on for 1.2 re-look periods."""
    length = WINDOW_PERIODS * relook_seconds
    say(f"nothing is changed for {length:.0f} s")
    before, passes, began = await cluster.requests(), await count_passes(operator, cluster), time.monotonic()
    count = max(LEAST_MOMENTS, min(MOST_MOMENTS, int(length)))
    moments = [Moment(time.monotonic(), operator.cpu_seconds(), before.lists())]
    for turn in range(1, count + 1):
        await asyncio.sleep(max(0.0, began + length * turn / count - time.monotonic()))
        lists = (await cluster.requests()).lists()
        moments.append(Moment(time.monotonic(), operator.cpu_seconds(), lists))
    passes = await count_passes(operator, cluster) - passes
    answered = (await cluster.requests()).since(before)
    window = RestWindow(moments, passes, answered.list_waves(), answered.writes())
    say(f"{passes} passes, {window.list_waves} LIST waves and {window.writes} writes in it")
    return window


async def rest_rate(operator: OperatorProcess, seconds: float) -> float:
    """CPU seconds a second while not even a re-look comes up."""
    began, cpu = time.monotonic(), operator.cpu_seconds()
    await asyncio.sleep(seconds)
    return (operator.cpu_seconds() - cpu) / (time.monotonic() - began)


async def touch(operator: OperatorProcess, cluster: Cluster, names: list[str], rest_rate: float) -> float:
    """CPU seconds of a pass that finds nothing to do, by an annotation on some models that means nothing."""
    before, began, cpu = await count_passes(operator, cluster), time.monotonic(), operator.cpu_seconds()
    for name in names[:MOST_TOUCHED]:
        patch = {"metadata": {"annotations": {"example.com/touched": "true"}}}
        await cluster.call("PATCH", path("visionmodels", NAMESPACE, name), patch)
        await asyncio.sleep(0.1)  # a second touch of the same pass would not be counted
    await quiet_since(operator)
    cpu, seconds = operator.cpu_seconds() - cpu, time.monotonic() - began
    passes = await count_passes(operator, cluster) - before
    return max(0.0, cpu - rest_rate * seconds) / max(1, passes)
