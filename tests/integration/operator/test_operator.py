"""The operator as a process, with the chart's rights, against a real kube-apiserver."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator.api import Api, Namespace, eventually, proxy
from tests.integration.operator.conftest import (
    CHILDREN,
    CRD,
    NAVIGATION,
    Operator,
    Start,
    condition,
    has_reason,
    install_crd,
    make_namespace,
    model,
    operating,
    operator_kubeconfig,
    settle,
    spawn,
    versions,
)
from tests.support.figures import Figures

from localkube.testing import ApiServer, api_server

FULL = {
    "servedName": "Qwen3.VL",
    "source": {"volume": {"claimName": "weights", "path": "a/b"}},
    "cache": {"size": "1024Mi"},
    "resources": {"cpu": "0.5", "memory": "2048Mi", "sharedMemory": "1024Mi"},
    "engine": {
        "name": "lmdeploy",
        "env": [
            {"name": "EMPTY", "value": ""},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
        ],
    },
    "pod": {
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "labels": {"team": "nav"},
        "nodeSelector": {"gpu": "yes"},
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
                ]
            }
        },
    },
}
REPAIR_GOAL_SECONDS = 2


def make_full(namespace: Namespace) -> None:
    """A model with every child, its objects at rest."""
    namespace.create("visionmodels", model(spec=FULL))
    for plural, name in CHILDREN.items():
        eventually(lambda plural=plural, name=name: namespace.find(plural, name))  # type: ignore[misc]
    settle(namespace)


def test_objects_are_made_and_a_restart_changes_no_resource_version(
    namespace: Namespace, start: Start, figure: Figures
) -> None:
    with start():
        # The first object of a new definition waits for the apiserver's own cache.
        namespace.create("visionmodels", model("first"))
        eventually(lambda: namespace.find("statefulsets", "first-engine"))
        began = time.monotonic()
        namespace.create("visionmodels", model(spec=FULL))
        eventually(lambda: namespace.find("statefulsets", "m-engine"))
        figure("VisionModel made → StatefulSet there", time.monotonic() - began, "s", goal=1)
        before = settle(namespace)
    assert {plural for plural, _ in before} == {"visionmodels", *CHILDREN}
    secret = namespace.get("secrets", "qwen3vl-internal")["metadata"]["resourceVersion"]
    with start():
        # A change elsewhere is handled, so the first look at everything is over.
        namespace.create("visionmodels", model("later"))
        eventually(lambda: namespace.find("statefulsets", "later-engine"))
        settle(namespace)
        after = versions(namespace)
    assert {place: after[place] for place in before} == before
    assert namespace.get("secrets", "qwen3vl-internal")["metadata"]["resourceVersion"] == secret


def test_the_operator_leaves_no_finalizer_and_no_annotation_on_the_model(
    namespace: Namespace, operator: Operator
) -> None:
    make_full(namespace)
    metadata = namespace.get("visionmodels", "m")["metadata"]
    assert "finalizers" not in metadata
    assert "annotations" not in metadata
    managers = {(entry["manager"], entry.get("subresource", "")) for entry in metadata["managedFields"]}
    assert {manager for manager in managers if manager[0].startswith("qwen3vl")} == {
        ("qwen3vl-operator-status", "status")
    }
    assert operator.process.poll() is None


def test_looking_again_at_rest_writes_nothing(namespace: Namespace, operator: Operator) -> None:
    """A label on the model that nobody acts on wakes the operator; no child changes."""
    make_full(namespace)
    before = versions(namespace)
    namespace.merge("visionmodels", "m", {"metadata": {"labels": {"touched": "yes"}}})
    after = settle(namespace)
    del before["visionmodels", "m"]
    assert {place: after[place] for place in before} == before
    log = operator.log.read_text()
    assert log.count("applied StatefulSet m-engine") == 1


@pytest.mark.parametrize("plural", CHILDREN)
def test_a_deleted_child_comes_back(namespace: Namespace, operator: Operator, plural: str, figure: Figures) -> None:
    make_full(namespace)
    old = namespace.get(plural, CHILDREN[plural])
    if plural == "persistentvolumeclaims":
        # No controller lifts its protection here.
        namespace.merge(plural, "m-cache", {"metadata": {"finalizers": None}})
    namespace.delete(plural, CHILDREN[plural])
    began = time.monotonic()

    def back() -> bool:
        found = namespace.find(plural, CHILDREN[plural])
        return found is not None and found["metadata"]["uid"] != old["metadata"]["uid"]

    eventually(back, 5 * REPAIR_GOAL_SECONDS)
    figure(f"deleted {plural} made again", time.monotonic() - began, "s", goal=REPAIR_GOAL_SECONDS)
    assert operator.process.poll() is None


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "image": (
        "statefulsets",
        {"spec": {"template": {"spec": {"containers": [{"name": "engine", "image": "evil:v1"}]}}}},
    ),
    "replicas": ("statefulsets", {"spec": {"replicas": 5}}),
    "node selector": ("statefulsets", {"spec": {"template": {"spec": {"nodeSelector": {"gpu": "no"}}}}}),
    "port": ("services", {"spec": {"ports": [{"name": "http", "port": 81, "targetPort": 8000}]}}),
    "route label": ("services", {"metadata": {"labels": {"qwen3vl.io/served-name": None}}}),
    "model label": ("services", {"metadata": {"labels": {"qwen3vl.io/model": "other"}}}),
    "our mark": ("services", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}),
    "owner": ("statefulsets", {"metadata": {"ownerReferences": None}}),
    "claim label": ("persistentvolumeclaims", {"metadata": {"labels": {"app.kubernetes.io/component": "x"}}}),
}


@pytest.fixture(scope="module")
def repaired(server: ApiServer, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One namespace with a living operator and a full model for all changes."""
    namespace, folder = make_namespace(api), tmp_path_factory.mktemp("repaired")
    kubeconfig = operator_kubeconfig(server, namespace, folder / "kubeconfig")
    with operating(kubeconfig, namespace.name, folder / "operator.log"):
        make_full(namespace)
        yield namespace


