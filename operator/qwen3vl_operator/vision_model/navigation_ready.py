"""NavigationReady: whether the model's VLN API answers robots. Pure; absent where navigation is off."""

from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.kube.conditions import Condition
from qwen3vl_operator.vision_model import pods
from qwen3vl_operator.vision_model.spec import VisionModel

Object = dict[str, Any]
TITLE = "the VLN API"


def navigation_ready(model: VisionModel, deployment: Object | None, present: list[Object]) -> list[Condition]:
    """The condition, or nothing where navigation is off.

    Args:
        deployment: the VLN API's, None when absent.
        present: its pods.
    """
    navigation = model.spec.navigation
    if navigation is None:
        return []
    if navigation.replicas == 0:
        return [Condition("NavigationReady", True, "ScaledToZero", "navigation.replicas is 0")]
    current = sorted((pod for pod in present if not pods.is_terminating(pod) or pods.is_lost(pod)), key=pods.name)
    if any(pods.is_ready(pod) for pod in current):
        return [Condition("NavigationReady", True, "Ready", "the VLN API answers")]
    return [Condition("NavigationReady", False, *_trouble(model, deployment, current))]


def _trouble(model: VisionModel, deployment: Object | None, current: list[Object]) -> tuple[str, str]:
    if not current:
        failed = _condition(deployment, "ReplicaFailure")
        if failed.get("status") == "True":
            return "PodRejected", str(failed.get("message", ""))[: pods.MAX_MESSAGE]
        return "Creating", "the VLN API's pod is being made"
    pod = current[0]
    found = pods.scheduling(pod, model.spec.resources.gpu)
    found = found or pods.running(pod, container=names.VLN_CONTAINER, title=TITLE)
    return (found.reason, found.message) if found else ("Starting", f"pod {pods.name(pod)}")


def _condition(thing: Object | None, kind: str) -> Object:
    conditions: list[Object] = ((thing or {}).get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})
