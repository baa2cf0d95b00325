"""The CustomResourceDefinitions, made from the pydantic models: one source for schema, defaults and documentation."""

from qwen3vl_operator.crd.nav_task import nav_tasks
from qwen3vl_operator.crd.structural import structural
from qwen3vl_operator.crd.vision_model import vision_models

__all__ = ["nav_tasks", "structural", "vision_models"]
