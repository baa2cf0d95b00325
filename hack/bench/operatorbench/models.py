"""The run with many VisionModels: applied, edited, at rest, and after a restart."""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import Any

from hack.bench.operatorbench.at_rest import RestWindow, rest_rate, touch, watch_window
from hack.bench.operatorbench.cluster import Object, path
from hack.bench.operatorbench.exposition import Requests
from hack.bench.operatorbench.failure import say
from hack.bench.operatorbench.idle import IdleCost, idle_cost
from hack.bench.operatorbench.installation import NAMESPACE, Installation
from hack.bench.operatorbench.operator_process import OperatorProcess
from hack.bench.operatorbench.options import Options
from hack.bench.operatorbench.quantiles import quantile_ms
from hack.bench.operatorbench.quiet import done_since, quiet_since
from hack.bench.operatorbench.tracker import Tracker

LABEL = "qwen3vl.io/context-length"
FIRST_LENGTH = 4096
EDIT_SECONDS = 60.0
LAST_PASS_SECONDS = 1.0
"""After the last edit is seen, its status is written and its echoes are looked at."""
SETTLE_SECONDS = 90.0
LISTED_TWICE_SECONDS = 40.0
"""So long after its start an operator has listed everything once more, which is no rest. Where the rest that is asked
for is shorter than that, its figures mean nothing anyway."""
A_DAY = 86_400.0
GET = frozenset({"GET"})


def name_of(number: int) -> str:
    """The model of that number."""
    return f"m{number:05}"


def model(number: int, replicas: int) -> Object:
    """A model on the simulator."""
    spec = {"engine": {"name": "simulator", "contextLength": FIRST_LENGTH}, "replicas": replicas}
    kind = {"apiVersion": "qwen3vl.io/v1alpha1", "kind": "VisionModel"}
    return {**kind, "metadata": {"name": name_of(number)}, "spec": spec}


def is_told(body: Object) -> bool:
    """Whether the status answers the newest generation of the spec."""
    return bool((body.get("status") or {}).get("observedGeneration") == body["metadata"]["generation"])


def context_length(body: Object) -> str | None:
    """What an engine's Service says of its context."""
    found: str | None = (body["metadata"].get("labels") or {}).get(LABEL)
    return found


