"""Names that other parts, users and dashboards rely on: API group, labels, child objects. One fact, one place."""

GROUP = "qwen3vl.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "VisionModel"
PLURAL = "visionmodels"
NAV_TASK_KIND = "NavTask"
NAV_TASK_PLURAL = "navtasks"

FIELD_MANAGER = "qwen3vl-operator"
STATUS_FIELD_MANAGER = "qwen3vl-operator-status"
APPLIED_HASH = f"{GROUP}/applied-hash"
"""Annotation with the hash of what was last applied: tells a removed field, which a comparison by subset cannot see."""

MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"
MODEL = f"{GROUP}/model"
MODEL_UID = f"{GROUP}/model-uid"
SERVED_NAME = f"{GROUP}/served-name"
ENGINE = f"{GROUP}/engine"
CONTEXT_LENGTH = f"{GROUP}/context-length"

ENGINE_CONTAINER = "engine"
ENGINE_PORT = 8000
SERVICE_PORT = 80
PORT_NAME = "http"
ENGINE_KEY_ENV = "QWEN3VL_ENGINE_KEY"
ENGINE_KEY_ENTRY = "engine-key"
GATEWAY_KEY_ENV = "QWEN3VL_GATEWAY_KEY"
GATEWAY_KEY_ENTRY = "gateway-key"
OPERATOR_KEY_ENV = "QWEN3VL_OPERATOR_KEY"
OPERATOR_KEY_ENTRY = "operator-key"
ROBOT_KEY_ENTRY = "default"
VLN_CONTAINER = "vln"
VLN_PORT = 8000
INTERNAL_SECRET = "qwen3vl-internal"  # noqa: S105 - a name, not a secret
INTERNAL_SECRET_ENTRY = "key"  # noqa: S105


def child(model: str, suffix: str) -> str:
    """Name of a model's child object: `<model>-engine`, `<model>-vln`, `<model>-cache`, `<model>-keys`, …"""
    return f"{model}-{suffix}"
