"""The CustomResourceDefinition, made from the pydantic models: one source for schema, defaults and documentation."""

from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.model import Spec

Schema = dict[str, Any]
MAX_NAME = 40
_KEEP = {"helm.sh/resource-policy": "keep"}


def structural(schema: Schema, definitions: Schema | None = None) -> Schema:
    """A JSON Schema of pydantic's as the structural schema that Kubernetes takes.

    References are resolved, optional values lose their `null`, and what Kubernetes does not know is left out.
    """
    definitions = definitions if definitions is not None else schema.get("$defs", {})
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return structural({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    if "anyOf" in schema and not schema.get("x-kubernetes-int-or-string"):
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        if len(options) != 1:
            raise ValueError(f"a union has no structural schema: {schema}")
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return structural({**options[0], **rest}, definitions)
    result: Schema = {}
    for key, value in schema.items():
        if key in ("title", "$defs", "const") or (key == "default" and value is None):
            continue
        if key == "properties":
            result[key] = {name: structural(part, definitions) for name, part in value.items()}
        elif key == "items" or (key == "additionalProperties" and isinstance(value, dict)):
            result[key] = structural(value, definitions)
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            # OpenAPI 3.0, which Kubernetes speaks, has the bound and a flag.
            result["minimum" if key == "exclusiveMinimum" else "maximum"] = value
            result[key] = True
        else:
            result[key] = value
    if isinstance(result.get("description"), str):
        result["description"] = " ".join(result["description"].split())
    if result.get("type") == "object" and "properties" in result and result.get("default"):
        # Rules are checked on a default as it stands: it must be whole, but Kubernetes takes no null for "absent".
        result["default"] = {key: value for key, value in result["default"].items() if value not in (None, [], {})}
    return result


def _integer(description: str) -> Schema:
    return {"type": "integer", "description": description}


def _string(description: str) -> Schema:
    return {"type": "string", "description": description}


def _object(description: str, properties: Schema) -> Schema:
    return {"type": "object", "description": description, "properties": properties}


def status_schema() -> Schema:
    """Every field of the status: the apiserver prunes what is not here."""
    condition = _object(
        "One statement about the model.",
        {
            "type": _string("Accepted, Scheduled, EngineReady, Exposed, UpToDate or Ready."),
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": _string("One word for programs."),
            "message": _string("One sentence for people."),
            "observedGeneration": {"type": "integer", "format": "int64"},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
        },
    )
    condition["required"] = ["type", "status", "reason", "message", "lastTransitionTime"]
    conditions = {"type": "array", "items": condition}
    conditions |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return _object(
        "What is.",
        {
            "observedGeneration": {"type": "integer", "format": "int64", "description": "The spec that this is about."},
            "servedName": _string("The name that requests use."),
            "endpoint": _string("Base URL for OpenAI clients."),
            "selector": _string("Label selector of the engine's pods."),
            "replicas": _object(
                "Engine pods.",
                {
                    "desired": _integer("Wanted."),
                    "current": _integer("There."),
                    "ready": _integer("Ready."),
                    "updated": _integer("Of the newest revision."),
                    "summary": _string("Ready of wanted."),
                },
            ),
            "engine": _object(
                "The engine that runs.",
                {
                    "name": _string("Its name."),
                    "image": _string("Its image."),
                    "gpusPerReplica": _integer("GPUs of one replica."),
                },
            ),
            "children": _object(
                "Names of the objects that were made.",
                {kind: _string("Name.") for kind in ("statefulSet", "service", "keys", "cache")},
            ),
            "lastFailure": _object(
                "The engine's last end, kept after recovery.",
                {
                    "pod": _string("Pod."),
                    "container": _string("Container."),
                    "reason": _string("OutOfMemory, Evicted, StartupTimeout, or as the kubelet says."),
                    "exitCode": _integer("Exit code; absent when the container did not end by itself."),
                    "time": _string("When, RFC 3339."),
                },
            ),
            "conditions": conditions,
        },
    )


def _columns() -> list[Schema]:
    ready = '.status.conditions[?(@.type=="Ready")]'
    narrow = (
        ("Ready", f"{ready}.status"),
        ("Reason", f"{ready}.reason"),
        ("Replicas", ".status.replicas.summary"),
        ("Engine", ".spec.engine.name"),
    )
    wide = (
        ("Model", ".spec.source.volume.path"),
        ("TP", ".status.engine.gpusPerReplica"),
        ("Endpoint", ".status.endpoint"),
        ("Message", f"{ready}.message"),
    )
    columns: list[Schema] = [{"name": name, "type": "string", "jsonPath": path} for name, path in narrow]
    columns.append({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})
    for name, path in wide:
        kind = "integer" if name == "TP" else "string"
        columns.append({"name": name, "type": kind, "jsonPath": path, "priority": 1})
    return columns


def vision_models() -> Schema:
    """The definition of VisionModel."""
    name_rule = {
        "rule": f"self.metadata.name.size() <= {MAX_NAME} "
        "&& self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "message": f"metadata.name has at most {MAX_NAME} characters of a-z, 0-9 and '-', begins with a letter and "
        "ends with a letter or digit: child objects add to it",
    }
    schema = _object(
        "A vision-language model that is served behind the gateway.",
        {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(Spec.model_json_schema(by_alias=True)),
            "status": status_schema(),
        },
    )
    schema["required"] = ["spec"]
    schema["x-kubernetes-validations"] = [name_rule]
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas.current",
                "labelSelectorPath": ".status.selector",
            },
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}", "annotations": _KEEP},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": "visionmodel",
                "shortNames": ["vlm"],
                "categories": ["qwen3vl"],
            },
            "versions": [version],
        },
    }
