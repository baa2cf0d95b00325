"""What a pod's status says, in one reason and one sentence. Pure: functions of the pod object."""

import re
from dataclasses import dataclass
from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.vision_model.failures import OOM_KILLED, startup_seconds, startup_timed_out

Pod = dict[str, Any]
IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
START_REASONS = frozenset({"StartError", "ContainerCannotRun"})
"""How a container ended whose program could not even be started: the message says more than an exit code."""
MAX_MESSAGE = 600


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not serve: the condition's reason and a message that names the pod."""

    reason: str
    message: str


def name(pod: Pod) -> str:
    return str(pod["metadata"]["name"])


def is_ready(pod: Pod) -> bool:
    """Whether the pod is Ready and stays."""
    return not is_terminating(pod) and _condition(pod, "Ready").get("status") == "True"


def is_terminating(pod: Pod) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_scheduled(pod: Pod) -> bool:
    return bool((pod.get("spec") or {}).get("nodeName"))


def revision(pod: Pod) -> str:
    """The StatefulSet revision that the pod was made from."""
    return str((pod["metadata"].get("labels") or {}).get("controller-revision-hash", ""))


def _condition(pod: Pod, kind: str) -> dict[str, Any]:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == kind), {})


def scheduling(pod: Pod, gpu: str) -> Trouble | None:
    """Why the scheduler finds no node, quoting it; None when it has found one or has not tried yet.

    Args:
        gpu: resource name of a GPU.
    """
    if is_scheduled(pod):
        return None
    condition = _condition(pod, "PodScheduled")
    quoted = str(condition.get("message", ""))[:MAX_MESSAGE]
    if condition.get("reason") != "Unschedulable":
        return Trouble("Creating", f"pod {name(pod)} waits for the scheduler")
    return Trouble(_scheduling_reason(quoted, gpu), f"pod {name(pod)}: {quoted}")


def _scheduling_reason(message: str, gpu: str) -> str:
    rules = (
        (rf"Insufficient {re.escape(gpu)}\b", "InsufficientGPU"),
        (r'persistentvolumeclaim "[^"]*" (not found|is being deleted)', "ClaimNotFound"),
        (r"persistentvolumeclaim|unbound immediate|didn't find available persistent volumes", "VolumePending"),
        (r"volume node affinity conflict", "VolumeNodeConflict"),
        (r"Insufficient ", "InsufficientResources"),
        (r"didn't match Pod's node affinity/selector", "NodeSelectorMismatch"),
        (r"untolerated taint", "Tainted"),
    )
    return next((reason for pattern, reason in rules if re.search(pattern, message)), "Unschedulable")


def running(pod: Pod, *, container: str = names.ENGINE_CONTAINER, title: str = "the engine") -> Trouble | None:
    """Why a scheduled pod does not serve; None when it is Ready.

    Args:
        container: name of the container that serves.
        title: what to call it in messages.
    """
    if is_ready(pod):
        return None
    status, who = pod.get("status") or {}, f"pod {name(pod)}"
    if status.get("reason") == "Evicted":
        return Trouble("Evicted", f"{who}: {status.get('message', 'evicted')}"[:MAX_MESSAGE])
    if is_lost(pod):
        return Trouble("NodeLost", node_lost_message(pod))
    found = next((one for one in status.get("containerStatuses") or [] if one["name"] == container), None)
    if found is None:
        return Trouble(
            "Starting", f"{who} is scheduled to {pod['spec'].get('nodeName')}; its container is not made yet"
        )
    return _container(found, f"{who}: {title}", who, startup_seconds(pod, container))


def is_lost(pod: Pod) -> bool:
    """Whether the pod's node does not answer.

    The node controller then turns the pod's Ready to False while the containers, whose state only the kubelet writes,
    still look ready; later it marks the pod for deletion, which the kubelet never confirms.
    """
    status = pod.get("status") or {}
    if (
        status.get("reason") == "NodeLost"
        or _condition(pod, "DisruptionTarget").get("reason") == "DeletionByTaintManager"
    ):
        return True
    containers = status.get("containerStatuses") or []
    kubelet_says_ready = bool(containers) and all(container.get("ready") for container in containers)
    return (
        kubelet_says_ready
        and _condition(pod, "Ready").get("status") in ("False", "Unknown")
        and not is_terminating(pod)
    )


def node_lost_message(pod: Pod) -> str:
    """The node does not answer; what an administrator does when it is off for good."""
    node = pod["spec"].get("nodeName", "?")
    taint = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
    return f"pod {name(pod)}: node {node} does not answer; if it is off for good: kubectl taint nodes {node} {taint}"


def _container(container: dict[str, Any], what: str, who: str, patience_seconds: int) -> Trouble:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    last = ended or (container.get("lastState") or {}).get("terminated") or {}
    if waiting.get("reason") in IMAGE_REASONS:
        detail = waiting.get("message", waiting["reason"])
        return Trouble("ImagePullError", f"{who}: image {container.get('image')}: {detail}"[:MAX_MESSAGE])
    if waiting.get("reason") in CONFIG_REASONS:
        return Trouble("ConfigError", f"{who}: {waiting.get('message', waiting['reason'])}"[:MAX_MESSAGE])
    if last.get("reason") == OOM_KILLED:
        return Trouble("OutOfMemory", f"{what} was killed for using more memory than its limit, resources.memory")
    if startup_timed_out(container, last, patience_seconds):
        return Trouble("StartupTimeout", f"{what} did not answer /health within {patience_seconds} s; see its log")
    if last.get("reason") in START_REASONS and "running" not in state:
        return Trouble("ConfigError", f"{who}: {last.get('message') or last['reason']}"[:MAX_MESSAGE])
    if waiting.get("reason") == "CrashLoopBackOff" or ended:
        restarts, code = container.get("restartCount", 0), last.get("exitCode", "?")
        return Trouble("CrashLoop", f"{what} ended with exit code {code}, {restarts} restarts; see its log")
    if "running" in state:
        return Trouble("Loading", f"{what} runs and loads; /health does not answer 200 yet")
    return Trouble("Starting", f"{who}: {waiting.get('reason', 'starting')}")
