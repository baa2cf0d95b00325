"""Whatever models are called, no two of them and nothing of the chart's are in each other's way."""

from typing import Any

import pytest
from tests.integration.operator.api import Namespace, eventually
from tests.integration.operator.conftest import NAVIGATION, Start, condition, model

MODELS = (
    "qwen3vl",
    "qwen3vl-gateway",
    "qwen3vl-operator",
    "qwen3vl-internal",
    "qwen3vl-keys",
    "qwen3vl-model-keys",
    "qwen3vl-robot-keys",
    "qwen3vl-watched",
    "qwen",
    "qwen-robot",
    "qwen-robot-keys",
    "qwen-vln",
    "qwen-engine",
    "qwen-cache",
    "a",
    "a-engine",
    "a-engine-engine",
    "default",
    "z" * 40,
)
_POD = {
    "selector": {"matchLabels": {"of": "chart"}},
    "template": {
        "metadata": {"labels": {"of": "chart"}},
        "spec": {"containers": [{"name": "c", "image": "registry.example/c:1"}]},
    },
}
CHART: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "services": (("qwen3vl-gateway", {"spec": {"ports": [{"port": 80}], "selector": {"of": "chart"}}}),),
    "deployments": (("qwen3vl-gateway", {"spec": _POD}), ("qwen3vl-operator", {"spec": _POD})),
    "configmaps": (("qwen3vl-watched", {"data": {"namespaces": "x"}}),),
    "secrets": (("qwen3vl-keys", {"stringData": {"alice": "sk-alice"}}),),
}
CHILDREN = {
    "statefulsets": ("engine",),
    "services": ("engine", "vln"),
    "deployments": ("vln",),
    "configmaps": ("ceilings",),
    "persistentvolumeclaims": ("cache",),
}


def is_served(namespace: Namespace, name: str, served_name: str) -> bool:
    """Whether the model has all its objects, its keys, and the route."""
    for plural, words in CHILDREN.items():
        if any(namespace.find(plural, f"{name}-{word}") is None for word in words):
            return False
    accepted = condition(namespace, "Accepted", name)
    labels = namespace.get("services", f"{name}-engine")["metadata"]["labels"]
    return bool(accepted and accepted["reason"] == "Valid" and labels.get("qwen3vl.io/served-name") == served_name)


@pytest.mark.parametrize("order", ["as they are", "the other way round"])
def test_models_of_any_names_are_served_beside_each_other_and_beside_the_chart(
    namespace: Namespace, start: Start, order: str
) -> None:
    chart = {
        (plural, name): namespace.create(plural, {**body, "metadata": {"name": name}})["metadata"]["resourceVersion"]
        for plural, things in CHART.items()
        for name, body in things
    }
    names = MODELS if order == "as they are" else MODELS[::-1]
    with start():
        for name in names:
            namespace.create("visionmodels", model(name, NAVIGATION | {"cache": {"size": "1Gi"}}))
        for name in names:
            eventually(lambda name=name: is_served(namespace, name, name), 30)  # type: ignore[misc]
        # And each of them takes a later edit.
        for name in names:
            namespace.merge("visionmodels", name, {"spec": {"servedName": f"served-{name}"[:63]}})
        for name in names:
            eventually(lambda name=name: is_served(namespace, name, f"served-{name}"[:63]), 30)  # type: ignore[misc]
        robots = namespace.get("secrets", "qwen3vl-robot-keys")["data"]
        assert set(robots) == {f"{name}.default" for name in names}
        assert len(set(robots.values())) == len(names), "no two have one key"
        owned = [
            (thing["metadata"]["name"], thing["metadata"]["ownerReferences"][0]["name"])
            for plural in ("statefulsets", "services", "deployments")
            for thing in namespace.list(plural)
            if thing["metadata"].get("ownerReferences")
        ]
        assert sorted(owned) == sorted((f"{n}-{w}", n) for n in names for w in ("engine", "engine", "vln", "vln"))
    for (plural, name), version in chart.items():
        assert namespace.get(plural, name)["metadata"]["resourceVersion"] == version, f"{plural} {name}"
