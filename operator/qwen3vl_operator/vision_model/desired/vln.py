"""The VLN API's Deployment of a model with navigation on."""

from decimal import Decimal
from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.kube.compare import quantity
from qwen3vl_operator.secrets import model_keys, robot_keys
from qwen3vl_operator.vision_model.desired.ceilings import COMPONENT as CEILINGS
from qwen3vl_operator.vision_model.desired.ceilings import ENTRY as CEILINGS_ENTRY
from qwen3vl_operator.vision_model.desired.engine import USER_ID
from qwen3vl_operator.vision_model.desired.metadata import Object, key_variable, labels, metadata, selector
from qwen3vl_operator.vision_model.spec import Navigation, VisionModel

COMPONENT = "vln"
ROBOT_KEYS = "robot-keys"
"""Name of the volume."""
ROBOT_KEYS_MOUNT = "/etc/qwen3vl/robot-keys"
KEY_HASH = f"{names.GROUP}/vln-key-hash"
"""Pod annotation: another key must restart the VLN API, which reads its own keys once."""
CPU = "100m"
MEMORY_REQUEST = "256Mi"
MEMORY_LIMIT = "1Gi"
CEILINGS_MOUNT = "/etc/qwen3vl/ceilings"
RECORDINGS = "recordings"
RECORDINGS_MOUNT = "/var/lib/qwen3vl/recordings"
RECORDINGS_SHARE = Decimal("0.9")
"""Of the volume: a pod whose volume is over its limit is evicted."""
MEBIBYTE = 1024 * 1024


def vln(model: VisionModel, *, image: str, pull_policy: str, gateway_url: str, key_hash: str) -> Object | None:
    """The Deployment; without a replica wanted it does not exist.

    A new pod waits for the end of the old one: two would drive the same robot.
    """
    navigation = model.spec.navigation
    if navigation is None or navigation.replicas == 0:
        return None
    pod: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(model, navigation, image, pull_policy, gateway_url)],
        "volumes": _volumes(model, navigation),
    }
    if model.spec.pod.image_pull_secrets:
        pod["imagePullSecrets"] = model.spec.pod.image_pull_secrets
    template_metadata = {"labels": labels(model, COMPONENT), "annotations": {KEY_HASH: key_hash}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(model, COMPONENT),
        "spec": {
            "replicas": navigation.replicas,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector(model, COMPONENT)},
            "template": {"metadata": template_metadata, "spec": pod},
        },
    }


def _container(model: VisionModel, navigation: Navigation, image: str, pull_policy: str, gateway_url: str) -> Object:
    environment = [
        key_variable(model, variable, purpose)
        for variable, purpose in (
            (names.GATEWAY_KEY_ENV, model_keys.VLN_TO_GATEWAY),
            (names.OPERATOR_KEY_ENV, model_keys.OPERATOR_TO_VLN),
        )
    ]
    arguments = [
        *("--host", "0.0.0.0"),  # noqa: S104 - a pod's own address is not known before
        *("--port", str(names.VLN_PORT)),
        *("--model-name", model.served_name),
        *("--gateway-url", gateway_url),
        *("--context-length", str(model.spec.engine.context_length)),
        "--warm-up",
        *("--tasks-per-key", str(navigation.tasks_per_key)),
        *(word for network in navigation.trusted_proxies for word in ("--trusted-proxies", network)),
        *("--recordings-dir", RECORDINGS_MOUNT),
        *("--recordings-max-mib", str(int(quantity(_max_size(navigation)) * RECORDINGS_SHARE / MEBIBYTE))),
    ]
    arguments += ["--ceilings-file", f"{CEILINGS_MOUNT}/{CEILINGS_ENTRY}"]
    mounts: list[Object] = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        {"name": RECORDINGS, "mountPath": RECORDINGS_MOUNT},
        # As a directory: what is mounted with subPath never changes.
        {"name": CEILINGS, "mountPath": CEILINGS_MOUNT, "readOnly": True},
    ]
    if navigation.auth == "None":
        arguments.append("--no-auth")
    else:
        arguments += ["--keys-dir", ROBOT_KEYS_MOUNT]
        if navigation.keys_secret is None:
            arguments += ["--keys-prefix", robot_keys.prefix(model.name)]
        mounts.append({"name": ROBOT_KEYS, "mountPath": ROBOT_KEYS_MOUNT, "readOnly": True})
    memory = navigation.resources.memory
    return {
        "name": names.VLN_CONTAINER,
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": ["python", "-m", "qwen3vl_vln"],
        "args": arguments,
        "env": environment,
        "ports": [{"name": names.PORT_NAME, "containerPort": names.VLN_PORT, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": str(navigation.resources.cpu or CPU), "memory": str(memory or MEMORY_REQUEST)},
            "limits": {"memory": str(memory or MEMORY_LIMIT)},
        },
        "startupProbe": _probe("/health", period_seconds=1, failures=120),
        "readinessProbe": _probe("/ready", period_seconds=2, failures=3),
        "livenessProbe": _probe("/health", period_seconds=10, failures=6),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _probe(path: str, *, period_seconds: int, failures: int) -> Object:
    request = {"path": path, "port": names.VLN_PORT}
    return {"httpGet": request, "periodSeconds": period_seconds, "timeoutSeconds": 5, "failureThreshold": failures}


def _max_size(navigation: Navigation) -> str:
    return str(navigation.recordings.max_size)


def _volumes(model: VisionModel, navigation: Navigation) -> list[Object]:
    volumes: list[dict[str, Any]] = [
        {"name": "tmp", "emptyDir": {}},
        {"name": RECORDINGS, "emptyDir": {"sizeLimit": _max_size(navigation)}},
        {"name": CEILINGS, "configMap": {"name": names.child(model.name, CEILINGS)}},
    ]
    if navigation.auth == "Keys":
        secret = navigation.keys_secret or names.ROBOT_KEYS
        volumes.append({"name": ROBOT_KEYS, "secret": {"secretName": secret}})
    return volumes
