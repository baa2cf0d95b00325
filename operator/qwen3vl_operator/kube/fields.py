"""What the specs of kinds have beside their own parts: quantities, and parts handed on to Kubernetes."""

from typing import Annotated, Any

from pydantic import WithJsonSchema

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
