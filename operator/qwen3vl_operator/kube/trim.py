"""What of an object the store keeps: the fields that passes read, with equal strings shared. Thousands of objects fit
into little memory this way. A field that a pass begins to read must be kept here."""

import sys
from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.resources import Object, Resource

SHARED_LENGTH = 64
"""Longer strings are hardly ever equal."""
_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "ownerReferences",
)
_POD_STATUS = ("phase", "reason", "message", "startTime", "conditions", "containerStatuses", "initContainerStatuses")
_POD_SPEC = ("nodeName", "readinessGates")
_CONTAINER = ("name", "startupProbe")
_CONTAINER_STATUS = ("name", "image", "ready", "started", "restartCount", "state", "lastState")


def trim(resource: Resource, thing: Object) -> Object:
    """A copy with the fields that are read."""
    result: Object = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": _metadata(thing)}
    if resource is api.PODS:
        result |= _pod(thing)
    elif resource is api.SLICES:
        endpoints = [_only(one, ("addresses", "conditions")) for one in thing.get("endpoints") or []]
        result["endpoints"] = endpoints
    else:
        result |= {part: thing[part] for part in ("spec", "status", "data") if part in thing}
    shared: Object = _shared(result)
    return shared


def _metadata(thing: Object) -> Object:
    kept = _only(thing["metadata"], _METADATA)
    annotations = thing["metadata"].get("annotations") or {}
    ours = {name: value for name, value in annotations.items() if name.startswith(f"{names.GROUP}/")}
    return kept | ({"annotations": ours} if ours else {})


def _pod(thing: Object) -> Object:
    spec, status = thing.get("spec") or {}, thing.get("status") or {}
    kept = _only(spec, _POD_SPEC)
    for group in ("containers", "initContainers"):
        if group in spec:
            kept[group] = [_only(container, _CONTAINER) for container in spec[group]]
    volumes = [_only(volume, ("name", "persistentVolumeClaim")) for volume in spec.get("volumes") or []]
    kept["volumes"] = [volume for volume in volumes if "persistentVolumeClaim" in volume]
    told = _only(status, _POD_STATUS)
    for group in ("containerStatuses", "initContainerStatuses"):
        if group in told:
            told[group] = [_only(container, _CONTAINER_STATUS) for container in told[group]]
    return {"spec": kept, "status": told}


def _only(thing: Object, fields: tuple[str, ...]) -> Object:
    return {field: thing[field] for field in fields if field in thing}


def _shared(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(name): _shared(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shared(part) for part in value]
    if type(value) is str and len(value) <= SHARED_LENGTH:
        return sys.intern(value)
    return value
