"""The kinds of objects that the operator reads or writes, and where the API serves them."""

from dataclasses import dataclass
from typing import Any

from qwen3vl_operator import names

Object = dict[str, Any]
"""A Kubernetes object as plain JSON."""


@dataclass(frozen=True)
class Resource:
    """One kind of object and where the API serves it."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = (root, "namespaces", namespace, self.plural, name, subresource)
        return "/".join(part for part in parts if part)


VISION_MODELS = Resource(names.API_VERSION, names.KIND, names.PLURAL)
NAV_TASKS = Resource(names.API_VERSION, names.NAV_TASK_KIND, names.NAV_TASK_PLURAL)
STATEFUL_SETS = Resource("apps/v1", "StatefulSet", "statefulsets")
DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
AUTOSCALERS = Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
SERVICES = Resource("v1", "Service", "services")
CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
CLAIMS = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SECRETS = Resource("v1", "Secret", "secrets")
PODS = Resource("v1", "Pod", "pods")
EVENTS = Resource("v1", "Event", "events")
SLICES = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")

KINDS = {known.plural: known.kind for known in list(vars().values()) if isinstance(known, Resource)}
"""Kind by plural, of every resource above."""

CHILDREN = (STATEFUL_SETS, DEPLOYMENTS, AUTOSCALERS, SERVICES, CONFIG_MAPS, CLAIMS)
"""What is made for a VisionModel, and pruned when it is no longer wanted; claims are never pruned."""
WATCHED = (VISION_MODELS, NAV_TASKS, *CHILDREN, PODS, SLICES)
"""What the store holds. Secrets and Events are not watched: they are read by name where they are needed."""


def selector(resource: Resource) -> str:
    """The label selector by which our objects of that kind are listed and watched; empty: all."""
    if resource in (VISION_MODELS, NAV_TASKS):
        return ""
    # EndpointSlices are managed by Kubernetes' own controller: known by the label that the Service gave them.
    return names.MODEL if resource is SLICES else f"{names.MANAGED_BY}={names.FIELD_MANAGER}"


def spec_of(thing: Object) -> Object:
    """Its spec; empty where it has none, or one that is no object: another version of the schema may let that through,
    and whoever reads a few fields of what nobody has parsed yet must not stumble over it."""
    spec = thing.get("spec")
    return spec if isinstance(spec, dict) else {}


def text_at(thing: Object, *path: str) -> str:
    """The text at that path below its spec; empty where there is none, or something else."""
    found: Any = spec_of(thing)
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def title(thing: Object) -> str:
    """ "Kind name", as people are told of it."""
    return f"{thing['kind']} {thing['metadata']['name']}"
