"""The operator killed, restarted and absent: changes are caught up with, and nothing hangs on it."""

import time
from collections.abc import Callable, Iterator

import pytest
from tests.support.cluster import Namespace
from tests.support.figures import Figures
from tests.support.polling import eventually
from tests.support.release import SHARED_SECRETS, model_keys, secrets, simulator_model

KINDS = ("visionmodels", "statefulsets", "deployments", "services", "persistentvolumeclaims")


def _new_operator(namespace: Namespace, old: str) -> Callable[[], bool]:
    def ready() -> bool:
        pod = namespace.ready_pod("operator")
        return bool(pod) and pod["metadata"]["uid"] != old

    return ready


def _versions(namespace: Namespace, model: str) -> dict[str, str]:
    """resourceVersion of a VisionModel, of each of its children and of the Secrets that it needs."""
    found = {"visionmodel": namespace.get("visionmodels", model)["metadata"]["resourceVersion"]}
    for name in secrets(namespace, model):
        found[f"secrets/{name}"] = namespace.get("secrets", name)["metadata"]["resourceVersion"]
    for kind in KINDS[1:]:
        for item in namespace.list(kind, model=model):
            found[f"{kind}/{item['metadata']['name']}"] = item["metadata"]["resourceVersion"]
    return found


@pytest.fixture
def operator_away(bystander: Namespace) -> Iterator[Namespace]:
    """The namespace with the operator scaled to 0; it comes back afterwards."""
    bystander.kubectl("scale", "deployment/qwen3vl-operator", "--replicas=0")
    eventually(lambda: not bystander.list("pods", component="operator"), 60, "the operator's pod is gone")
    yield bystander
    bystander.kubectl("scale", "deployment/qwen3vl-operator", "--replicas=1")
    eventually(lambda: bystander.ready_pod("operator"), 60, "the operator is back")


def test_a_change_while_the_operator_dies_is_caught_up_with(bystander: Namespace, figure: Figures) -> None:
    old = eventually(lambda: bystander.ready_pod("operator"), 60, "the operator is Ready")["metadata"]
    service = bystander.uid("services", "bystander-engine")
    bystander.delete("pods", old["name"], gracePeriodSeconds=0)
    bystander.patch("visionmodels", "bystander", {"spec": {"pod": {"labels": {"changed": "yes"}}}})
    bystander.delete("services", "bystander-engine")

    def caught_up() -> bool:
        stateful = bystander.get("statefulsets", "bystander-engine")
        labels = stateful["spec"]["template"]["metadata"]["labels"]
        return labels.get("changed") == "yes" and bystander.uid("services", "bystander-engine") not in (None, service)

    eventually(_new_operator(bystander, old["uid"]), 60, "the new operator's pod is Ready")
    begun = time.monotonic()
    eventually(caught_up, 10, "the new operator has caught up")
    figure(
        "change during the operator's death caught up with, after its pod is Ready", time.monotonic() - begun, "s", 2
    )
    bystander.wait_ready("bystander")


def test_a_restart_with_everything_converged_writes_nothing(bystander: Namespace) -> None:
    bystander.wait_ready("simulator")
    old = eventually(lambda: bystander.ready_pod("operator"), 60, "the operator is Ready")["metadata"]
    before = _versions(bystander, "simulator")
    bystander.delete("pods", old["name"])
    eventually(_new_operator(bystander, old["uid"]), 60, "the new operator's pod is Ready")
    # The new operator has looked at every model once it has put this Service back.
    service = bystander.uid("services", "bystander-engine")
    bystander.delete("services", "bystander-engine")
    eventually(
        lambda: bystander.uid("services", "bystander-engine") not in (None, service), 20, "the new operator works"
    )
    assert set(before) >= {
        "visionmodel",
        *("statefulsets/simulator-engine", "services/simulator-engine"),
        *("deployments/simulator-vln", "services/simulator-vln"),
        *(f"secrets/{name}" for name in (*SHARED_SECRETS, model_keys(bystander, "simulator"))),
    }
    assert _versions(bystander, "simulator") == before


def test_deletion_does_not_wait_for_an_operator(
    bystander: Namespace, figure: Figures, request: pytest.FixtureRequest
) -> None:
    bystander.apply(simulator_model("orphan"))
    bystander.wait_ready("orphan")
    namespace = request.getfixturevalue("operator_away")
    begun = time.monotonic()
    namespace.kubectl("delete", "visionmodel", "orphan", "--wait=true")
    figure("kubectl delete visionmodel without an operator returns after", time.monotonic() - begun, "s", goal=1)
    assert time.monotonic() - begun < 5

    def going() -> bool:
        children = [item for kind in KINDS for item in namespace.list(kind, model="orphan")]
        return all("deletionTimestamp" in child["metadata"] for child in children)

    eventually(going, 50, "the children are deleted or terminating")
    figure("its children deleted or terminating after", time.monotonic() - begun, "s", goal=10)
    eventually(lambda: not namespace.list("pods", model="orphan"), 60, "its pod is gone: nothing is stuck")
