"""What a real apiserver says to VisionModels that cannot be, keeps of those that can, and prunes."""

from typing import Any

import pytest
import yaml
from tests.integration.operator.api import Namespace, Refused
from tests.integration.operator.conftest import ROOT, model

SIMULATOR: dict[str, Any] = {"engine": {"name": "simulator"}}
VOLUME = {"source": {"volume": {"claimName": "weights"}}}


def lmdeploy(**engine: Any) -> dict[str, Any]:
    return VOLUME | {"engine": {"name": "lmdeploy"} | engine}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "name too long": (model("m" * 41), "at most 40 characters"),
    "name begins with a digit": (model("3vl"), "begins with a letter"),
    "name with a dot": (model("a.b"), "at most 40 characters of a-z, 0-9 and '-'"),
    "served name with a slash": (model(spec=SIMULATOR | {"servedName": "Qwen/Qwen3"}), "spec.servedName"),
    "served name ends with a dot": (model(spec=SIMULATOR | {"servedName": "qwen."}), "spec.servedName"),
    "served name too long": (model(spec=SIMULATOR | {"servedName": "q" * 64}), "spec.servedName"),
    "no source": (model(spec={"engine": {"name": "lmdeploy"}}), "source is required"),
    "nothing at all": (model(spec={}), "source is required"),
    "empty source": (model(spec={"source": {}}), "spec.source.volume: Required value"),
    "absolute path": (model(spec={"source": {"volume": {"claimName": "w", "path": "/x"}}}), "relative path"),
    "path upwards": (model(spec={"source": {"volume": {"claimName": "w", "path": "a/../../b"}}}), "without '..'"),
    "shared ReadWriteOnce": (model(spec=SIMULATOR | {"cache": {}, "replicas": 2}), "serves one replica"),
    "unknown engine": (model(spec={"engine": {"name": "vllm"}}), 'supported values: "lmdeploy", "simulator"'),
    "simulator block": (model(spec=lmdeploy(simulator={})), "engine.simulator is for engine.name: simulator"),
    "odd tensor parallel": (model(spec=lmdeploy(tensorParallel=3)), "engine.tensorParallel is 1, 2, 4, 8 or 16"),
    "rendered flag": (model(spec=lmdeploy(args=["--tp", "2"])), "engine.args repeats a flag"),
    "rendered flag with =": (model(spec=lmdeploy(args=["--server-port=1"])), "engine.args repeats a flag"),
    "shortened flag": (model(spec=lmdeploy(args=["--api-k", "x"])), "engine.args repeats a flag"),
    "engine key": (
        model(
            spec=SIMULATOR | {"engine": {"name": "simulator", "env": [{"name": "QWEN3VL_ENGINE_KEY", "value": "x"}]}}
        ),
        "engine.env sets QWEN3VL_ENGINE_KEY",
    ),
    "variable twice": (model(spec=lmdeploy(env=[{"name": "A"}, {"name": "A"}])), "spec.engine.env[1]: Duplicate value"),
    "bad size": (model(spec=SIMULATOR | {"cache": {"size": "much"}}), "spec.cache.size"),
    "recordings too small": (
        model(spec=SIMULATOR | {"navigation": {"recordings": {"maxSize": "63Mi"}}}),
        "recordings.maxSize is at least 64Mi",
    ),
    "recordings too small, a number": (
        model(spec=SIMULATOR | {"navigation": {"recordings": {"maxSize": 1000}}}),
        "recordings.maxSize is at least 64Mi",
    ),
    "a proxy by its name": (
        model(spec=SIMULATOR | {"navigation": {"trustedProxies": ["proxy.example"]}}),
        "spec.navigation.trustedProxies[0]",
    ),
    "no task per key": (model(spec=SIMULATOR | {"navigation": {"tasksPerKey": 0}}), "spec.navigation.tasksPerKey"),
    "a context for no picture": (
        model(spec={"engine": {"name": "simulator", "contextLength": 1023}, "navigation": {}}),
        "navigation needs engine.contextLength of at least 1024",
    ),
    "negative replicas": (model(spec=SIMULATOR | {"replicas": -1}), "spec.replicas"),
    "fraction above one": (model(spec=lmdeploy(gpuMemoryFraction=1.5)), "spec.engine.gpuMemoryFraction"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_with_words(namespace: Namespace, case: str) -> None:
    body, words = REFUSED[case]
    with pytest.raises(Refused) as caught:
        namespace.create("visionmodels", body)
    assert caught.value.status == 422
    assert words in caught.value.message


ACCEPTED = {
    "longest name": model("m" * 40),
    "small recordings": model(spec=SIMULATOR | {"navigation": {"recordings": {"maxSize": "64Mi"}}}),
    "proxies": model(spec=SIMULATOR | {"navigation": {"trustedProxies": ["10.0.0.0/8", "fd00::7"], "tasksPerKey": 64}}),
    "least context of robots": model(spec={"engine": {"name": "simulator", "contextLength": 1024}, "navigation": {}}),
    "least context of chats": model(spec={"engine": {"name": "simulator", "contextLength": 256}}),
    "recordings as a number": model(spec=SIMULATOR | {"navigation": {"recordings": {"maxSize": 100_000_000}}}),
    "longest served name": model(spec=SIMULATOR | {"servedName": "Q" * 63}),
    "other flags": model(spec=lmdeploy(args=["--dtype", "auto", "--quant-policy=8", "-x", "--"])),
    "shared cache": model(spec=SIMULATOR | {"cache": {"accessMode": "ReadWriteMany"}, "replicas": 2}),
    "no replica": model(spec=SIMULATOR | {"cache": {}, "replicas": 0}),
    "quantities": model(spec=SIMULATOR | {"resources": {"cpu": 2, "memory": "1.5Gi", "sharedMemory": "1Gi"}}),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_can_be_is_taken(namespace: Namespace, case: str) -> None:
    namespace.create("visionmodels", ACCEPTED[case])


@pytest.mark.parametrize("file", ["lmdeploy.yaml", "simulator.yaml"])
def test_the_examples_are_valid(namespace: Namespace, file: str) -> None:
    made = namespace.create("visionmodels", yaml.safe_load((ROOT / "examples" / file).read_text()))
    assert made["spec"]["replicas"] == 1


def test_defaults_and_what_is_pruned(namespace: Namespace) -> None:
    made = namespace.create("visionmodels", model(spec=SIMULATOR | {"unknown": 1}))
    assert "unknown" not in made["spec"]
    assert made["spec"]["engine"]["contextLength"] == 8192
    namespace.merge(
        "visionmodels", "m", {"status": {"servedName": "x", "invented": 1}, "spec": {"replicas": 5}}, "status"
    )
    found = namespace.get("visionmodels", "m")
    assert found["status"] == {"servedName": "x"}
    assert found["spec"]["replicas"] == 1  # the status subresource changes no spec


def test_scale_owns_replicas_and_an_apply_without_them_keeps_them(namespace: Namespace) -> None:
    manifest = model()
    namespace.apply("visionmodels", manifest, "user")
    scale = namespace.get("visionmodels", "m", "scale")
    assert scale["spec"]["replicas"] == 1
    namespace.merge("visionmodels", "m", {"spec": {"replicas": 3}}, "scale")
    namespace.apply("visionmodels", manifest | {"spec": manifest["spec"] | {"servedName": "other"}}, "user")
    found = namespace.get("visionmodels", "m")
    assert (found["spec"]["replicas"], found["spec"]["servedName"]) == (3, "other")


def test_two_managers_of_conditions_do_not_erase_each_other(namespace: Namespace) -> None:
    namespace.create("visionmodels", model())
    for manager, kind in (("one", "Accepted"), ("two", "Ready")):
        known = {"status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-03-01T00:00:00Z"}
        body = {"apiVersion": "qwen3vl.io/v1alpha1", "kind": "VisionModel", "metadata": {"name": "m"}}
        path = f"apis/qwen3vl.io/v1alpha1/namespaces/{namespace.name}/visionmodels/m/status?fieldManager={manager}"
        status = {"conditions": [{"type": kind, **known}]}
        namespace.api.call("PATCH", path, body | {"status": status}, "application/apply-patch+yaml")
    assert [one["type"] for one in namespace.get("visionmodels", "m")["status"]["conditions"]] == ["Accepted", "Ready"]
