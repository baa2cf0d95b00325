"""Whether a template changed because somebody changed the spec, or because the operator did."""

import hashlib
import json

from qwen3vl_operator.vision_model.spec import VisionModel

ENGINE_FIELDS = frozenset({"served_name", "source", "cache", "engine", "resources", "pod"})
"""Fields of the spec that enter the engine's pod template."""
VLN_FIELDS = frozenset({"served_name", "navigation", "pod"})
_IN_NO_TEMPLATE = {"navigation": {"ceilings"}}


def spec_hash(model: VisionModel, fields: frozenset[str]) -> str:
    """A hash of these fields as they stand in the object; defaults of this operator do not enter it."""
    spec = model.spec
    content = spec.model_dump(
        mode="json", by_alias=True, include=set(fields), exclude=_IN_NO_TEMPLATE, exclude_unset=True
    )
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