@pytest.mark.parametrize("change", CHANGES)
def test_a_field_changed_by_hand_is_put_back(repaired: Namespace, change: str, figure: Figures) -> None:
    plural, patch = CHANGES[change]
    name = CHILDREN[plural]
    settle(repaired)
    wanted = repaired.get(plural, name)
    wanted_metadata = {key: wanted["metadata"].get(key) for key in ("labels", "annotations", "ownerReferences")}
    changed = repaired.merge(plural, name, patch)
    assert changed["metadata"]["resourceVersion"] != wanted["metadata"]["resourceVersion"]
    began = time.monotonic()

    def repaired_again() -> bool:
        found = repaired.get(plural, name)
        same_metadata = {key: found["metadata"].get(key) for key in wanted_metadata} == wanted_metadata
        return same_metadata and all(found.get(part) == wanted.get(part) for part in ("spec", "data"))

    eventually(repaired_again, 5 * REPAIR_GOAL_SECONDS)
    figure(f"changed {change} put back", time.monotonic() - began, "s", goal=REPAIR_GOAL_SECONDS)


def test_the_only_port_of_a_service_changed_by_hand_is_put_back(namespace: Namespace, operator: Operator) -> None:
    """Neither may it have two ports of one name, nor none."""
    namespace.create("visionmodels", model(spec=NAVIGATION))
    wanted = eventually(lambda: namespace.find("services", "m-vln"))["spec"]["ports"]
    settle(namespace)
    namespace.merge("services", "m-vln", {"spec": {"ports": [{"name": "http", "port": 81, "targetPort": 8000}]}})
    eventually(lambda: namespace.get("services", "m-vln")["spec"]["ports"] == wanted)
    assert operator.process.poll() is None


def test_a_field_of_another_writer_is_left_alone(namespace: Namespace, operator: Operator) -> None:
    make_full(namespace)
    added = {"metadata": {"annotations": {"backup": "weekly"}}, "spec": {"revisionHistoryLimit": 3}}
    namespace.merge("statefulsets", "m-engine", added)
    namespace.merge("visionmodels", "m", {"spec": {"servedName": "other"}})
    eventually(lambda: namespace.get("services", "m-engine")["metadata"]["labels"]["qwen3vl.io/served-name"] == "other")
    settle(namespace)
    found = namespace.get("statefulsets", "m-engine")
    assert (found["metadata"]["annotations"]["backup"], found["spec"]["revisionHistoryLimit"]) == ("weekly", 3)
    assert operator.process.poll() is None


