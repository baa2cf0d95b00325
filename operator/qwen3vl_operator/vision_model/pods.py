"""Facts about a pod: ready, scheduled, meant to stay, on a node that answers. Pure: functions of the pod object."""

import re
from collections.abc import Collection
from typing import Any

Pod = dict[str, Any]
MAX_MESSAGE = 600
"""Longest message of a condition."""


def name(pod: Pod) -> str:
    return str(pod["metadata"]["name"])


def event_title(pod: Pod) -> str:
    """What its events stand under."""
    return f"Pod {name(pod)}"


def is_ready(pod: Pod) -> bool:
    """Whether the pod is Ready and stays."""
    return not is_terminating(pod) and condition(pod, "Ready").get("status") == "True"


def is_terminating(pod: Pod) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_scheduled(pod: Pod) -> bool:
    return bool((pod.get("spec") or {}).get("nodeName"))


def revision(pod: Pod) -> str:
    """The StatefulSet revision that the pod was made from."""
    return str((pod["metadata"].get("labels") or {}).get("controller-revision-hash", ""))


def condition(pod: Pod, kind: str) -> dict[str, Any]:
    """The pod's condition of that type; empty where it has none."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == kind), {})


def counted(pods: Collection[Pod]) -> list[Pod]:
    """The pods that are wanted, by name.

    One that is marked for deletion because of its node counts too: while the node does not answer nothing replaces it.
    """
    return sorted((pod for pod in pods if not is_terminating(pod) or is_driven_off(pod) or is_lost(pod)), key=name)


def are_containers_ready(pod: Pod) -> bool:
    """Whether all containers are ready in the kubelet's last words, whatever the pod is."""
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    return bool(containers) and all(one.get("ready") for one in containers)


def is_driven_off(pod: Pod) -> bool:
    """Whether a NoExecute taint of its node has the pod deleted: the node does not answer, or somebody drains it."""
    target = condition(pod, "DisruptionTarget")
    return target.get("status") == "True" and target.get("reason") == "DeletionByTaintManager"


def is_lost(pod: Pod) -> bool:
    """Whether the pod's node does not answer, by the words of Kubernetes' own controllers.

    The taint manager does not say which taint drove the pod off. But when a node stops to answer, the node controller
    alone turns the pod's Ready to False: without a reason, which the kubelet always gives, and while the containers
    still are ready in the kubelet's last words. Only both together count.
    """
    if (pod.get("status") or {}).get("reason") == "NodeLost":
        return True
    if not is_driven_off(pod):
        return False
    ready = condition(pod, "Ready")
    marked = ready.get("status") in ("False", "Unknown") and not ready.get("reason") and are_containers_ready(pod)
    words = str(condition(pod, "DisruptionTarget").get("message", ""))
    return marked or bool(re.search(r"node\.kubernetes\.io/(not-ready|unreachable)", words))
