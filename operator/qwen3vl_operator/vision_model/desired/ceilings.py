"""The ConfigMap by which a model's ceilings reach its VLN API, which reads them again: no pod restarts for them."""

import json

from qwen3vl_operator.vision_model.desired.metadata import Object, metadata
from qwen3vl_operator.vision_model.spec import VisionModel

COMPONENT = "ceilings"
ENTRY = "ceilings.json"


def ceilings(model: VisionModel) -> Object | None:
    """It is there also where nothing is bounded, so that the pods that mount it need not change when something is."""
    navigation = model.spec.navigation
    if navigation is None:
        return None
    values = navigation.ceilings.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(model, COMPONENT),
        "data": {ENTRY: json.dumps(values, sort_keys=True)},
    }
