"""One thing breaks: its owner is told, and a model of another namespace is changed as fast as before meanwhile.

One operator over many namespaces, on an apiserver with Kubernetes' own namespace controller. Each test breaks one of
them; the neighbour is changed all the time, and a probe asks all the time whether the operator lives."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator import rights
from tests.integration.operator.api import Api, Namespace, Object, eventually
from tests.integration.operator.conftest import (
    CRDS,
    NAVIGATION,
    Operator,
    condition,
    has_reason,
    model,
    nav_task,
    operating,
)
from tests.integration.operator.controllers import ControlledCluster
from tests.integration.operator.realm import SERVED_AGAIN_SECONDS, Neighbour, alive, make, metric
from tests.integration.operator.trouble import FAILED_WEBHOOK, Silence, loosen, quota, silence, webhook
from tests.support.figures import Figures

RECOVERED_SECONDS = 60.0
RELEASE = "isolation"
GONE, UNBOUND, LATER = "isolation-gone", "isolation-unbound", "isolation-later"
OTHERS = (
    "webhook",
    "hanging",
    "taken",
    "vln",
    "odd",
    "quota",
    "crowd",
    "storm",
)
UNREADABLE = "cannot be read"


@dataclass
class House:
    """The operator and what it watches."""

    api: Api
    pki: Path
    operator: Operator
    neighbour: Neighbour
    release: Namespace
    vln: Silence
    kubeconfig: Path
    watched: dict[str, str]

    def __getitem__(self, name: str) -> Namespace:
        return Namespace(self.api, f"{RELEASE}-{name}")

    def log(self) -> str:
        return self.operator.log.read_text()

    def health(self, namespace: str) -> float | None:
        return metric(self.operator, "qwen3vl_operator_namespace_healthy", namespace=namespace)


@pytest.fixture(scope="module")
def house(controlled: ControlledCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Already broken, since that takes longest to be seen: a namespace deleted, one unbound, one not there yet."""
    api, folder = controlled.api, tmp_path_factory.mktemp("isolation")
    release = make(api, RELEASE)
    names = [GONE, UNBOUND, *(f"{RELEASE}-{name}" for name in OTHERS)]
    for namespace in [release, *(make(api, name) for name in names)]:
        rights.grant(namespace, release)
    config = rights.kubeconfig(release, controlled.server.url, controlled.server.pki, folder / "kubeconfig")
    watched = {"QWEN3VL_NAMESPACES": ",".join([release.name, LATER, *names])}
    with (
        silence() as vln,
        operating(config, release.name, folder / "operator.log", f"http://127.0.0.1:{vln.port}", watched) as operator,
        alive(operator),
    ):
        neighbour = Neighbour(release)
        neighbour.begin()
        try:
            for name in (GONE, UNBOUND):
                Namespace(api, name).create("visionmodels", model(spec=NAVIGATION))
                eventually(lambda name=name: Namespace(api, name).find("statefulsets", "m-engine"))  # type: ignore[misc]
            Namespace(api, UNBOUND).delete("rolebindings", "operator")
            controlled.api.call("DELETE", f"api/v1/namespaces/{GONE}")
            yield House(api, controlled.server.pki, operator, neighbour, release, vln, config, watched)
            assert operator.health() == 200
        finally:
            neighbour.end()


def accepted(namespace: Namespace, reason: str, words: str, name: str = "m") -> Callable[[], bool]:
    """For `eventually`: the condition says so of the newest generation."""

    def look() -> bool:
        found = namespace.get("visionmodels", name)
        told = condition(namespace, "Accepted", name)
        return (
            told is not None
            and told["reason"] == reason
            and words in told["message"]
            and told["observedGeneration"] == found["metadata"]["generation"]
        )

    return look


NAMED = ("statefulsets", "services", "deployments")
"""Kinds whose objects contain the served name."""