@dataclass
class ModelsRun:
    """See the module. `figures` fills as the run goes on."""

    installation: Installation
    options: Options
    figures: dict[str, Any]
    tracker: Tracker = field(default_factory=Tracker)

    async def run(self) -> None:
        """All of it.

        Raises:
            RunFailure: the operator did not survive it; in an exception group.
        """
        facts = {"visionmodels": is_told, "statefulsets": lambda body: True, "services": context_length}
        watch, start = self.installation.cluster.watch, self.installation.operator
        async with asyncio.TaskGroup() as group:
            watches = [
                group.create_task(watch(plural, NAMESPACE, self.tracker.seer(plural, fact)))
                for plural, fact in facts.items()
            ]
            async with start(look_again_seconds=self.options.relook_seconds) as operator:
                await self._apply()
                await self._settle(operator)
                await self._edit(operator)
                window = await watch_window(operator, self.installation.cluster, self.options.relook_seconds)
                self.figures["idle_writes_per_minute"] = round(60 * window.writes / window.seconds, 2)
                self.figures["rss_mib"] = round(operator.rss_mib())
            before, began = await self.installation.cluster.requests(), time.monotonic()
            async with start(look_again_seconds=A_DAY) as operator:
                await self._restart(operator, before, began)
                if self.options.rest_seconds >= LISTED_TWICE_SECONDS:
                    await asyncio.sleep(max(0.0, began + LISTED_TWICE_SECONDS - time.monotonic()))
                await self._tell_idle(operator, window)
            for one in watches:
                one.cancel()

    async def _apply(self) -> None:
        names = [name_of(number) for number in range(self.options.models)]
        where = path("visionmodels", NAMESPACE)
        cluster, replicas, began = self.installation.cluster, self.options.replicas, time.monotonic()
        waiting = set(names)

        def stands(name: str) -> bool:
            facts = self.tracker.facts
            child = f"{name}-engine"
            return bool(
                facts.get(("visionmodels", name)) and ("statefulsets", child) in facts and ("services", child) in facts
            )

        def all_stand() -> bool:
            waiting.difference_update([name for name in waiting if stands(name)])
            return not waiting

        async def create(number: int) -> None:
            await cluster.call("POST", where, model(number, replicas))

        await cluster.for_each(range(self.options.models), create)
        say(f"{self.options.models} models are made")
        await self.tracker.until(all_stand, pause_seconds=0.1)
        self.figures["apply_seconds"] = round(time.monotonic() - began, 1)
        say(f"their objects and statuses stand after {self.figures['apply_seconds']} s")

    async def _settle(self, operator: OperatorProcess) -> None:
        """Wait until nothing moves; not for ever, as many models may be looked at again all the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await quiet_since(operator)

    async def _edit(self, operator: OperatorProcess) -> None:
        """One edit after another: what each costs, and how soon it is where the gateway reads it."""
        order = list(range(self.options.models))
        random.Random(1).shuffle(order)  # noqa: S311 - the same order in every run
        took, cpu = [], operator.cpu_seconds()
        for turn in range(self.options.edits):
            took.append(await self._change(name_of(order[turn % len(order)]), FIRST_LENGTH + 1 + turn))
        await asyncio.sleep(LAST_PASS_SECONDS)
        used = operator.cpu_seconds() - cpu
        self.figures["cpu_ms_per_pass"] = round(1000 * used / self.options.edits, 2)
        self.figures["change_p50_ms"], self.figures["change_p99_ms"] = quantile_ms(took, 0.5), quantile_ms(took, 0.99)
        say(f"{self.options.edits} edits took {sum(took):.1f} s and {used:.1f} s of processor time")

    async def _change(self, name: str, length: int) -> float:
        """Seconds from the edit until the Service says so."""
        key, began = ("services", f"{name}-engine"), time.monotonic()
        patch = {"spec": {"engine": {"contextLength": length}}}
        await self.installation.cluster.call("PATCH", path("visionmodels", NAMESPACE, name), patch)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EDIT_SECONDS):
                await self.tracker.until(lambda: self.tracker.facts.get(key) == str(length))
        return time.monotonic() - began

    async def _restart(self, operator: OperatorProcess, before: Requests, began: float) -> None:
        """Until every model had a pass and nothing moves."""
        cluster = self.installation.cluster

        async def is_done() -> bool:
            passes = await operator.passes()
            if passes is None:  # an older commit reads each model once in each pass
                passes = (await cluster.requests()).since(before).of("visionmodels", GET)
            return passes >= self.options.models

        since = await done_since(operator, is_done)
        self.figures["restart_seconds"] = round(since - began, 1)
        self.figures["restart_writes"] = (await cluster.requests()).since(before).writes()
        say(f"restarted within {self.figures['restart_seconds']} s, {self.figures['restart_writes']} writes")

    async def _tell_idle(self, operator: OperatorProcess, window: RestWindow) -> None:
        models = self.options.models
        rate = await rest_rate(operator, self.options.rest_seconds)
        if window.passes >= models / 2:
            by = "re-look wave"
            cost = idle_cost(window.moments, passes=window.passes, list_waves=window.list_waves, rest_rate=rate)
        else:  # no wave came: this operator knows no other period than its own
            names = [name_of(number) for number in range(models)]
            per_pass = await touch(operator, self.installation.cluster, names, rate)
            by, cost = "touched models", IdleCost(rate, per_pass, list_wave=0.0)
        self.figures |= {
            "cpu_ms_per_pass_at_rest": round(1000 * cost.per_pass, 3),
            "at_rest_by": by,
            "list_waves": window.list_waves,
            "list_wave_cpu_ms": round(1000 * cost.list_wave, 1),
            "idle_rest_percent": round(100 * cost.rest_rate, 3),
            "idle_cpu_percent": round(cost.percent(models), 2),
        }
