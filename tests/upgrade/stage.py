"""What runs on the release before, and what an upgrade has to make of its Secrets."""

import base64
import secrets as random
from dataclasses import dataclass
from typing import Any

from tests.support.cluster import Namespace, Object
from tests.support.polling import eventually
from tests.support.release import SHARED_SECRETS, model_keys, simulator_model
from tests.support.walk import RED, Walk
from tests.upgrade.pods import Pod, look

Secrets = dict[str, dict[str, str]]
"""`namespace/name` → entries as they stand in the API."""
USER = "team"
ROBOT = "go2-01"
WALK = "through-the-upgrade"
METRES_PER_SECOND = 0.2
"""Slow enough that the robot walks when its model's turn comes."""


@dataclass(frozen=True)
class Stage:
    """A release's namespace and another one that it watches, with three models: the middle one leads robots."""

    home: Namespace
    other: Namespace

    @property
    def models(self) -> tuple[tuple[Namespace, str], ...]:
        """The models, the oldest first."""
        return (self.home, "alpha"), (self.other, "beta"), (self.home, "gamma")

    @property
    def names(self) -> list[str]:
        """`namespace/name` of the models, the oldest first."""
        return [f"{namespace.name}/{name}" for namespace, name in self.models]

    def make_models(self) -> None:
        """One after the other: an age is told in seconds."""
        for namespace, name in self.models:
            namespace.apply(_walker(name) if namespace is self.other else simulator_model(name))
            namespace.wait_ready(name)

    def add_keys(self) -> str:
        """A user's and a robot's key beside those that were made, as people add them; the user's."""
        users, robots = f"sk-{random.token_hex(16)}", random.token_hex(16)
        self.home.patch("secrets", "qwen3vl-keys", {"data": {USER: _encoded(users)}})
        self.other.patch("secrets", "beta-robot-keys", {"data": {ROBOT: _encoded(robots)}})
        # A new pod mounts it at once; the old one would see it within a minute or two.
        old = eventually(lambda: self.other.ready_pod("vln"), 60, "the VLN API is Ready")["metadata"]
        self.other.delete("pods", old["name"])
        eventually(lambda: self.other.find("pods", old["name"]) is None, 60, "its old pod is gone")
        self.other.wait_ready("beta")
        return users

    def walk(self) -> Walk:
        """A robot that has set out, with the key that somebody added."""
        walk = Walk(self.other, WALK, "beta", ROBOT, key=("beta-robot-keys", ROBOT))
        walk.start(RED, limits={"linearMetersPerSecond": METRES_PER_SECOND})
        walk.drives(0.3)
        return walk

    def secrets(self) -> list[Object]:
        """All Secrets but helm's own."""
        found = [secret for namespace in (self.home, self.other) for secret in namespace.list("secrets")]
        return [secret for secret in found if secret["type"] == "Opaque"]

    def pods(self) -> frozenset[Pod]:
        """The models' pods now."""
        return look(self.home.api, (self.home.name, self.other.name))

    def is_upgraded(self) -> bool:
        """Whether all pods are of the present operator's templates, and every model is Ready."""
        for namespace, name in self.models:
            workloads = [namespace.get("statefulsets", f"{name}-engine")]
            if namespace is self.other:
                workloads.append(namespace.get("deployments", f"{name}-vln"))
            if not all(map(_is_rolled_out, workloads)):
                return False
            if not all(namespace.condition(name, kind).get("status") == "True" for kind in ("Ready", "UpToDate")):
                return False
        return True

    def _has_routes(self) -> bool:
        return all(namespace.find("services", f"{name}-engine") for namespace, name in self.models)

    def wait_looked_at(self) -> None:
        """Until the operator that runs now has looked at everything: it has put a deleted Service back."""
        for namespace, name in self.models[1:]:
            namespace.delete("services", f"{name}-engine")
        eventually(self._has_routes, 90, "the deleted Services are put back")
        for namespace, name in self.models:
            namespace.wait_ready(name)


def contents(found: list[Object]) -> Secrets:
    """What Secrets hold."""
    return {_title(secret): secret.get("data") or {} for secret in found}


def versions(found: list[Object]) -> dict[str, str]:
    """Their resourceVersions, which change with anything about them."""
    return {_title(secret): secret["metadata"]["resourceVersion"] for secret in found}


def expected(before: Secrets, stage: Stage) -> Secrets:
    """The Secrets of the present release, by those of the one before: the same bytes at other places."""
    home, other = stage.home.name, stage.other.name
    made: Secrets = {f"{home}/{name}": before[f"{home}/{name}"] for name in SHARED_SECRETS[:2]}
    robots = before[f"{other}/beta-robot-keys"]
    made[f"{other}/{SHARED_SECRETS[2]}"] = {f"beta.{client}": key for client, key in robots.items()}
    for namespace, name in stage.models:
        keys = before[f"{namespace.name}/{name}-keys"]
        entries = {f"{name}.{purpose}": keys[old] for old, purpose in PURPOSES.items() if old in keys}
        secret = made.setdefault(f"{namespace.name}/{model_keys(namespace, name)}", {})
        secret |= entries
    return made


PURPOSES = {"engine-key": "engine", "gateway-key": "vln-to-gateway", "operator-key": "operator-to-vln"}
"""Entries of a model's own Secret in the release before, and what they are called now."""


def _walker(name: str) -> Object:
    model: dict[str, Any] = simulator_model(name, navigation={})
    model["spec"]["engine"]["simulator"]["policy"] = "Drive"
    return model


def _is_rolled_out(workload: Object) -> bool:
    told, wanted = workload["status"], workload["spec"]["replicas"]
    is_new = "qwen3vl-model-keys-" in str(workload["spec"]["template"])
    seen = told.get("observedGeneration") == workload["metadata"]["generation"]
    return is_new and seen and told.get("updatedReplicas") == wanted == told.get("readyReplicas")


def _title(secret: Object) -> str:
    return f"{secret['metadata']['namespace']}/{secret['metadata']['name']}"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
