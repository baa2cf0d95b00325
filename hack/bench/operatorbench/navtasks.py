"""The run with many NavTasks of one model: told to its VLN API, moved on, stopped while others are asserted."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

from hack.bench.operatorbench.cluster import Object, path
from hack.bench.operatorbench.failure import say
from hack.bench.operatorbench.installation import NAMESPACE, Installation
from hack.bench.operatorbench.options import Options
from hack.bench.operatorbench.quantiles import quantile_ms
from hack.bench.operatorbench.slow_vln import SlowVln
from hack.bench.operatorbench.tracker import Tracker
from hack.bench.operatorbench.transitions import Transition, planned

MODEL = {
    "apiVersion": "qwen3vl.io/v1alpha1",
    "kind": "VisionModel",
    "metadata": {"name": "m"},
    "spec": {"engine": {"name": "simulator"}, "replicas": 0, "navigation": {}},
}
OFFERED_PER_SECOND = 15
STEP_SECONDS = 1.0
"""A walking task has new figures so often, as a real one has: they must not be in the way of transitions."""
ASSERTED, STOPPED = 500, 100
STOP_EVERY_SECONDS = 0.3
ANSWER_SECONDS = 0.9
PATIENCE_SECONDS = 60.0
STATUS_WRITES = frozenset({"PATCH", "APPLY", "PUT"})


def name_of(number: int) -> str:
    """The task of that number."""
    return f"t{number:05}"


def nav_task(number: int) -> Object:
    """A task with a robot of its own."""
    spec = {"modelRef": {"name": "m"}, "robot": f"robot-{number:05}", "instruction": "Walk to the red door."}
    kind = {"apiVersion": "qwen3vl.io/v1alpha1", "kind": "NavTask"}
    return {**kind, "metadata": {"name": name_of(number)}, "spec": spec}


def is_accepted(body: Object) -> bool:
    """Whether its status says so."""
    conditions = (body.get("status") or {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Accepted", "True") for one in conditions)


@dataclass
class NavTasksRun:
    """See the module. `figures` fills as the run goes on."""

    installation: Installation
    options: Options
    figures: dict[str, Any]
    vln: SlowVln = field(default_factory=SlowVln)
    _ids: list[str] = field(default_factory=list)
    _tracker: Tracker = field(default_factory=Tracker)
    _walking: set[str] = field(default_factory=set)
    _awaited: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Name → phase that its status is to have, and since when."""
    _lags: list[float] = field(default_factory=list)
    _stopped: dict[str, float] = field(default_factory=dict)
    """Name → when a watch told that it is to be stopped."""

    async def run(self) -> None:
        """All of it.

        Raises:
            RunFailure: the operator did not survive it; in an exception group.
        """
        cluster = self.installation.cluster
        async with self.vln.served(), asyncio.TaskGroup() as group:
            self.installation.vln_url = self.vln.url
            see = self._tracker.seer("navtasks", self._see)
            beside = [group.create_task(cluster.watch("navtasks", NAMESPACE, see)), group.create_task(self._walk())]
            async with self.installation.operator(look_again_seconds=self.options.relook_seconds):
                await self._apply()
                await self._move_on()
                await self._stop()
            for one in beside:
                one.cancel()

    def _see(self, body: Object) -> bool:
        name, now = body["metadata"]["name"], time.monotonic()
        phase, since = self._awaited.get(name, ("", 0.0))
        if phase and (body.get("status") or {}).get("phase") == phase:
            del self._awaited[name]
            self._lags.append(now - since)
        if body["spec"].get("state") == "Stopped":
            self._stopped.setdefault(name, now)
        return is_accepted(body)

    async def _walk(self) -> None:
        """Every walking task makes a step a second."""
        while True:
            await asyncio.sleep(STEP_SECONDS)
            for task_id in self._walking:
                record = self.vln.vln.records[task_id]
                if record["phase"] == "Running":
                    self.vln.vln.change(task_id, steps=record["steps"] | {"done": record["steps"]["done"] + 1})

    async def _apply(self) -> None:
        count, cluster, began = self.options.navtasks, self.installation.cluster, time.monotonic()
        await cluster.call("POST", path("visionmodels", NAMESPACE), MODEL)
        ids = [""] * count

        async def create(number: int) -> None:
            made = await cluster.call("POST", path("navtasks", NAMESPACE), nav_task(number))
            ids[number] = f"{made['metadata']['name']}-{made['metadata']['uid'][:8]}"

        await cluster.for_each(range(count), create)
        say(f"{count} NavTasks are made")
        facts, records = self._tracker.facts, self.vln.vln.records
        names = [name_of(number) for number in range(count)]

        def all_told() -> bool:
            return len(records) >= count and all(facts.get(("navtasks", name)) for name in names)

        await self._tracker.until(all_told, pause_seconds=0.2)
        self._ids = ids
        self.figures["navtasks_apply_seconds"] = round(time.monotonic() - began, 1)
        say(f"all are accepted and told after {self.figures['navtasks_apply_seconds']} s")

    async def _move_on(self) -> None:
        """Offer transitions by an absolute schedule; how long each takes to stand in the task's status."""
        plan = planned(self.options.navtasks, per_second=OFFERED_PER_SECOND, seconds=self.options.transition_seconds)
        before, began = await self.installation.cluster.requests(), time.monotonic()
        for transition in plan:
            await asyncio.sleep(max(0.0, began + transition.at - time.monotonic()))
            self._change(transition)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._tracker.until(lambda: not self._awaited)
        now, answered = time.monotonic(), (await self.installation.cluster.requests()).since(before)
        missing = [now - since for _, since in self._awaited.values()]
        self._awaited.clear()
        self.figures["writes_per_second"] = round(answered.of("navtasks", STATUS_WRITES, "status") / (now - began), 1)
        self.figures["transitions"] = len(plan)
        self.figures["lag_p99_ms"] = quantile_ms(self._lags + missing, 0.99)
        say(f"{len(plan)} transitions, p99 {self.figures['lag_p99_ms']} ms, {len(missing)} never told")

    def _change(self, transition: Transition) -> None:
        name, task_id = name_of(transition.task), self._ids[transition.task]
        if name in self._awaited:  # its former phase never came: that lag counts until now
            self._lags.append(time.monotonic() - self._awaited[name][1])
        self._awaited[name] = (transition.phase, time.monotonic())
        if transition.phase == "Running":
            self._walking.add(task_id)
            fields = {"state": "moving", "reason": "following_plan", "action": "forward"}
            self.vln.vln.change(task_id, phase="Running", **fields)
        else:
            self._walking.discard(task_id)
            self.vln.vln.finish(task_id, "GoalReached", "seen twice")

    async def _stop(self) -> None:
        """Stop some while many others are being asserted to a VLN API that is slow."""
        cluster, records = self.installation.cluster, self.vln.vln.records
        names = [name for name, of in zip(self._names(), self._ids, strict=True) if records[of]["phase"] != "Finished"]
        stopped = names[: min(STOPPED, len(names) // 2)]
        asserted = names[len(stopped) :][:ASSERTED]
        self.vln.delay_seconds = ANSWER_SECONDS

        async def edit(name: str, spec: Object) -> None:
            await cluster.call("PATCH", path("navtasks", NAMESPACE, name), {"spec": spec})

        async def rephrase(name: str) -> None:
            await edit(name, {"instruction": "Walk to the blue door."})

        puts = self.vln.arrived["PUT"]
        await cluster.for_each(asserted, rephrase)
        for name in stopped:
            await edit(name, {"state": "Stopped"})
            await asyncio.sleep(STOP_EVERY_SECONDS)
        self.figures["asserted_meanwhile"] = self.vln.arrived["PUT"] - puts
        ids = dict(zip(self._names(), self._ids, strict=True))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.vln.until_stopped(ids[name] for name in stopped)
        now = time.monotonic()
        arrived = [self.vln.stopped_at.get(ids[name], now) for name in stopped]
        waits = [max(0.0, at - self._stopped.get(name, at)) for name, at in zip(stopped, arrived, strict=True)]
        missing = sum(at == now for at in arrived)
        self.figures["stop_p99_ms"] = quantile_ms(waits, 0.99)
        say(f"{len(stopped)} stops, p99 {self.figures['stop_p99_ms']} ms, {missing} never arrived")

    def _names(self) -> list[str]:
        return [name_of(number) for number in range(self.options.navtasks)]
