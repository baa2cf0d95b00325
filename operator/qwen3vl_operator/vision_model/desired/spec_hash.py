"""Whether a template changed because somebody changed the spec, or because the operator did."""

import hashlib
import json
from collections.abc import Mapping

from qwen3vl_operator.vision_model.spec import VisionModel

Fields = Mapping[str, bool | set[str]]
"""Names of a spec's fields; of some only the parts that are named."""
ENGINE_FIELDS: Fields = dict.fromkeys(("served_name", "source", "cache", "engine", "resources", "pod"), True)
"""Fields of the spec that enter the engine's pod template."""
VLN_FIELDS: Fields = {"served_name": True, "navigation": True, "pod": True, "engine": {"context_length"}}
_IN_NO_TEMPLATE = {"navigation": {"ceilings"}}


def spec_hash(model: VisionModel, fields: Fields) -> str:
    """A hash of these fields as they stand in the object; defaults of this operator do not enter it."""
    spec = model.spec
    content = spec.model_dump(
        mode="json", by_alias=True, include=dict(fields), exclude=_IN_NO_TEMPLATE, exclude_unset=True
    )
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