@pytest.mark.parametrize("plural", [*NAMED, "persistentvolumeclaims"])
def test_a_webhook_that_nobody_answers_is_told_in_every_pass_and_recovered_from(
    house: House, plural: str, figure: Figures
) -> None:
    namespace = house["webhook"]
    spec = NAVIGATION | {"cache": {"size": "1Gi"}}
    old, new = f"old-{plural}"[:20], f"new-{plural}"[:20]
    namespace.create("visionmodels", model(old, spec))
    eventually(lambda: namespace.find("statefulsets", f"{old}-engine"))
    child = {"statefulsets": "engine", "services": "engine", "persistentvolumeclaims": "cache", "deployments": "vln"}
    with (
        house.neighbour.unaffected(figure, f"a webhook on {plural} fails"),
        webhook(namespace, house.pki, plural),
    ):
        namespace.create("visionmodels", model(new, spec))
        eventually(accepted(namespace, "ApplyFailed", FAILED_WEBHOOK, new))
        assert namespace.find(plural, f"{new}-{child[plural]}") is None
        others = {kind: word for kind, word in child.items() if kind != plural}
        for kind, word in others.items():
            # One object's failure keeps no other back.
            eventually(lambda kind=kind, word=word: namespace.find(kind, f"{new}-{word}"))  # type: ignore[misc]
        namespace.merge("visionmodels", old, {"spec": {"servedName": f"{old}-2"}})
        reason, words = ("ApplyFailed", FAILED_WEBHOOK) if plural in NAMED else ("Valid", "")
        eventually(accepted(namespace, reason, words, old))
    for name in (old, new):
        eventually(has_reason(namespace, "Accepted", "Valid", name), RECOVERED_SECONDS)
    assert namespace.find(plural, f"{new}-{child[plural]}") is not None


def test_a_webhook_on_secrets_is_told_to_the_models_that_wait_for_their_keys(house: House, figure: Figures) -> None:
    namespace = house["webhook"]
    with (
        house.neighbour.unaffected(figure, "a webhook on Secrets fails"),
        webhook(namespace, house.pki, "secrets"),
    ):
        namespace.create("visionmodels", model("keyless"))
        eventually(accepted(namespace, "ApplyFailed", FAILED_WEBHOOK, "keyless"))
        told = condition(namespace, "Accepted", "keyless")
        assert told is not None
        assert "Secret qwen3vl-model-keys-" in told["message"]
        assert namespace.find("services", "keyless-engine") is not None, "what needs no key is there"
    eventually(lambda: namespace.find("statefulsets", "keyless-engine"), RECOVERED_SECONDS)


def test_a_webhook_on_status_is_told_by_log_and_metric(house: House, figure: Figures) -> None:
    namespace = house["webhook"]
    with (
        house.neighbour.unaffected(figure, "a webhook on statuses fails"),
        webhook(namespace, house.pki, "visionmodels/status"),
    ):
        namespace.create("visionmodels", model("mute"))
        eventually(lambda: namespace.find("statefulsets", "mute-engine"))
        assert condition(namespace, "Ready", "mute") is None
        eventually(lambda: f"VisionModel {namespace.name}/mute failed" in house.log())
        eventually(lambda: (metric(house.operator, "qwen3vl_operator_queue_failing") or 0) > 0)
    eventually(has_reason(namespace, "Accepted", "Valid", "mute"), RECOVERED_SECONDS)


def test_a_webhook_that_never_answers_holds_up_nobody_else(house: House, figure: Figures) -> None:
    """Six models and their Secrets in a namespace where each write hangs: more than there are workers."""
    namespace = house["hanging"]
    names = [f"slow-{number}" for number in range(6)]
    with silence() as behind:
        kinds = ("statefulsets", "services", "secrets")
        with (
            house.neighbour.unaffected(figure, "each write of another namespace hangs for 10 s"),
            webhook(namespace, house.pki, *kinds, behind=behind),
        ):
            for name in names:
                namespace.create("visionmodels", model(name))
            eventually(accepted(namespace, "ApplyFailed", "no answer of the apiserver within 10 s", names[0]), 45)
    for name in names:
        eventually(lambda name=name: namespace.find("statefulsets", f"{name}-engine"), RECOVERED_SECONDS)  # type: ignore[misc]


