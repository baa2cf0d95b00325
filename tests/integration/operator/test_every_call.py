"""Each call of a pass fails once, in each way in which a call can fail: it is told, and the next pass makes up for it.

On a real apiserver through a proxy that fails the k-th request about a model. All cases run at the same time under one
operator, since each is a model of its own; those of Secrets, which models share, take turns."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.integration.operator import rights
from tests.integration.operator.api import Api, Namespace, eventually
from tests.integration.operator.conftest import NAVIGATION, Operator, make_namespace, model, operating
from tests.integration.operator.fault_proxy import Asked, Fault, FaultProxy, fault_proxy

from localkube.testing import ApiServer
from qwen3vl_operator.secrets.model_keys import secret_name

FAULTS: dict[str, Fault] = {"409": 409, "429": 429, "500": 500, "hang": "hang", "cut": "cut", "lost": "lost"}
CALLS = 12
"""Of a model's first passes at least: two about each of its five objects, its status, its Event."""
SECRET_CALLS = 4
SECRETS = 17
"""Of keys in each namespace."""
SPEC = NAVIGATION | {"cache": {"size": "1Gi"}}
CHILDREN = {
    "statefulsets": ("engine",),
    "services": ("engine", "vln"),
    "deployments": ("vln",),
    "persistentvolumeclaims": ("cache",),
}
KINDS = {
    "statefulsets": "StatefulSet",
    "services": "Service",
    "deployments": "Deployment",
    "persistentvolumeclaims": "PersistentVolumeClaim",
}
CONVERGED_SECONDS = 60.0


def about(asked: Asked) -> str | None:
    """The model that a request is about, by the names of the things it touches."""
    if asked.is_of_informer or len(asked.parts) < 2:
        return None
    _, plural, *rest = asked.parts
    if plural == "events":
        return rest[0].partition(".")[0] if rest else str(asked.json["involvedObject"]["name"]) if asked.body else None
    if not rest:
        return None
    return rest[0].rpartition("-")[0] if plural in CHILDREN else rest[0] if plural == "visionmodels" else None


@dataclass
class Plan:
    """Which request fails how: by place, the number of the request there and the fault.

    Attributes:
        failed: by place, the request that failed.
    """

    of: dict[Any, tuple[int, Fault]] = field(default_factory=dict)
    counts: dict[Any, int] = field(default_factory=dict)
    failed: dict[Any, Asked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, place: Any, asked: Asked) -> Fault:
        with self._lock:
            number = self.counts[place] = self.counts.get(place, -1) + 1
            wanted = self.of.get(place)
            if wanted is None or wanted[0] != number:
                return None
            self.failed[place] = asked
            return wanted[1]


@dataclass
class Scene:
    """An operator behind a proxy."""

    proxy: FaultProxy
    operator: Operator
    namespaces: list[Namespace]


