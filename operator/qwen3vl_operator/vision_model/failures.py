"""How engine containers ended, from their pods' status. Pure: kept apart because the last failure outlives its pod."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.kube.mask import mask
from qwen3vl_operator.vision_model.termination import MAX_LINE, last_words

Pod = dict[str, Any]
Container = dict[str, Any]
"""One entry of containerStatuses or initContainerStatuses."""
OOM_KILLED = "OOMKilled"
KILLED_EXIT_CODES = (137, 143)
START_REASONS = frozenset({"StartError", "ContainerCannotRun"})
"""How a container ended whose program could not even be started."""
GRACE_SECONDS = 240
"""How much longer than its startup probe allows a container may have lived: probing, SIGTERM and its grace period."""


@dataclass(frozen=True)
class Cause:
    """Why a container ended: a reason of docs/status.md (None: only the exit code is known), and a line to quote."""

    reason: str | None
    line: str


def startup_seconds(pod: Pod, name: str = names.ENGINE_CONTAINER) -> int:
    """How long the container of that name may start: what its startup probe allows; 0 without one."""
    for container in pod["spec"].get("containers") or []:
        probe = container.get("startupProbe")
        if container["name"] == name and probe:
            tries = int(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3))
            return int(probe.get("initialDelaySeconds", 0)) + tries
    return 0


def later(time: str, seconds: int) -> str:
    """The RFC 3339 time so many seconds after another."""
    return (datetime.fromisoformat(time) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def cause(container: Container, ended: Container, *, patience_seconds: int, secrets: Collection[str] = ()) -> Cause:
    """Why the container ended.

    Args:
        ended: its `terminated` state, the present or the last one.
        patience_seconds: how long its startup probe lets it start.
        secrets: values that must not be quoted.
    """
    words = last_words(str(ended.get("message") or ""), secrets)
    if ended.get("reason") == OOM_KILLED:
        return Cause("OutOfMemory", words.line)
    if ended.get("reason") in START_REASONS:
        return Cause("ImageUserError" if words.reason == "ImageUserError" else "ConfigError", words.line)
    if words.reason is not None:
        return Cause(words.reason, words.line)
    if startup_timed_out(container, ended, patience_seconds):
        return Cause("StartupTimeout", words.line)
    return Cause(None, words.line)


def startup_timed_out(container: Container, ended: Container, patience_seconds: int) -> bool:
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


def last_failure(
    pods: list[Pod], previous: dict[str, Any] | None, secrets: Collection[str] = ()
) -> dict[str, Any] | None:
    """The most recent end of an engine or init container, in the shape of `status.lastFailure`.

    Args:
        previous: the one known before; it stays until a newer one is seen, also when its pod is gone.
        secrets: values that must not be quoted.
    """
    found = [failure for pod in pods for failure in _failures(pod, secrets)]
    if previous:
        found.append(previous | ({"message": mask(previous["message"], secrets)} if "message" in previous else {}))
    # The first of equals: what is seen now tells of the same end at least as much as what was seen before.
    return max(found, key=_age, default=None)


def _age(failure: dict[str, Any]) -> tuple[str, str]:
    return failure.get("time", ""), failure.get("pod", "")


def _failures(pod: Pod, secrets: Collection[str]) -> Iterator[dict[str, Any]]:
    status = pod.get("status") or {}
    who = {"pod": pod["metadata"]["name"], "container": names.ENGINE_CONTAINER}
    if status.get("reason") == "Evicted":
        conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
        since = conditions.get("DisruptionTarget", {}).get("lastTransitionTime") or status.get("startTime") or ""
        words = mask(str(status.get("message") or ""), secrets)
        yield {**who, "reason": "Evicted", "time": since, **_message(words[:MAX_LINE])}
        return
    if "deletionTimestamp" in pod["metadata"]:
        return  # it was told to end
    for container, ended in _ends(status):
        patience = startup_seconds(pod, container["name"])
        found = cause(container, ended, patience_seconds=patience, secrets=secrets)
        yield {
            **who,
            "container": container["name"],
            "reason": found.reason or ended.get("reason") or "Error",
            "exitCode": ended.get("exitCode", 0),
            "time": ended.get("finishedAt") or "",
            **_message(found.line),
        }


def _message(line: str) -> dict[str, str]:
    return {"message": line} if line else {}


def _ends(status: dict[str, Any]) -> Iterator[tuple[Container, Container]]:
    """Each container that counts with each end that is known of it. An init container is meant to end with 0."""
    init = status.get("initContainerStatuses") or []
    engine = [one for one in status.get("containerStatuses") or [] if one["name"] == names.ENGINE_CONTAINER]
    for container in [*init, *engine]:
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            ended = state.get("terminated")
            if ended and (container in engine or ended.get("exitCode", 0) != 0):
                yield container, ended
