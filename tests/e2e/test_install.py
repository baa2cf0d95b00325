"""From `helm install` to an answered picture, and what an upgrade leaves alone."""

import time

from tests.support.cluster import Namespace, Object
from tests.support.figures import Figures
from tests.support.polling import eventually
from tests.support.release import Release, secrets, values


def _engine_pods(namespace: Namespace) -> dict[str, Object]:
    """Name → what changes when a pod is made anew or its container restarts."""
    return {
        pod["metadata"]["name"]: {
            "uid": pod["metadata"]["uid"],
            "restarts": pod["status"]["containerStatuses"][0]["restartCount"],
        }
        for pod in namespace.pods("engine")
    }


def test_the_example_is_ready_and_says_where(release: Release) -> None:
    model = release.namespace.get("visionmodels", "simulator")
    assert {c["type"]: c["status"] for c in model["status"]["conditions"]} == dict.fromkeys(
        ("Accepted", "Scheduled", "EngineReady", "Exposed", "NavigationReady", "UpToDate", "Available", "Ready"), "True"
    )
    assert model["status"]["endpoint"] == f"http://qwen3vl-gateway.{release.namespace.name}/v1"
    line = release.namespace.kubectl("get", "visionmodels", "simulator", "--no-headers").split()
    assert line[:5] == ["simulator", "True", "Ready", "1/1", "simulator"]


def test_helm_test_asks_about_a_picture(release: Release, figure: Figures) -> None:
    begun = time.monotonic()
    said = release.test()
    figure("helm test", time.monotonic() - begun, "s")
    assert "Phase:          Succeeded" in said


def test_an_upgrade_restarts_no_engine_pod_and_keeps_the_keys(release: Release) -> None:
    namespace = release.namespace
    before = _engine_pods(namespace)
    keys = secrets(namespace, "simulator")
    gateway = namespace.get("deployments", "qwen3vl-gateway")["metadata"]["generation"]
    changed = values()
    changed["operator"]["logLevel"] = changed["gateway"]["logLevel"] = "debug"
    release.upgrade(changed)
    assert namespace.get("deployments", "qwen3vl-gateway")["metadata"]["generation"] > gateway, "nothing was changed"
    # The new operator has looked at everything once it has put this Service back.
    namespace.delete("services", "simulator-engine")
    eventually(
        lambda: namespace.find("services", "simulator-engine"), 60, "the new operator puts a deleted Service back"
    )
    namespace.wait_ready("simulator")
    assert before and _engine_pods(namespace) == before
    assert len(keys) == 4 and secrets(namespace, "simulator") == keys


def test_neither_operator_nor_gateway_has_a_right_outside_its_namespaces(release: Release) -> None:
    for account in ("qwen3vl-operator", "qwen3vl-gateway"):
        who = f"--as=system:serviceaccount:{release.namespace.name}:{account}"
        inside = release.namespace.kubectl("auth", "can-i", "list", "endpointslices.discovery.k8s.io", who)
        assert inside.strip() == "yes"
        for right in (("list", "endpointslices.discovery.k8s.io"), ("get", "secrets"), ("list", "visionmodels")):
            answer = release.namespace.kubectl("auth", "can-i", *right, "--all-namespaces", who, check=False)
            assert answer.strip() == "no", (account, right, answer)
    gateway = f"--as=system:serviceaccount:{release.namespace.name}:qwen3vl-gateway"
    assert release.namespace.kubectl("auth", "can-i", "get", "secrets", gateway, check=False).strip() == "no"
