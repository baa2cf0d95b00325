"""The Secret with the first robot's key."""

import base64

from qwen3vl_operator import names
from qwen3vl_operator.vision_model.desired.metadata import Object, metadata
from qwen3vl_operator.vision_model.desired.vln import ROBOT_KEYS
from qwen3vl_operator.vision_model.spec import VisionModel


def robot_keys(model: VisionModel, key: str) -> Object | None:
    """The Secret with the first robot's key, unless the user names one or no key is asked for."""
    navigation = model.spec.navigation
    if navigation is None or navigation.keys_secret is not None or navigation.auth == "None":
        return None
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(model, ROBOT_KEYS),
        "type": "Opaque",
        "data": {names.ROBOT_KEY_ENTRY: base64.b64encode(key.encode()).decode()},
    }
