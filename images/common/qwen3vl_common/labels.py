"""The labels by which operator and gateway speak to each other, and the name under which a model is served."""

from typing import Any

MODEL = "qwen3vl.io/model"
SERVED_NAME = "qwen3vl.io/served-name"
ENGINE = "qwen3vl.io/engine"
CONTEXT_LENGTH = "qwen3vl.io/context-length"


def served_name(body: dict[str, Any]) -> str:
    """The name that requests use for this VisionModel: `spec.servedName`, else the object's name."""
    return str((body.get("spec") or {}).get("servedName") or body["metadata"]["name"])
