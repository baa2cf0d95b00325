"""The definition of VisionModel, made from the pydantic models."""

from qwen3vl_operator import names
from qwen3vl_operator.kube.conditions import ORDER
from qwen3vl_operator.kube.definition import columns, conditions, definition, group, integer, string
from qwen3vl_operator.kube.structural import Schema, structural
from qwen3vl_operator.vision_model.spec import Spec


def _status() -> Schema:
    """Every field of the status: the apiserver prunes what is not here."""
    return group(
        "What is.",
        {
            "observedGeneration": {"type": "integer", "format": "int64", "description": "The spec that this is about."},
            "servedName": string("The name that requests use."),
            "endpoint": string("Base URL for OpenAI clients."),
            "selector": string("Label selector of the engine's pods."),
            "replicas": group(
                "Engine pods.",
                {
                    "desired": integer("Wanted."),
                    "current": integer("There."),
                    "ready": integer("Ready."),
                    "updated": integer("Of the newest revision."),
                    "summary": string("Ready of wanted."),
                },
            ),
            "engine": group(
                "The engine that runs.",
                {
                    "name": string("Its name."),
                    "image": string("Its image."),
                    "gpusPerReplica": integer("GPUs of one replica."),
                },
            ),
            "children": group(
                "Names of the objects that were made.",
                {kind: string("Name.") for kind in ("statefulSet", "service", "keys", "cache", "vln")},
            ),
            "lastFailure": group(
                "The engine's last end that nobody ordered, kept after recovery.",
                {
                    "pod": string("Pod."),
                    "container": string("Container."),
                    "reason": string(
                        "Why, as of EngineReady; Error, or as the kubelet says, when only the exit code is known."
                    ),
                    "exitCode": integer("Exit code; absent when the container did not end by itself."),
                    "time": string("When, RFC 3339."),
                    "message": string("The line of its log that names the cause, else the last one; without secrets."),
                },
            ),
            "conditions": conditions("model", (*ORDER, "Ready")),
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
    return columns(narrow, wide, numbers=("TP",))


def vision_models() -> Schema:
    """The definition of VisionModel."""
    return definition(
        kind=names.KIND,
        plural=names.PLURAL,
        short_name="vlm",
        description="A vision-language model that is served behind the gateway.",
        spec=structural(Spec.model_json_schema(by_alias=True)),
        status=_status(),
        printed=_columns(),
        name_use="child objects add to it",
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas.current",
            "labelSelectorPath": ".status.selector",
        },
    )
