"""After the VisionModels are deleted, `helm uninstall` leaves the CRD, retained claims and Secrets, nothing else."""

import json
from collections.abc import Iterator

import pytest
from tests.support.cluster import Api, Namespace, kubectl, namespace
from tests.support.polling import eventually
from tests.support.release import Release, secrets, simulator_model, values

KUBERNETES_OWN = {"configmaps/kube-root-ca.crt", "serviceaccounts/default"}
"""What every namespace has."""
LOGS = {"events", "events.events.k8s.io"}


@pytest.fixture
def other(api: Api) -> Iterator[Namespace]:
    """Another namespace, and a volume for a cache in it."""
    with namespace(api, "leave") as target:
        modes, size = ["ReadWriteOnce"], {"storage": "1Gi"}
        path = {"path": f"/var/tmp/{target.name}", "type": "DirectoryOrCreate"}
        spec = {"capacity": size, "accessModes": modes, "storageClassName": target.name, "hostPath": path}
        volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": target.name}, "spec": spec}
        target.apply(volume)
        yield target
        kubectl("delete", "persistentvolume", target.name, "--wait=false")


def _objects(target: Namespace) -> set[str]:
    """Everything in the namespace, as `resource/name`."""
    kinds = set(kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()) - LOGS
    names = target.kubectl("get", ",".join(sorted(kinds)), "--output=name", "--ignore-not-found").split()
    singular = {"configmap": "configmaps", "serviceaccount": "serviceaccounts"}
    pairs = (name.split("/", 1) for name in names)
    return {f"{singular.get(kind, kind)}/{name}" for kind, name in pairs}


def test_only_the_definition_the_retained_claim_and_the_secrets_stay(release: Release, other: Namespace) -> None:
    leaving = Release(other)
    leaving.upgrade(values())
    cache = {"size": "1Gi", "storageClassName": other.name, "onDelete": "Retain"}
    other.apply(simulator_model("cached", cache=cache, navigation={}))
    other.wait_ready("cached")
    kept = {f"secret/{name}" for name in secrets(other, "cached")}
    assert len(kept) == 4, "internal, users', robots' and the model's keys"
    assert _objects(other) >= {*kept, "persistentvolumeclaim/cached-cache", "deployment.apps/cached-vln"}
    other.kubectl("delete", "visionmodel", "cached")
    leaving.uninstall()
    allowed = {*KUBERNETES_OWN, *kept, "persistentvolumeclaim/cached-cache"}
    eventually(lambda: _objects(other) <= allowed, 90, "everything but the claim and the Secrets is gone")
    assert _objects(other) == allowed
    assert json.loads(kubectl("get", "crd", "visionmodels.qwen3vl.io", "--output=json"))["status"]["storedVersions"]
    # The other release's models went through all this untouched.
    release.namespace.wait_ready("simulator", seconds=5)
