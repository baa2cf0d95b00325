"""Names that other parts, users and dashboards rely on: API group, labels, child objects. One fact, one place."""

from qwen3vl_common import labels

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
MODEL = labels.MODEL_LABEL
MODEL_UID = f"{GROUP}/model-uid"
SERVED_NAME = labels.SERVED_NAME_LABEL
ENGINE = labels.ENGINE_LABEL
CONTEXT_LENGTH = labels.CONTEXT_LENGTH_LABEL

SPEC_HASH = f"{GROUP}/spec-hash"
"""Annotation of a StatefulSet or Deployment itself, never of its pods: the hash of what of the spec enters its
template. Where it is the same, a difference is the operator's own change, which is rolled out paced."""
GENERATION = f"{GROUP}/generation"
"""Likewise: the model's generation when the object was last applied."""
ROLLOUT = f"{GROUP}/rollout-began"
"""Likewise: when a paced change was last applied, RFC 3339."""

ENGINE_CONTAINER = "engine"
ENGINE_PORT = 8000
SERVICE_PORT = 80
PORT_NAME = "http"
ENGINE_KEY_ENV = "QWEN3VL_ENGINE_KEY"
GATEWAY_KEY_ENV = "QWEN3VL_GATEWAY_KEY"
OPERATOR_KEY_ENV = "QWEN3VL_OPERATOR_KEY"
VLN_CONTAINER = "vln"
VLN_PORT = 8000

CHILD_WORDS = ("engine", "vln", "cache", "weights", "preflight", "probe", "ceilings")
"""Last words of the names of a model's children, of every kind that there is or is planned. None has a '-', and no
object of the chart ends in one: so no child's name is that of another model's child, nor of a chart's object."""

INTERNAL_SECRET = "qwen3vl-internal"  # noqa: S105 - a name, not a secret
INTERNAL_SECRET_ENTRY = "key"  # noqa: S105
MODEL_KEYS = "qwen3vl-model-keys"
ROBOT_KEYS = "qwen3vl-robot-keys"


def child(model: str, word: str) -> str:
    """Name of a model's child object: `<model>-engine`, `<model>-vln`, `<model>-cache`.

    Raises:
        ValueError: the word is not in the closed list.
    """
    if word not in CHILD_WORDS:
        raise ValueError(f"{word!r} is no word for a child; there are: {', '.join(CHILD_WORDS)}")
    return f"{model}-{word}"
