"""Names, labels and owners of child objects."""

from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.secrets import model_keys
from qwen3vl_operator.vision_model.spec import VisionModel

Object = dict[str, Any]
"""A Kubernetes object as plain JSON."""


def labels(model: VisionModel, component: str) -> dict[str, str]:
    """Labels of every child; the operator finds its children by them."""
    return {
        names.MANAGED_BY: names.FIELD_MANAGER,
        names.PART_OF: "qwen3vl",
        names.COMPONENT: component,
        names.MODEL: model.name,
        names.MODEL_UID: model.uid,
    }


def selector(model: VisionModel, component: str = "engine") -> dict[str, str]:
    """Labels that select the component's pods; immutable in their owners, so nothing in it may ever change."""
    return {names.MODEL_UID: model.uid, names.COMPONENT: component}


def owner(model: VisionModel) -> Object:
    """The reference by which Kubernetes collects children of a deleted model, also while no operator runs."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": model.name,
        "uid": model.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def metadata(model: VisionModel, component: str, *, owned: bool = True) -> Object:
    """Metadata of the child of that component."""
    result: Object = {
        "name": names.child(model.name, component),
        "namespace": model.namespace,
        "labels": labels(model, component),
    }
    if owned:
        result["ownerReferences"] = [owner(model)]
    return result


def key_variable(model: VisionModel, variable: str, purpose: str) -> Object:
    """An environment variable with the model's key for that purpose."""
    reference = {
        "name": model_keys.secret_name(model.namespace, model.name),
        "key": model_keys.entry(model.name, purpose),
    }
    return {"name": variable, "valueFrom": {"secretKeyRef": reference}}
