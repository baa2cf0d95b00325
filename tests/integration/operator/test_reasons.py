"""Why a model does not serve, as its status and its Events say it, from what others write about pods and claims."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.integration.operator import kubelet, rights
from tests.integration.operator.api import Api, Namespace, Object, eventually
from tests.integration.operator.conftest import (
    Operator,
    condition,
    has_reason,
    make_namespace,
    model,
    operating,
    settle,
)

from localkube.testing import ApiServer

SIMULATOR = {"engine": {"name": "simulator"}}
MODELS: dict[str, Object] = {
    "gate": SIMULATOR,
    "lost": SIMULATOR,
    "two": SIMULATOR | {"replicas": 2},
    "mount": SIMULATOR,
    "secret": SIMULATOR,
    "robots": SIMULATOR | {"navigation": {"keysSecret": "no-such-secret"}},
    "claim": SIMULATOR | {"cache": {"size": "1Gi", "storageClassName": "fast"}},
    "quota": SIMULATOR,
    "flips": SIMULATOR,
}
READ_SECONDS = 30.0
MOUNT = 'MountVolume.SetUp failed for volume "w" : hostPath type check failed: /srv/weights is not a directory'
NO_CLASS = 'storageclass.storage.k8s.io "fast" not found'
UNBOUND = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."


@dataclass
class Place:
    """Two namespaces: one where Events may be read, and one where they may not."""

    namespace: Namespace
    mute: Namespace
    operator: Operator

    def told(self, kind: str, reason: str, name: str, words: str) -> Object:
        """The condition once it has that reason; it says so in those words."""
        found = eventually(has_reason(self.namespace, kind, reason, name), READ_SECONDS)
        assert words in found["message"]
        return found


@pytest.fixture(scope="module")
def place(server: ApiServer, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """All models are there from the beginning: what waits is asked about after ten seconds."""
    folder, namespace, mute = tmp_path_factory.mktemp("reasons"), make_namespace(api), make_namespace(api)
    for one in (namespace, mute):
        rights.grant(one, namespace)
    kept = [rule for rule in mute.get("roles", "operator")["rules"] if "events" not in rule["resources"]]
    mute.merge("roles", "operator", {"rules": kept})
    config = rights.kubeconfig(namespace, server.url, server.pki, folder / "kubeconfig")
    watched = {"QWEN3VL_NAMESPACES": f"{namespace.name},{mute.name}"}
    with operating(config, namespace.name, folder / "operator.log", more=watched) as operator:
        for name, spec in MODELS.items():
            namespace.create("visionmodels", model(name, spec))
        mute.create("visionmodels", model("mute", SIMULATOR | {"replicas": 2}))
        for name in MODELS:
            eventually(lambda name=name: namespace.find("statefulsets", f"{name}-engine"))  # type: ignore[misc]
        kubelet.say(namespace, "StatefulSet", "quota-engine", "FailedCreate", "pods is forbidden: exceeded quota: none")
        yield Place(namespace, mute, operator)


def test_a_readiness_gate_that_is_shut_is_no_lost_node(place: Place) -> None:
    gates = [{"conditionType": "balancer.example/registered"}]
    pod = kubelet.make_pod(place.namespace, "gate", readinessGates=gates)
    words = 'the status of pod readiness gate "balancer.example/registered" is not "True", but False'
    unready = kubelet.condition("Ready", False, reason="ReadinessGatesNotReady", message=words)
    up = [kubelet.container(ready=True)]
    conditions = [kubelet.condition("ContainersReady", True), unready]
    kubelet.tell(place.namespace, pod, conditions, phase="Running", containerStatuses=up)
    place.told("Ready", "ReadinessGateNotReady", "gate", words)
    opened = kubelet.condition("balancer.example/registered", True)
    conditions = [kubelet.condition("ContainersReady", True), kubelet.condition("Ready", True), opened]
    kubelet.tell(place.namespace, pod, conditions, phase="Running", containerStatuses=up)
    eventually(has_reason(place.namespace, "EngineReady", "Ready", "gate"))


def test_a_node_is_lost_when_kubernetes_drives_the_pod_off_it_and_nobody_else_says_why(place: Place) -> None:
    pod = kubelet.make_pod(place.namespace, "lost")
    up = [kubelet.container(ready=True)]
    taken = kubelet.condition("DisruptionTarget", True, reason="DeletionByTaintManager", message="Taint manager")
    conditions = [kubelet.condition("ContainersReady", True), kubelet.condition("Ready", False), taken]
    kubelet.tell(place.namespace, pod, conditions, phase="Running", containerStatuses=up)
    place.told("EngineReady", "NodeLost", "lost", "node node-1 does not answer")
    # The same of a node that somebody drains: the kubelet says that the containers end.
    ended = [kubelet.container(ready=False, terminated={"exitCode": 143, "reason": "Error"})]
    gone = kubelet.condition("Ready", False, reason="ContainersNotReady", message="containers with unready status")
    kubelet.tell(place.namespace, pod, [gone, taken], phase="Running", containerStatuses=ended)
    place.told("EngineReady", "Evicted", "lost", "Taint manager")


def test_one_of_two_replicas_serves_and_the_model_is_available(place: Place) -> None:
    pods = [kubelet.make_pod(place.namespace, "two", number=number) for number in range(2)]
    for pod in pods:
        kubelet.ready(place.namespace, pod)
    kubelet.route(place.namespace, "two", "10.0.0.1", "10.0.0.2")
    eventually(has_reason(place.namespace, "Ready", "Ready", "two"))
    died = kubelet.container(ready=False, waiting={"reason": "CrashLoopBackOff", "message": "back-off 10s"})
    kubelet.tell(place.namespace, pods[1], [kubelet.condition("Ready", False)], containerStatuses=[died])
    place.told("Ready", "CrashLoop", "two", pods[1])
    available = condition(place.namespace, "Available", "two")
    assert available is not None
    assert (available["status"], available["reason"]) == ("True", "Routed")
    place.namespace.delete("endpointslices", "two-engine-x")
    place.told("Available", "NoEndpoints", "two", "no replica")


def test_a_volume_that_cannot_be_mounted_is_told_in_the_kubelets_words(place: Place) -> None:
    pod = kubelet.make_pod(place.namespace, "mount")
    kubelet.say(place.namespace, "Pod", pod, "FailedMount", MOUNT)
    place.told("Ready", "VolumeMountFailed", "mount", MOUNT)


def test_a_secret_that_is_not_there_has_one_reason_for_a_volume_and_a_variable(place: Place) -> None:
    pod = kubelet.make_pod(place.namespace, "robots", component="vln")
    words = 'MountVolume.SetUp failed for volume "robot-keys" : secret "no-such-secret" not found'
    kubelet.say(place.namespace, "Pod", pod, "FailedMount", words)
    engine = kubelet.make_pod(place.namespace, "secret")
    waits = {"reason": "CreateContainerConfigError", "message": 'secret "hub" not found'}
    kubelet.tell(place.namespace, engine, [], containerStatuses=[kubelet.container(ready=False, waiting=waits)])
    place.told("EngineReady", "SecretNotFound", "secret", 'secret "hub" not found')
    place.told("NavigationReady", "SecretNotFound", "robots", 'secret "no-such-secret" not found')


def test_a_storage_class_that_does_not_exist_is_named(place: Place) -> None:
    pod = kubelet.make_pod(place.namespace, "claim", node="")
    kubelet.say(place.namespace, "PersistentVolumeClaim", "claim-cache", "ProvisioningFailed", NO_CLASS)
    tried = kubelet.condition("PodScheduled", False, reason="Unschedulable", message=UNBOUND)
    kubelet.tell(place.namespace, pod, [tried])
    place.told("Scheduled", "StorageClassNotFound", "claim", f"PersistentVolumeClaim claim-cache: {NO_CLASS}")


def test_a_pod_that_could_not_be_made_is_told_in_the_quotas_words(place: Place) -> None:
    place.told("Scheduled", "PodRejected", "quota", "exceeded quota: none")


def test_where_events_may_not_be_read_the_status_goes_on_without_them(place: Place) -> None:
    """One pod waits, for whatever reason; what becomes of the other one is told all the same."""
    kubelet.make_pod(place.mute, "mute")
    other = kubelet.make_pod(place.mute, "mute", number=1)
    eventually(lambda: "cannot be read" in place.operator.log.read_text(), READ_SECONDS)
    pulled = {"reason": "ImagePullBackOff", "message": "no such image"}
    kubelet.tell(place.mute, other, [], containerStatuses=[kubelet.container(ready=False, waiting=pulled)])
    eventually(has_reason(place.mute, "EngineReady", "ImagePullError", "mute"), READ_SECONDS)


def events_of(namespace: Namespace, name: str) -> list[tuple[str, str, int]]:
    """Our own Events about a model: type, reason, count."""
    mine = [one for one in namespace.list("events") if one.get("source", {}).get("component") == "qwen3vl-operator"]
    about = [one for one in mine if one["involvedObject"]["name"] == name]
    return sorted((one["type"], one["reason"], one["count"]) for one in about)


def test_each_flip_and_each_new_reason_is_one_event_and_rest_is_none(place: Place) -> None:
    namespace, name = place.namespace, "flips"

    def has(*wanted: tuple[str, str, int]) -> Callable[[], bool]:
        return lambda: events_of(namespace, name) == sorted(wanted)

    eventually(has(("Warning", "Creating", 1)))
    pod = kubelet.make_pod(namespace, name)
    eventually(has(("Warning", "Creating", 1), ("Warning", "Starting", 1)))
    runs = kubelet.container(ready=False)
    kubelet.tell(namespace, pod, [kubelet.condition("Ready", False)], containerStatuses=[runs])
    kubelet.route(namespace, name, "10.0.0.9")
    seen = [("Warning", "Creating", 1), ("Warning", "Starting", 1), ("Warning", "Loading", 1)]
    eventually(has(*seen))
    kubelet.ready(namespace, pod)
    eventually(has(*seen, ("Normal", "Ready", 1)))
    # At rest, looked at again, and with another message of the same reason.
    namespace.merge("visionmodels", name, {"metadata": {"labels": {"touched": "yes"}}})
    settle(namespace)
    assert events_of(namespace, name) == sorted([*seen, ("Normal", "Ready", 1)])
    # The same again within ten minutes is counted.
    kubelet.tell(namespace, pod, [kubelet.condition("Ready", False)], containerStatuses=[runs])
    eventually(has(*seen[:2], ("Warning", "Loading", 2), ("Normal", "Ready", 1)))
    kubelet.ready(namespace, pod)
    eventually(has(*seen[:2], ("Warning", "Loading", 2), ("Normal", "Ready", 2)))
