"""The engine's StatefulSet: one pod is one replica on `tensorParallel` GPUs."""

from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.secrets import model_keys
from qwen3vl_operator.vision_model.desired.metadata import Object, key_variable, labels, metadata, selector
from qwen3vl_operator.vision_model.engines.program import CACHE_MOUNT, MODELS_MOUNT, Program
from qwen3vl_operator.vision_model.spec import VisionModel

USER_ID = 65532
KEY_HASH = f"{names.GROUP}/engine-key-hash"
"""Pod annotation: another key must restart the engine, which reads its key once."""


def engine(model: VisionModel, *, image: str, pull_policy: str | None, key_hash: str) -> Object:
    """The StatefulSet. Pods start and update without waiting for one another's turn to be Ready.

    Args:
        image: the engine's default image in this installation; spec.engine.image wins.
        pull_policy: likewise.
    """
    spec = model.spec
    program = spec.engine.kind.program(model)
    template_metadata = {
        "labels": {**spec.pod.labels, **labels(model, "engine")},
        "annotations": {**spec.pod.annotations, KEY_HASH: key_hash},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(model, "engine"),
        "spec": {
            "replicas": spec.replicas,
            "serviceName": names.child(model.name, "engine"),
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": selector(model)},
            "template": {"metadata": template_metadata, "spec": _pod(model, program, image, pull_policy)},
        },
    }


def _pod(model: VisionModel, program: Program, image: str, pull_policy: str | None) -> Object:
    wanted = model.spec.pod
    pod: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": program.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(model, program, image, pull_policy)],
        "volumes": _volumes(model, program),
    }
    optional: dict[str, Any] = {
        "nodeSelector": wanted.node_selector,
        "tolerations": wanted.tolerations,
        "affinity": wanted.affinity,
        "priorityClassName": wanted.priority_class_name,
        "runtimeClassName": wanted.runtime_class_name,
        "imagePullSecrets": wanted.image_pull_secrets,
    }
    return pod | {name: value for name, value in optional.items() if value}


def _container(model: VisionModel, program: Program, image: str, pull_policy: str | None) -> Object:
    engine = model.spec.engine
    theirs = {variable.name: variable.model_dump(by_alias=True, exclude_none=True) for variable in engine.env}
    defaults = {name: {"name": name, "value": value} for name, value in program.environment}
    environment: list[Object] = [
        key_variable(model, names.ENGINE_KEY_ENV, model_keys.ENGINE),
        *(defaults | theirs).values(),
    ]
    mounts: list[Object] = [{"name": "cache", "mountPath": CACHE_MOUNT}, {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    if model.spec.source is not None:
        mounts.append({"name": "models", "mountPath": MODELS_MOUNT, "readOnly": True})
    if program.shared_memory:
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})  # noqa: S108
    container: Object = {
        "name": names.ENGINE_CONTAINER,
        "image": engine.image or image,
        "command": list(program.command),
        "args": [*program.arguments, *engine.args],
        "env": environment,
        "ports": [{"name": names.PORT_NAME, "containerPort": names.ENGINE_PORT, "protocol": "TCP"}],
        "resources": program.resources,
        "startupProbe": _probe(program.startup_period_seconds, program.startup_failures),
        "readinessProbe": _probe(program.readiness_period_seconds, 3),
        # 180 s: a long prefill must not look like a death.
        "livenessProbe": _probe(20, 9),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": program.read_only_root,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    container["imagePullPolicy"] = engine.image_pull_policy or pull_policy or default_pull_policy(container["image"])
    return container


def default_pull_policy(image: str) -> str:
    """As Kubernetes decides it, which does so only once: said each time, it follows an image whose tag changes."""
    name, _, digest = image.rpartition("/")[2].partition("@")
    tag = name.partition(":")[2] or ("" if digest else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


def _probe(period_seconds: int, failures: int) -> Object:
    return {
        "httpGet": {"path": "/health", "port": names.ENGINE_PORT},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 10,
        "failureThreshold": failures,
    }


def _volumes(model: VisionModel, program: Program) -> list[Object]:
    volumes: list[Object] = []
    if model.spec.cache is None:
        volumes.append({"name": "cache", "emptyDir": {}})
    else:
        claim = {"claimName": names.child(model.name, "cache")}
        volumes.append({"name": "cache", "persistentVolumeClaim": claim})
    volumes.append({"name": "tmp", "emptyDir": {}})
    if model.spec.source is not None:
        claim = {"claimName": model.spec.source.volume.claim_name}
        volumes.append({"name": "models", "persistentVolumeClaim": {**claim, "readOnly": True}})
    if program.shared_memory:
        limit = str(model.spec.resources.shared_memory)
        volumes.append({"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": limit}})
    return volumes
