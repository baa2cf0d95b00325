"""Whether a template changed because somebody changed the spec, or because the operator did."""

import hashlib
import json

from qwen3vl_operator.vision_model.spec import VisionModel

ENGINE_FIELDS = frozenset({"served_name", "source", "cache", "engine", "resources", "pod"})
"""Fields of the spec that enter the engine's pod template."""
VLN_FIELDS = frozenset({"served_name", "navigation", "pod"})


def spec_hash(model: VisionModel, fields: frozenset[str]) -> str:
    """A hash of these fields as they stand in the object; defaults of this operator do not enter it."""
    content = model.spec.model_dump(mode="json", by_alias=True, include=set(fields), exclude_unset=True)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