@pytest.fixture(scope="module")
def scene(server: ApiServer, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("calls")
    namespaces = [make_namespace(api) for _ in range(SECRET_CALLS)]
    for namespace in namespaces:
        rights.grant(namespace, namespaces[0])
    with fault_proxy(server.url, server.pki) as proxy:
        config = rights.kubeconfig(namespaces[0], proxy.url, server.pki, folder / "kubeconfig")
        watched = {"QWEN3VL_NAMESPACES": ",".join(one.name for one in namespaces)}
        with operating(config, namespaces[0].name, folder / "operator.log", more=watched) as operator:
            for namespace in namespaces:
                eventually(lambda namespace=namespace: has_read_secrets(proxy, namespace.name), 30)  # type: ignore[misc]
            yield Scene(proxy, operator, namespaces)
            assert operator.get("/healthz")[0] == 200


def has_read_secrets(proxy: FaultProxy, namespace: str) -> bool:
    """Whether the first look at the namespace's seventeen Secrets is over."""
    read = {asked.path for asked, _ in proxy.of_the_operator() if asked.parts[:2] == [namespace, "secrets"]}
    return len(read) >= SECRETS


def is_whole(namespace: Namespace, name: str) -> bool:
    """Whether all objects are there and the status is about them."""
    made = namespace.get("visionmodels", name)
    for plural, words in CHILDREN.items():
        for word in words:
            found = namespace.find(plural, f"{name}-{word}")
            if found is None:
                return False
    told = made.get("status") or {}
    conditions = {one["type"]: one for one in told.get("conditions") or []}
    return (
        told.get("observedGeneration") == made["metadata"]["generation"]
        and conditions["Accepted"]["reason"] == "Valid"
        and conditions["UpToDate"]["reason"] == "RollingOut"
        and "pods are of the newest revision" in conditions["UpToDate"]["message"]
    )


def statuses(proxy: FaultProxy, namespace: str, name: str) -> list[Any]:
    """What the operator told of a model, in order."""
    place = [namespace, "visionmodels", name, "status"]
    return [asked.json["status"]["conditions"] for asked, _ in proxy.of_the_operator() if asked.parts == place]


def reasons(asked: Asked, fault: Fault) -> set[str]:
    """What the status says of the object: a GET whose connection ended is asked again at once, and tells nobody."""
    return set() if asked.method == "GET" and fault in ("cut", "lost") else {"ApplyFailed"}


def test_any_call_about_a_model_may_fail_in_any_way(scene: Scene) -> None:
    plan = Plan()
    scene.proxy.rule = lambda asked: plan.fault(name, asked) if (name := about(asked)) else None
    first = scene.namespaces[0]
    first.create("visionmodels", model("clean", SPEC))
    eventually(lambda: is_whole(first, "clean"))
    assert CALLS <= plan.counts["clean"] + 1 <= CALLS + 2
    cases = {}
    for number in range(CALLS):
        for word, fault in FAULTS.items():
            name = f"k{number}-{word}"
            plan.of[name] = number, fault
            cases[name] = scene.namespaces[number % len(scene.namespaces)]
    for name, namespace in cases.items():
        namespace.create("visionmodels", model(name, SPEC))
    for name, namespace in cases.items():
        eventually(lambda name=name, namespace=namespace: is_whole(namespace, name), CONVERGED_SECONDS)  # type: ignore[misc]
    assert set(plan.failed) == set(cases), "each case had its fault"
    for name, namespace in cases.items():
        asked = plan.failed[name]
        plural, target = asked.parts[1:3] if len(asked.parts) > 2 else (asked.parts[1], "")
        told = [one for conditions in statuses(scene.proxy, namespace.name, name) for one in conditions]
        if plural in CHILDREN:
            words = f"{KINDS[plural]} {target}: "
            accepted = [one for one in told if one["type"] == "Accepted" and words in one["message"]]
            assert {one["reason"] for one in accepted} == reasons(asked, plan.of[name][1]), name
    for namespace in scene.namespaces:
        mine = [name for name, where in cases.items() if where is namespace] + ["clean"] * (namespace is first)
        for plural, ends in CHILDREN.items():
            found = [thing["metadata"]["name"] for thing in namespace.list(plural)]
            assert sorted(found) == sorted(f"{name}-{end}" for name in mine for end in ends)
        events = [(one["involvedObject"]["name"], one["reason"]) for one in namespace.list("events")]
        assert len(events) == len(set(events)), "an Event is counted up, not made twice"


@pytest.mark.parametrize("word", FAULTS)
def test_any_call_about_the_secrets_of_keys_may_fail_in_any_way(scene: Scene, word: str) -> None:
    """In each of four namespaces another one of the calls about the model's two Secrets fails."""
    plan, name = Plan(), f"secrets-{word}"

    def place(asked: Asked) -> str | None:
        if asked.is_of_informer or asked.parts[1:2] != ["secrets"]:
            return None
        namespace, _, secret = asked.parts
        return namespace if secret in (secret_name(namespace, name), "qwen3vl-robot-keys") else None

    for number, namespace in enumerate(scene.namespaces):
        plan.of[namespace.name] = number, FAULTS[word]
    scene.proxy.rule = lambda asked: plan.fault(where, asked) if (where := place(asked)) else None
    for namespace in scene.namespaces:
        namespace.create("visionmodels", model(name, SPEC))
    for namespace in scene.namespaces:
        eventually(lambda namespace=namespace: is_whole(namespace, name), CONVERGED_SECONDS)  # type: ignore[misc]
    assert set(plan.failed) == {namespace.name for namespace in scene.namespaces}
    for namespace in scene.namespaces:
        secret = plan.failed[namespace.name].parts[2]
        told = [one for conditions in statuses(scene.proxy, namespace.name, name) for one in conditions]
        found = [one for one in told if one["type"] == "Accepted" and f"Secret {secret}: " in one["message"]]
        wanted = reasons(plan.failed[namespace.name], FAULTS[word])
        assert {one["reason"] for one in found} == wanted, plan.failed[namespace.name]
        uid = namespace.get("visionmodels", name)["metadata"]["uid"]
        entries = namespace.get("secrets", secret_name(namespace.name, name))["data"]
        assert {f"{name}.engine", f"{name}.vln-to-gateway", f"{name}.operator-to-vln"} <= set(entries), uid
        assert f"{name}.default" in namespace.get("secrets", "qwen3vl-robot-keys")["data"]
