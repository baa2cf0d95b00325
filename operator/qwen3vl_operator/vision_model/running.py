"""Why a scheduled pod does not serve, in one reason and one sentence. Pure: of the pod object and of its events."""

from collections.abc import Collection
from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.vision_model import notes
from qwen3vl_operator.vision_model.containers import About, container_trouble, is_created, is_done
from qwen3vl_operator.vision_model.failures import startup_seconds
from qwen3vl_operator.vision_model.notes import NO_EVENTS, Events
from qwen3vl_operator.vision_model.observed import Note
from qwen3vl_operator.vision_model.pods import (
    Pod,
    are_containers_ready,
    condition,
    event_title,
    is_driven_off,
    is_lost,
    is_ready,
    name,
)
from qwen3vl_operator.vision_model.trouble import Trouble


def running(
    pod: Pod,
    *,
    container: str = names.ENGINE_CONTAINER,
    title: str = "the engine",
    events: Events = NO_EVENTS,
    secrets: Collection[str] = (),
) -> Trouble | None:
    """Why a scheduled pod does not serve; None when it is Ready.

    Args:
        container: name of the container that serves.
        title: what to call it in messages.
        secrets: values that must not be quoted.
    """
    if is_ready(pod):
        return None
    status, who, told = pod.get("status") or {}, f"pod {name(pod)}", events.get(event_title(pod), ())
    node = pod["spec"].get("nodeName", "?")
    if status.get("reason") == "Evicted":
        return Trouble("Evicted", f"{who}: {status.get('message', 'evicted')}")
    if is_lost(pod):
        return Trouble("NodeLost", _node_lost(pod))
    if is_driven_off(pod):
        words = condition(pod, "DisruptionTarget").get("message", "")
        return Trouble("Evicted", f"{who}: {words}; see kubectl describe node {node}")
    if are_containers_ready(pod):
        return _unready(pod, who, told)
    for init in status.get("initContainerStatuses") or []:
        if not is_done(init) and is_created(init):
            return _init_trouble(init, who, secrets)
    found = next((one for one in status.get("containerStatuses") or [] if one["name"] == container), None)
    waits = None if is_created(found) else notes.preparation(told, who)
    if found is not None and waits is None and (is_created(found) or found.get("lastState")):
        return container_trouble(found, About(who, title, startup_seconds(pod, container), secrets))
    if waits is not None:
        return waits
    return Trouble("Starting", f"{who} is scheduled to {node}; its container is not made yet")


def _init_trouble(init: dict[str, Any], who: str, secrets: Collection[str]) -> Trouble:
    found = container_trouble(init, About(who, f"init container {init['name']}", secrets=secrets))
    since = ((init.get("state") or {}).get("running") or {}).get("startedAt", "")
    if found.reason != "Loading":
        return found
    return Trouble("Starting", f"{who}: init container {init['name']} runs" + (f" since {since}" if since else ""))


def _unready(pod: Pod, who: str, told: tuple[Note, ...]) -> Trouble:
    """Why a pod is not Ready whose containers are: a gate, or its node; else nobody says."""
    ready = condition(pod, "Ready")
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    shut = [gate for gate in gates if condition(pod, gate).get("status") != "True"]
    if shut or ready.get("reason") == "ReadinessGatesNotReady":
        words = ready.get("message") or f"readiness gates are not True: {', '.join(shut)}"
        return Trouble("ReadinessGateNotReady", f"{who}: {words}")
    if note := notes.node_not_ready(told, str(ready.get("lastTransitionTime", ""))):
        node = pod["spec"].get("nodeName", "?")
        return Trouble("NodeNotReady", f"{who}: node {node}, since {ready['lastTransitionTime']}: {note.message}")
    words = ready.get("message") or "Kubernetes does not say why"
    return Trouble("PodNotReady", f"{who}: its containers are ready, the pod is not: {words}")


def _node_lost(pod: Pod) -> str:
    """The node does not answer; what an administrator does when it is off for good."""
    node = pod["spec"].get("nodeName", "?")
    taint = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
    return f"pod {name(pod)}: node {node} does not answer; if it is off for good: kubectl taint nodes {node} {taint}"
