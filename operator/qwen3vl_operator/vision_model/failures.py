"""How engine containers ended, from their pods' status. Pure: kept apart because the last failure outlives its pod."""

from datetime import datetime
from typing import Any

from qwen3vl_operator import names

Pod = dict[str, Any]
OOM_KILLED = "OOMKilled"
KILLED_EXIT_CODES = (137, 143)
GRACE_SECONDS = 240
"""How much longer than its startup probe allows a container may have lived: probing, SIGTERM and its grace period."""


def startup_seconds(pod: Pod, name: str = names.ENGINE_CONTAINER) -> int:
    """How long the container of that name may start: what its startup probe allows; 0 without one."""
    for container in pod["spec"].get("containers") or []:
        probe = container.get("startupProbe")
        if container["name"] == name and probe:
            return int(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3))
    return 0


def startup_timed_out(container: dict[str, Any], ended: dict[str, Any], patience_seconds: int) -> bool:
    """Whether the kubelet ended the container because its startup probe never succeeded.

    Nothing in the pod's status says so, and events do not last; but a container that was killed just when the probe
    gives up was killed by it.
    """
    if container.get("started") or ended.get("exitCode") not in KILLED_EXIT_CODES:
        return False
    if not (patience_seconds and ended.get("startedAt") and ended.get("finishedAt")):
        return False
    lived = datetime.fromisoformat(ended["finishedAt"]) - datetime.fromisoformat(ended["startedAt"])
    return patience_seconds <= lived.total_seconds() <= patience_seconds + GRACE_SECONDS


def last_failure(pods: list[Pod], previous: dict[str, Any] | None) -> dict[str, Any] | None:
    """The most recent end of an engine container, in the shape of `status.lastFailure`.

    Args:
        previous: the one known before; it stays until a newer one is seen, also when its pod is gone.
    """
    found = [failure for pod in pods for failure in _failures(pod)]
    found += [previous] if previous else []
    return max(found, key=lambda failure: (failure.get("time", ""), failure.get("pod", "")), default=None)


def _failures(pod: Pod) -> list[dict[str, Any]]:
    status = pod.get("status") or {}
    who = {"pod": pod["metadata"]["name"], "container": names.ENGINE_CONTAINER}
    if status.get("reason") == "Evicted":
        conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
        since = conditions.get("DisruptionTarget", {}).get("lastTransitionTime") or status.get("startTime") or ""
        return [{**who, "reason": "Evicted", "time": since}]
    if "deletionTimestamp" in pod["metadata"]:
        return []  # it was told to end
    found = []
    for container in status.get("containerStatuses") or []:
        if container["name"] != names.ENGINE_CONTAINER:
            continue
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            if ended := state.get("terminated"):
                reason = _reason(container, ended, startup_seconds(pod))
                exit_code, time = ended.get("exitCode", 0), ended.get("finishedAt") or ""
                found.append({**who, "reason": reason, "exitCode": exit_code, "time": time})
    return found


def _reason(container: dict[str, Any], ended: dict[str, Any], patience_seconds: int) -> str:
    if ended.get("reason") == OOM_KILLED:
        return "OutOfMemory"
    if startup_timed_out(container, ended, patience_seconds):
        return "StartupTimeout"
    return ended.get("reason") or "Error"
