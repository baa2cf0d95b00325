"""The CustomResourceDefinitions, made from the pydantic models: one source for schema, defaults and documentation."""

from qwen3vl_operator.nav_task.crd import nav_tasks
from qwen3vl_operator.vision_model.crd import vision_models

__all__ = ["nav_tasks", "vision_models"]
