"""A CustomResourceDefinition of one kind, and the parts that all kinds' have in common."""

from collections.abc import Sequence

from qwen3vl_operator import names
from qwen3vl_operator.kube.structural import Schema

MAX_NAME = 40
_KEEP = {"helm.sh/resource-policy": "keep"}


def integer(description: str) -> Schema:
    """A field of a status."""
    return {"type": "integer", "description": description}


def number(description: str) -> Schema:
    """Likewise."""
    return {"type": "number", "description": description}


def string(description: str) -> Schema:
    """Likewise."""
    return {"type": "string", "description": description}


def group(description: str, properties: Schema) -> Schema:
    """A group of fields of a status."""
    return {"type": "object", "description": description, "properties": properties}


def conditions(about: str, types: Sequence[str]) -> Schema:
    """The schema of `status.conditions`, in Kubernetes' own shape."""
    condition = group(
        f"One statement about the {about}.",
        {
            "type": string(f"{', '.join(types[:-1])} or {types[-1]}."),
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": string("One word for programs."),
            "message": string("One sentence for people."),
            "observedGeneration": {"type": "integer", "format": "int64"},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
        },
    )
    condition["required"] = ["type", "status", "reason", "message", "lastTransitionTime"]
    schema = {"type": "array", "items": condition}
    return schema | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}


def columns(narrow: Sequence[tuple[str, str]], wide: Sequence[tuple[str, str]], numbers: Sequence[str]) -> list[Schema]:
    """Columns of `kubectl get`: (name, JSON path), the narrow ones, the age, and those of `-o wide`.

    Args:
        numbers: names of columns that are whole numbers.
    """

    def column(name: str, path: str) -> Schema:
        return {"name": name, "type": "integer" if name in numbers else "string", "jsonPath": path}

    age = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    return [*(column(*one) for one in narrow), age, *(column(*one) | {"priority": 1} for one in wide)]


def definition(
    *,
    kind: str,
    plural: str,
    short_name: str,
    description: str,
    spec: Schema,
    status: Schema,
    printed: list[Schema],
    name_use: str,
    scale: Schema | None = None,
) -> Schema:
    """The whole definition.

    Args:
        name_use: why names are short, for the message of the rule that says so.
    """
    name_rule = {
        "rule": f"self.metadata.name.size() <= {MAX_NAME} "
        "&& self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "message": f"metadata.name has at most {MAX_NAME} characters of a-z, 0-9 and '-', begins with a letter and "
        f"ends with a letter or digit: {name_use}",
    }
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    schema = group(description, properties | {"spec": spec, "status": status})
    schema["required"] = ["spec"]
    schema["x-kubernetes-validations"] = [name_rule]
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": printed,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}} | ({} if scale is None else {"scale": scale}),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{names.GROUP}", "annotations": _KEEP},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short_name],
                "categories": ["qwen3vl"],
            },
            "versions": [version],
        },
    }
