"""By what the operator finds objects in the store. Pure."""

from collections.abc import Hashable, Iterator

from qwen3vl_common.labels import served_name
from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.resources import Object, text_at
from qwen3vl_operator.kube.store import Index

OF_MODEL = "of-model"
SERVED_NAME = "served-name"
SERVICE = "service"
TASKS_OF_MODEL = "tasks-of-model"
ROBOT = "robot"


def _of_model(thing: Object) -> Iterator[Hashable]:
    """uids of the VisionModels that own it, and that of its label: somebody may have taken one of them away."""
    metadata = thing["metadata"]
    uids = {owner["uid"] for owner in metadata.get("ownerReferences") or [] if owner["kind"] == names.KIND}
    yield from uids | ({(metadata.get("labels") or {}).get(names.MODEL_UID)} - {None})


def _service(thing: Object) -> Iterator[Hashable]:
    metadata = thing["metadata"]
    yield metadata["namespace"], (metadata.get("labels") or {}).get("kubernetes.io/service-name")


def model_of_task(thing: Object) -> Hashable:
    """Namespace and name of the VisionModel that the NavTask refers to."""
    return thing["metadata"]["namespace"], text_at(thing, "modelRef", "name")


def robot_of_task(thing: Object) -> Hashable:
    """Namespace and name of its robot."""
    return thing["metadata"]["namespace"], text_at(thing, "robot")


INDEXES = (
    Index(OF_MODEL, (*api.CHILDREN, api.PODS), _of_model),
    Index(SERVICE, (api.SLICES,), _service),
    Index(SERVED_NAME, (api.VISION_MODELS,), lambda thing: [served_name(thing)]),
    Index(TASKS_OF_MODEL, (api.NAV_TASKS,), lambda thing: [model_of_task(thing)]),
    Index(ROBOT, (api.NAV_TASKS,), lambda thing: [robot_of_task(thing)]),
)
