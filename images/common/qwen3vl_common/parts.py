"""What specs and bodies are made of: parts with names in camelCase, and rules in CEL beside Python's."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Part(BaseModel):
    """A part of a spec or of a body: snake_case here, camelCase in the API."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL rules with their messages, for a model's or a field's schema; `self` is the value."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}
