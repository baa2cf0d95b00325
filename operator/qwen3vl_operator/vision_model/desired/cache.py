"""The claim of the engine's cache volume."""

from typing import Any

from qwen3vl_operator.vision_model.desired.metadata import Object, metadata
from qwen3vl_operator.vision_model.spec import VisionModel


def cache(model: VisionModel) -> Object | None:
    """The claim, or None without `spec.cache`. A retained one has no owner, so that it outlives the model."""
    wanted = model.spec.cache
    if wanted is None:
        return None
    spec: dict[str, Any] = {
        "accessModes": [wanted.access_mode],
        "resources": {"requests": {"storage": str(wanted.size)}},
    }
    if wanted.storage_class_name is not None:
        spec["storageClassName"] = wanted.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(model, "cache", owned=wanted.on_delete == "Delete"),
        "spec": spec,
    }
