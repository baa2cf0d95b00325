"""What a kubelet, a scheduler and Kubernetes' controllers would write, written by hand: there are none here."""

from typing import Any

from tests.integration.operator.api import Namespace, Object

LONG_AGO = "2026-03-01T12:00:00Z"
"""A time since when something waits."""
SINCE = {"lastTransitionTime": LONG_AGO}


def condition(kind: str, status: bool, **more: str) -> Object:
    """A condition of a pod."""
    return {"type": kind, "status": str(status), **SINCE, **more}


def make_pod(
    namespace: Namespace, model: str, *, component: str = "engine", number: int = 0, node: str = "node-1", **spec: Any
) -> str:
    """A pod as its StatefulSet's or Deployment's controller makes it; its name.

    Args:
        node: where it is scheduled to; empty: nowhere.
        spec: further fields, such as readinessGates.
    """
    plural = "statefulsets" if component == "engine" else "deployments"
    template = namespace.get(plural, f"{model}-{component}")["spec"]["template"]
    name = f"{model}-{component}-{number}"
    pod = template["spec"] | ({"nodeName": node} if node else {}) | spec
    metadata = {"name": name, "labels": template["metadata"]["labels"]}
    namespace.create("pods", {"metadata": metadata, "spec": pod})
    if node:
        tell(namespace, name, [condition("PodScheduled", True)])
    return name


def tell(namespace: Namespace, pod: str, conditions: list[Object], **status: Any) -> None:
    """Write the pod's status."""
    scheduled = [] if any(one["type"] == "PodScheduled" for one in conditions) else [condition("PodScheduled", True)]
    told = {"conditions": [*scheduled, *conditions], **status}
    namespace.merge("pods", pod, {"status": told}, "status")


def container(name: str = "engine", *, ready: bool, **state: Any) -> Object:
    """The status of a container."""
    known = {"name": name, "image": "registry.example/e:1", "imageID": "", "ready": ready, "started": ready}
    return known | {"restartCount": 0, "state": state or {"running": {"startedAt": LONG_AGO}}}


def ready(namespace: Namespace, pod: str) -> None:
    """The pod answers."""
    tell(
        namespace,
        pod,
        [condition("ContainersReady", True), condition("Ready", True)],
        phase="Running",
        containerStatuses=[container(ready=True)],
    )


def route(namespace: Namespace, model: str, *addresses: str) -> None:
    """The EndpointSlice of the model's Service, with its labels, as Kubernetes' controller makes it."""
    service = namespace.get("services", f"{model}-engine")
    labels = service["metadata"]["labels"] | {"kubernetes.io/service-name": f"{model}-engine"}
    metadata = {"name": f"{model}-engine-x", "labels": labels}
    endpoints = [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]
    namespace.create("endpointslices", {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints})


def say(namespace: Namespace, kind: str, about: str, reason: str, message: str) -> None:
    """An Event about an object, as the kubelet or a controller writes it."""
    plural = {"Pod": "pods", "PersistentVolumeClaim": "persistentvolumeclaims", "StatefulSet": "statefulsets"}[kind]
    uid = namespace.get(plural, about)["metadata"]["uid"]
    body = {
        "metadata": {"generateName": "said-"},
        "involvedObject": {"kind": kind, "name": about, "uid": uid, "namespace": namespace.name},
        "reason": reason,
        "message": message,
        "type": "Warning",
        "firstTimestamp": LONG_AGO,
        "lastTimestamp": LONG_AGO,
    }
    namespace.create("events", body)