def test_what_is_removed_from_the_spec_is_removed_from_the_objects(namespace: Namespace, operator: Operator) -> None:
    make_full(namespace)
    change = {"spec": {"pod": None, "servedName": None, "engine": {"env": None}}}
    namespace.merge("visionmodels", "m", change)

    def gone() -> bool:
        template = namespace.get("statefulsets", "m-engine")["spec"]["template"]
        names = {variable["name"] for variable in template["spec"]["containers"][0]["env"]}
        parts = {"nodeSelector", "tolerations", "affinity"} & set(template["spec"])
        return not parts and "team" not in template["metadata"]["labels"] and not names & {"EMPTY", "TOKEN"}

    eventually(gone)
    assert namespace.get("services", "m-engine")["metadata"]["labels"]["qwen3vl.io/served-name"] == "m"
    assert operator.process.poll() is None


def test_an_object_of_somebody_else_is_left_alone_until_it_goes(namespace: Namespace, operator: Operator) -> None:
    foreign = {"metadata": {"name": "m-engine"}, "spec": {"ports": [{"port": 1}], "selector": {"a": "b"}}}
    before = namespace.create("services", foreign)
    namespace.create("visionmodels", model())
    accepted = eventually(has_reason(namespace, "Accepted", "NameTaken"))
    assert "Service m-engine" in accepted["message"]
    settle(namespace)
    assert namespace.get("services", "m-engine") == before
    assert namespace.find("statefulsets", "m-engine") is not None, "only the object in the way is skipped"
    namespace.merge("visionmodels", "m", {"spec": {"replicas": 0}})
    eventually(lambda: namespace.get("statefulsets", "m-engine")["spec"]["replicas"] == 0)
    assert operator.process.poll() is None


def test_a_changed_cache_mode_is_said_to_be_immutable(namespace: Namespace, operator: Operator) -> None:
    make_full(namespace)
    namespace.merge("visionmodels", "m", {"spec": {"cache": {"accessMode": "ReadWriteMany"}}})
    accepted = eventually(has_reason(namespace, "Accepted", "Immutable"))
    assert "PersistentVolumeClaim m-cache" in accepted["message"]
    namespace.merge("visionmodels", "m", {"spec": {"cache": {"accessMode": "ReadWriteOnce"}}})
    eventually(has_reason(namespace, "Accepted", "Valid"))
    assert operator.process.poll() is None


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        ({"tolerations": [{"key": "a", "operator": "Sometimes"}]}, "tolerations[0].operator"),
        ({"tolerations": [{"key": 5}]}, "tolerations"),
        ({"affinity": {"nodeAffinity": {"invented": 1}}}, "invented"),
        ({"labels": {"a": "not a label value!"}}, "not a label value!"),
    ],
)
def test_a_part_handed_on_that_kubernetes_refuses_is_explained(
    namespace: Namespace, operator: Operator, pod: dict[str, Any], words: str
) -> None:
    namespace.create("visionmodels", model(spec={"engine": {"name": "simulator"}, "pod": pod}))
    accepted = eventually(has_reason(namespace, "Accepted", "InvalidSpec"))
    assert "StatefulSet m-engine" in accepted["message"]
    assert words in accepted["message"]
    assert operator.process.poll() is None


def test_a_model_is_deleted_at_once_while_no_operator_runs(namespace: Namespace, start: Start, figure: Figures) -> None:
    with start():
        make_full(namespace)
    began = time.monotonic()
    namespace.delete("visionmodels", "m")
    assert namespace.find("visionmodels", "m") is None
    figure("VisionModel deleted while no operator runs", time.monotonic() - began, "s", goal=1)
    owners = {
        plural: namespace.get(plural, name)["metadata"].get("ownerReferences") for plural, name in CHILDREN.items()
    }
    assert owners.pop("persistentvolumeclaims") is None
    for references in owners.values():
        assert [(one["kind"], one["blockOwnerDeletion"]) for one in references] == [("VisionModel", False)]


