"""NavigationReady: whether the model's VLN API answers robots. Pure; absent where navigation is off."""

from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.kube.conditions import Condition
from qwen3vl_operator.vision_model import pods
from qwen3vl_operator.vision_model.observed import Observed
from qwen3vl_operator.vision_model.running import running
from qwen3vl_operator.vision_model.scheduling import scheduling
from qwen3vl_operator.vision_model.spec import VisionModel

Object = dict[str, Any]
TITLE = "the VLN API"


def navigation_ready(model: VisionModel, seen: Observed) -> list[Condition]:
    """The condition, or nothing where navigation is off."""
    navigation = model.spec.navigation
    if navigation is None:
        return []
    if navigation.replicas == 0:
        return [Condition("NavigationReady", True, "ScaledToZero", "navigation.replicas is 0")]
    present = pods.counted(seen.vln_pods)
    if any(pods.is_ready(pod) for pod in present):
        return [Condition("NavigationReady", True, "Ready", "the VLN API answers")]
    return [Condition("NavigationReady", False, *_trouble(model, seen, present))]


def _trouble(model: VisionModel, seen: Observed, present: list[Object]) -> tuple[str, str]:
    if not present:
        failed = _condition(seen.vln, "ReplicaFailure")
        if failed.get("status") == "True":
            return "PodRejected", str(failed.get("message", ""))
        return "Creating", "the VLN API's pod is being made"
    pod = present[0]
    found = scheduling(pod, model.spec.resources.gpu, seen.events)
    found = found or running(pod, container=names.VLN_CONTAINER, title=TITLE, events=seen.events, secrets=seen.secrets)
    return (found.reason, found.message) if found else ("Starting", f"pod {pods.name(pod)}")


def _condition(thing: Object | None, kind: str) -> Object:
    conditions: list[Object] = ((thing or {}).get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})