@pytest.mark.parametrize("plural", ["services", "statefulsets", "deployments", "persistentvolumeclaims"])
def test_an_object_in_the_way_is_told_and_left_alone(house: House, plural: str, figure: Figures) -> None:
    namespace, name = house["taken"], f"taken-{plural[:5]}"
    words = {"services": "engine", "statefulsets": "engine", "deployments": "vln", "persistentvolumeclaims": "cache"}
    foreign = namespace.create(plural, FOREIGN[plural] | {"metadata": {"name": f"{name}-{words[plural]}"}})
    with house.neighbour.unaffected(figure, f"another's object of {plural} is in the way"):
        namespace.create("visionmodels", model(name, NAVIGATION | {"cache": {"size": "1Gi"}}))
        eventually(accepted(namespace, "NameTaken", f"{foreign_kind(plural)} {name}-{words[plural]}", name))
        for kind, word in words.items():
            eventually(lambda kind=kind, word=word: namespace.find(kind, f"{name}-{word}"))  # type: ignore[misc]
    found = namespace.get(plural, f"{name}-{words[plural]}")
    assert found["metadata"]["resourceVersion"] == foreign["metadata"]["resourceVersion"]


def foreign_kind(plural: str) -> str:
    return {
        "services": "Service",
        "statefulsets": "StatefulSet",
        "deployments": "Deployment",
        "persistentvolumeclaims": "PersistentVolumeClaim",
    }[plural]


