"""A NavTask and its robot in a pod: the small building's robot with the real client, through the model's Service."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.cluster import Namespace, Object
from tests.support.polling import eventually
from tests.support.release import restricted_pod

MODEL = "simulator"
"""The example's, which the fixture `release` installs."""
STANDING = ("not_connected", "no_answer", "answer_too_old", "restarted")
"""Why a robot stands while its VLN API is away."""
RED, BLUE = "Walk to the red door and stop.", "Walk to the blue door and stop."


def nav_task(name: str, model: str, robot: str, instruction: str, **spec: Any) -> Object:
    """A NavTask; `spec` adds to it."""
    return {
        "apiVersion": "qwen3vl.io/v1alpha1",
        "kind": "NavTask",
        "metadata": {"name": name},
        "spec": {"modelRef": {"name": model}, "robot": robot, "instruction": instruction, **spec},
    }


def robot_pod(name: str, model: str, robot: str, key: tuple[str, str], *arguments: str) -> Object:
    """The pod that is the robot; its key is an entry of a Secret."""
    secret = {"secretKeyRef": dict(zip(("name", "key"), key, strict=True))}
    container = {
        "name": "robot",
        "image": "localhost/qwen3vl/world:dev",
        "imagePullPolicy": "Never",
        "args": ["qwen3vl_world.walk", f"--url=ws://{model}-vln/vln/robot/{robot}", "--out=/out", *arguments],
        "env": [{"name": "QWEN3VL_ROBOT_KEY", "valueFrom": secret}],
        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
    }
    return restricted_pod(name, container, [{"name": "out", "emptyDir": {}}])


@dataclass
class Walk:
    """One NavTask under way.

    Attributes:
        phases: those that were seen, in order.
        key: Secret and entry of the robot's key; by default the one that the operator makes.
    """

    namespace: Namespace
    name: str
    model: str
    robot: str
    phases: list[str] = field(default_factory=list)
    key: tuple[str, str] | None = None

    def start(self, instruction: str, *arguments: str, **spec: Any) -> None:
        """Apply the NavTask and put the robot into the building."""
        self.namespace.apply(nav_task(self.name, self.model, self.robot, instruction, **spec))
        eventually(lambda: self.phase() == "Pending", 15, "the NavTask is Pending")
        key = self.key or ("qwen3vl-robot-keys", f"{self.model}.default")
        self.namespace.apply(robot_pod(self.name, self.model, self.robot, key, *arguments))

    @property
    def task(self) -> Object:
        return self.namespace.get("navtasks", self.name)

    @property
    def status(self) -> Object:
        return dict(self.task.get("status") or {})

    def phase(self) -> str:
        """The phase now, also noted."""
        phase = str(self.status.get("phase", ""))
        if phase and self.phases[-1:] != [phase]:
            self.phases.append(phase)
        return phase

    def condition(self, kind: str) -> Object:
        """A condition; empty when it is not there."""
        found = self.status.get("conditions") or []
        return next((condition for condition in found if condition["type"] == kind), {})

    def patch(self, **spec: Any) -> None:
        """Edit the NavTask."""
        self.namespace.patch("navtasks", self.name, {"spec": spec})

    def said(self) -> list[dict[str, Any]]:
        """What the robot printed: one line a second, at the end its report."""
        lines = self.namespace.kubectl("logs", self.name, check=False).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def newest(self) -> dict[str, Any]:
        """The robot's newest line; empty before the first."""
        return next((line for line in reversed(self.said()) if "seconds" in line), {})

    def driven_metres(self) -> float:
        return float(self.newest().get("driven_m", 0.0))

    def drives(self, metres: float = 0.2, seconds: float = 60) -> None:
        """Wait until it has driven this much more."""
        before = self.driven_metres()
        eventually(lambda: self.driven_metres() >= before + metres, seconds, f"{self.name} drives", show=self._show)

    def stands(self, seconds: float = 2.5) -> None:
        """Wait until it has said twice that it stands, or has ended, so that it has braked; it drives no more then."""

        def braked() -> bool:
            said = self.said()
            last = [line for line in said if "seconds" in line][-2:]
            twice = len(last) == 2 and all(line.get("state") != "moving" for line in last)
            return twice or any("report" in line for line in said)

        eventually(braked, 15, f"{self.name} stands", show=self._show)
        before = self.driven_metres()
        time.sleep(seconds)  # standing still can only be seen by waiting
        assert self.driven_metres() - before < 0.02, self.said()[-4:]

    def reaches(self, what: Callable[[], object], seconds: float, meaning: str) -> None:
        """Wait for something about the walk."""

        def seen() -> object:
            self.phase()
            return what()

        eventually(seen, seconds, meaning, show=self._show)

    def report(self, seconds: float = 180) -> dict[str, Any]:
        """The robot's report, once it is there."""
        self.reaches(lambda: any("report" in line for line in self.said()), seconds, f"{self.name} has ended")
        return dict(next(line["report"] for line in self.said() if "report" in line))

    def _show(self) -> str:
        return json.dumps({"status": self.status, "robot": self.said()[-3:]}, indent=1)

    def end(self) -> None:
        """Remove NavTask and robot."""
        self.namespace.kubectl("delete", "navtask", self.name, "--ignore-not-found", "--wait=true")
        self.namespace.kubectl("delete", "pod", self.name, "--ignore-not-found", "--grace-period=1", "--wait=true")


def well_done(walk: Walk, door: str) -> dict[str, object]:
    """It ended at this door and touched nothing; the robot's report."""
    report = walk.report()
    walk.reaches(lambda: walk.phase() == "Succeeded", 10, "the NavTask has Succeeded")
    assert walk.condition("Complete")["reason"] == "GoalReached" and walk.status["verdict"] == "GoalReached"
    assert report["ended"] == "goal" and report["door"] == door and report["collisions"] == 0, report
    return report
