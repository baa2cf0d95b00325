"""The labels by which the operator tells the gateway what a Service leads to, and the name that requests use.

Here because both sides must mean the same: the operator writes the labels on Services, Kubernetes copies them to their
EndpointSlices, the gateway reads them there.
"""

from collections.abc import Mapping
from typing import Any

MODEL_LABEL = "qwen3vl.io/model"
"""Name of the VisionModel."""
SERVED_NAME_LABEL = "qwen3vl.io/served-name"
"""The name that requests use; only what has this label is served."""
ENGINE_LABEL = "qwen3vl.io/engine"
CONTEXT_LENGTH_LABEL = "qwen3vl.io/context-length"
"""In tokens, as a decimal number."""


def served_name(body: Mapping[str, Any]) -> str:
    """The name that requests use for a model: `spec.servedName` where there is one, else the object's own name.

    Args:
        body: the object as the API gives it; its spec may be anything, for nobody has checked it yet.
    """
    spec = body.get("spec")
    given = spec.get("servedName") if isinstance(spec, Mapping) else None
    return given if isinstance(given, str) and given else str(body["metadata"]["name"])