_POD = {
    "selector": {"matchLabels": {"a": "b"}},
    "template": {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "registry.example/c:1"}]},
    },
}
FOREIGN: dict[str, Object] = {
    "services": {"spec": {"ports": [{"port": 1}], "selector": {"a": "b"}}},
    "statefulsets": {"spec": _POD | {"serviceName": "x"}},
    "deployments": {"spec": _POD},
    "persistentvolumeclaims": {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
}


def test_a_secret_in_the_way_is_told_and_the_models_of_other_secrets_go_on(house: House, figure: Figures) -> None:
    """One of the sixteen is there, immutable, with other bytes; a model of another one is served."""
    namespace = house["taken"]
    names = {secret_of(namespace.name, name): name for name in (f"key-{number}" for number in range(8))}
    (taken, blocked), (_, free) = list(names.items())[:2]
    namespace.create("secrets", {"metadata": {"name": taken}, "immutable": True, "data": {"a": "YQ=="}})
    with house.neighbour.unaffected(figure, "an immutable Secret is in the way"):
        namespace.create("visionmodels", model(blocked))
        namespace.create("visionmodels", model(free))
        eventually(lambda: namespace.find("statefulsets", f"{free}-engine"))
        eventually(accepted(namespace, "ApplyFailed", f"Secret {taken}", blocked))
    namespace.delete("secrets", taken)
    eventually(lambda: namespace.find("statefulsets", f"{blocked}-engine"), RECOVERED_SECONDS)


def secret_of(namespace: str, name: str) -> str:
    from qwen3vl_operator.secrets.model_keys import secret_name

    return secret_name(namespace, name)


def test_a_vln_api_that_never_answers_is_told_at_its_tasks(house: House, figure: Figures) -> None:
    namespace = house["vln"]
    with house.neighbour.unaffected(figure, "a VLN API never answers"):
        namespace.create("visionmodels", model(spec=NAVIGATION))
        for number in range(20):
            namespace.create("navtasks", nav_task(f"walk-{number}", robot=f"robot-{number}"))

        def told() -> bool:
            conditions = (namespace.get("navtasks", "walk-19").get("status") or {}).get("conditions") or []
            return any(one["reason"] == "NavigationUnreachable" for one in conditions)

        eventually(told, 20)
        namespace.merge("navtasks", "walk-0", {"spec": {"state": "Stopped"}})
        namespace.delete("navtasks", "walk-1")
        assert house.vln.held


ODD: dict[str, tuple[Any, str]] = {
    "text": ("nothing but text", "spec"),
    "list": ([1, 2], "spec"),
    "served-name-list": ({"engine": {"name": "simulator"}, "servedName": ["a"]}, "servedName"),
    "served-name-number": ({"engine": {"name": "simulator"}, "servedName": 7}, "servedName"),
    "navigation-text": ({"engine": {"name": "simulator"}, "navigation": "yes"}, "navigation"),
    "navigation-list": ({"engine": {"name": "simulator"}, "navigation": ["yes"]}, "navigation"),
    "engine-text": ({"engine": "simulator"}, "engine"),
    "unknown-engine": ({"engine": {"name": "no-such"}}, "no-such"),
    "replicas-text": ({"engine": {"name": "simulator"}, "replicas": "many"}, "replicas"),
    "deep": ({"engine": {"name": "simulator", "env": {"a": {"b": [[[]]]}}}}, "env"),
}
ODD_TASKS: dict[str, Any] = {
    "text": "nothing but text",
    "list": [1],
    "model-text": {"modelRef": "m", "robot": "r", "instruction": "go"},
    "robot-list": {"modelRef": {"name": "m"}, "robot": ["r"], "instruction": "go"},
    "model-list": {"modelRef": {"name": ["m"]}, "robot": "r", "instruction": "go"},
    "state-number": {"modelRef": {"name": "m"}, "robot": "r", "instruction": "go", "state": 5},
}


@pytest.fixture
def loose(house: House) -> Iterator[None]:
    """Definitions that take any spec, as those of another version may."""
    names = [f"{plural}.qwen3vl.io" for plural in ("visionmodels", "navtasks")]
    strict = [loosen(house.api, CRDS, name) for name in names]
    eventually(lambda: takes_anything(house["odd"]), 30)
    house.neighbour.recover()
    yield
    for plural in ("navtasks", "visionmodels"):
        for thing in house["odd"].list(plural):
            house["odd"].delete(plural, thing["metadata"]["name"])
    for name, before in zip(names, strict, strict=True):
        present = house.api.call("GET", f"{CRDS}/{name}")
        house.api.call("PUT", f"{CRDS}/{name}", present | {"spec": before["spec"]})
    eventually(lambda: not takes_anything(house["odd"]), 30)
    house.neighbour.recover()


def takes_anything(namespace: Namespace) -> bool:
    from tests.integration.operator.api import Refused

    for plural, body in (("visionmodels", model("odd", [])), ("navtasks", nav_task("odd") | {"spec": []})):  # type: ignore[arg-type]
        path = f"apis/qwen3vl.io/v1alpha1/namespaces/{namespace.name}/{plural}?dryRun=All"
        with contextlib.suppress(Refused):
            namespace.api.call("POST", path, body)
            continue
        return False
    return True


@pytest.mark.usefixtures("loose")
def test_specs_that_nobody_can_parse_are_told_and_hurt_no_model_beside_them(
    house: House, figure: Figures, tmp_path: Path
) -> None:
    namespace = house["odd"]
    with house.neighbour.unaffected(figure, "specs of another namespace cannot be parsed"):
        for name, (spec, _) in ODD.items():
            namespace.create("visionmodels", model(name, spec))
        for name, spec in ODD_TASKS.items():
            namespace.create("navtasks", nav_task(name) | {"spec": spec})
        namespace.create("visionmodels", model("sound", NAVIGATION))
        eventually(lambda: namespace.find("statefulsets", "sound-engine"), 20)
        eventually(lambda: namespace.find("deployments", "sound-vln"), 20)
        for name, (_, words) in ODD.items():
            eventually(accepted(namespace, "InvalidSpec", words, name), 20)
        for name in ODD_TASKS:
            eventually(lambda name=name: task_is_invalid(namespace, name), 20)  # type: ignore[misc]
        # They are there already when a process begins, too.
        with operating(house.kubeconfig, RELEASE, tmp_path / "second.log", more=house.watched) as second:
            eventually(lambda: metric(second, "qwen3vl_operator_namespace_healthy", namespace=namespace.name) == 1)
    assert "made a mistake" not in house.log() + (tmp_path / "second.log").read_text()


def task_is_invalid(namespace: Namespace, name: str) -> bool:
    conditions = (namespace.get("navtasks", name).get("status") or {}).get("conditions") or []
    return any(one["type"] == "Accepted" and one["reason"] == "InvalidSpec" for one in conditions)


def test_a_quota_is_told_in_its_words_and_recovered_from(house: House, figure: Figures) -> None:
    namespace = house["quota"]
    quota(namespace, "none", **{"count/statefulsets.apps": "0"})
    with house.neighbour.unaffected(figure, "a quota is used up"):
        namespace.create("visionmodels", model())
        eventually(accepted(namespace, "Forbidden", "exceeded quota: none"))
        assert namespace.find("services", "m-engine") is not None
    namespace.delete("resourcequotas", "none")
    eventually(lambda: namespace.find("statefulsets", "m-engine"), RECOVERED_SECONDS)
    assert house.health(namespace.name) == 1


def test_two_hundred_broken_models_hold_up_nobody_elsewhere(house: House, figure: Figures) -> None:
    namespace = house["crowd"]
    spec = {"engine": {"name": "simulator"}, "pod": {"tolerations": [{"key": "a", "operator": "Sometimes"}]}}
    with house.neighbour.unaffected(figure, "200 broken models come in another namespace"):
        for number in range(200):
            namespace.create("visionmodels", model(f"broken-{number}", spec))
        eventually(accepted(namespace, "InvalidSpec", "tolerations[0].operator", "broken-199"), 60)


def test_an_object_that_changes_all_the_time_holds_up_nobody_elsewhere(house: House, figure: Figures) -> None:
    """A controller that fights over a field: each change is put back, and comes again."""
    namespace = house["storm"]
    namespace.create("visionmodels", model())
    eventually(lambda: namespace.find("services", "m-engine"))
    with house.neighbour.unaffected(figure, "another model's objects are changed 200 times"):
        for number in range(200):
            namespace.merge("services", "m-engine", {"metadata": {"labels": {"qwen3vl.io/model": f"other-{number}"}}})
    eventually(lambda: namespace.get("services", "m-engine")["metadata"]["labels"]["qwen3vl.io/model"] == "m")


def test_namespaces_that_went_lost_their_rights_or_were_never_there_are_told_and_served_once_they_can_be(
    house: House, controlled: ControlledCluster, figure: Figures
) -> None:
    missing = (GONE, UNBOUND, LATER)
    with house.neighbour.unaffected(figure, "namespaces are deleted, forbidden and not there yet"):
        for name in missing:
            eventually(lambda name=name: house.health(name) == 0, SERVED_AGAIN_SECONDS)  # type: ignore[misc]
            assert f"namespace {name} {UNREADABLE}" in house.log()
        assert "watchNamespaces" in house.log()
        assert house.health(RELEASE) == 1
        assert house.operator.health() == 200
    eventually(lambda: not Namespace(controlled.api, GONE).is_there(), SERVED_AGAIN_SECONDS)
    for name in (GONE, LATER):
        rights.grant(make(house.api, name), house.release)
    Namespace(house.api, UNBOUND).merge("visionmodels", "m", {"spec": {"servedName": "changed-meanwhile"}})
    rights.bind(Namespace(house.api, UNBOUND), house.release)
    for name in (GONE, LATER):
        Namespace(house.api, name).create("visionmodels", model())
    for name in missing:
        namespace = Namespace(house.api, name)
        # One whose rights were lost still has its StatefulSet: only its health tells that it is served again.
        eventually(lambda name=name: house.health(name) == 1, SERVED_AGAIN_SECONDS)  # type: ignore[misc]
        eventually(lambda namespace=namespace: namespace.find("statefulsets", "m-engine"))  # type: ignore[misc]
    unbound = Namespace(house.api, UNBOUND)
    eventually(lambda: route(unbound) == "changed-meanwhile", SERVED_AGAIN_SECONDS)


def route(namespace: Namespace, name: str = "m") -> str | None:
    """The served name that the model's Service has."""
    labels: dict[str, str] = namespace.get("services", f"{name}-engine")["metadata"]["labels"]
    return labels.get("qwen3vl.io/served-name")
