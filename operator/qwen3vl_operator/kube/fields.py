"""What the specs of all kinds are made of: quantities, parts handed on to Kubernetes, and rules in CEL."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic.alias_generators import to_camel

Quantity = Annotated[
    str | int,
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$",
        }
    ),
]
"""A Kubernetes quantity, such as 500m, 16Gi or 4."""

PassedThrough = Annotated[
    dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
]
"""A part of Kubernetes' own API that is handed on as it is; the apiserver checks it when the pod is made."""


class Part(BaseModel):
    """A part of a spec: snake_case here, camelCase in the API."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL rules with their messages, for a model's or a field's schema; `self` is the value."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}