def test_the_reason_is_read_from_pods(namespace: Namespace, operator: Operator) -> None:
    make_full(namespace)
    stateful_set = namespace.get("statefulsets", "m-engine")
    template = stateful_set["spec"]["template"]
    template["spec"].pop("priorityClassName", None)
    pod = {"metadata": {"name": "m-engine-0", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
    namespace.create("pods", pod)
    eventually(has_reason(namespace, "Scheduled", "Creating"))
    message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    failed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    namespace.merge("pods", "m-engine-0", {"status": {"conditions": [failed]}}, "status")
    found = eventually(has_reason(namespace, "Ready", "InsufficientGPU"))
    assert message in found["message"]
    namespace.delete("pods", "m-engine-0")
    eventually(has_reason(namespace, "Scheduled", "Creating"))
    assert operator.process.poll() is None


def test_an_operator_killed_in_the_middle_is_made_up_for(namespace: Namespace, start: Start) -> None:
    with start() as operator:
        make_full(namespace)
        operator.kill()
    namespace.delete("services", "m-engine")
    namespace.merge("visionmodels", "m", {"spec": {"servedName": "renamed"}})
    with start():
        made = eventually(lambda: namespace.find("services", "m-engine"))
        assert made["metadata"]["labels"]["qwen3vl.io/served-name"] == "renamed"
        settle(namespace)


def test_a_name_that_comes_free_goes_to_the_other_model_at_once(namespace: Namespace, operator: Operator) -> None:
    spec = {"engine": {"name": "simulator"}, "servedName": "shared"}
    namespace.create("visionmodels", model("older", spec))
    eventually(lambda: condition(namespace, "Ready", "older"))
    # Ages have a resolution of a second; the uid decides within one.
    time.sleep(1.1)
    namespace.create("visionmodels", model("younger", spec))
    eventually(has_reason(namespace, "Exposed", "NameCollision", "younger"))
    assert "qwen3vl.io/served-name" not in namespace.get("services", "younger-engine")["metadata"]["labels"]
    namespace.delete("visionmodels", "older")
    eventually(
        lambda: (
            namespace.get("services", "younger-engine")["metadata"]["labels"].get("qwen3vl.io/served-name") == "shared"
        )
    )
    assert operator.process.poll() is None


def test_watches_that_were_cut_come_back_and_miss_nothing(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    with proxy(server.url) as between:
        kubeconfig = operator_kubeconfig(server, namespace, tmp_path / "kubeconfig", between.url)
        with operating(kubeconfig, namespace.name, tmp_path / "operator.log") as operator:
            make_full(namespace)
            between.cut()
            namespace.delete("services", "m-engine")
            namespace.create("visionmodels", model("during"))
            between.restore()
            eventually(lambda: namespace.find("services", "m-engine"), 60)
            eventually(lambda: namespace.find("statefulsets", "during-engine"), 60)
            assert operator.process.poll() is None


def test_without_the_crd_the_operator_waits_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    with api_server(tmp_path / "bare") as bare:
        api = Api(bare.url, bare.pki)
        namespace = make_namespace(api)
        kubeconfig = operator_kubeconfig(bare, namespace, tmp_path / "kubeconfig")
        operator = spawn(kubeconfig, namespace.name, tmp_path / "operator.log")
        try:
            told = f"CustomResourceDefinition {CRD['metadata']['name']}"
            eventually(lambda: told in operator.log.read_text() and "is not installed" in operator.log.read_text(), 30)
            assert operator.get("/healthz")[0] == 200, "it lives while it waits"
            status, body = operator.get("/readyz")
            assert status == 503
            assert "CustomResourceDefinition" in body
            install_crd(api)
            eventually(lambda: operator.health() == 200, 30)
            namespace.create("visionmodels", model())
            eventually(lambda: namespace.find("statefulsets", "m-engine"))
        finally:
            operator.end()
    assert "Traceback" not in operator.log.read_text()


def test_the_operator_ends_soon_when_told(namespace: Namespace, start: Start) -> None:
    with start() as operator:
        make_full(namespace)
        operator.process.send_signal(signal.SIGTERM)
        try:
            assert operator.process.wait(10) in (0, -signal.SIGTERM)
        except subprocess.TimeoutExpired:
            pytest.fail("still there after 10 s")
