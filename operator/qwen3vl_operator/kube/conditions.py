"""Conditions as Kubernetes has them, and every reason this operator gives: the contract of docs/status.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ORDER = ("Accepted", "Scheduled", "EngineReady", "Exposed", "NavigationReady", "UpToDate")
"""From cause to effect: Ready copies the first of these that is not True (UpToDate apart)."""

REASONS: dict[str, tuple[str, ...]] = {
    "Accepted": ("Valid", "InvalidSpec", "NameTaken", "Immutable", "Forbidden"),
    "Scheduled": (
        "Scheduled",
        "ScaledToZero",
        "Creating",
        "InsufficientGPU",
        "InsufficientResources",
        "NodeSelectorMismatch",
        "Tainted",
        "VolumeNodeConflict",
        "VolumePending",
        "ClaimNotFound",
        "Unschedulable",
        "PodRejected",
    ),
    "EngineReady": (
        "Ready",
        "ScaledToZero",
        "NotScheduled",
        "ImagePullError",
        "Starting",
        "Loading",
        "StartupTimeout",
        "CrashLoop",
        "OutOfMemory",
        "ConfigError",
        "Evicted",
        "NodeLost",
    ),
    "Exposed": ("Routed", "ScaledToZero", "NoEndpoints", "NameCollision"),
    "NavigationReady": (
        "Ready",
        "ScaledToZero",
        "Creating",
        "InsufficientResources",
        "NodeSelectorMismatch",
        "Tainted",
        "Unschedulable",
        "PodRejected",
        "ImagePullError",
        "Starting",
        "Loading",
        "StartupTimeout",
        "CrashLoop",
        "OutOfMemory",
        "ConfigError",
        "Evicted",
        "NodeLost",
    ),
    "UpToDate": ("UpToDate", "RollingOut"),
    "Ready": ("Ready", "ScaledToZero"),
}


@dataclass(frozen=True)
class Condition:
    """One statement: True, False or (None) unknown, a reason for programs, a message for people."""

    type: str
    status: bool | None
    reason: str
    message: str = ""

    def __post_init__(self) -> None:
        if not self.is_documented():
            raise ValueError(f"{self.reason} is no documented reason of {self.type}")

    def is_documented(self) -> bool:
        """Whether docs/status.md has the reason; Ready copies those of other conditions."""
        return self.type == "Ready" or self.reason in REASONS[self.type]


def summary(conditions: list[Condition]) -> Condition:
    """Ready: the first condition in `ORDER` that is False says why not."""
    by_type = {condition.type: condition for condition in conditions}
    for kind in ORDER:
        condition = by_type.get(kind)
        if condition is not None and not condition.status and kind != "UpToDate":
            return Condition("Ready", False, condition.reason, condition.message)
    if by_type["EngineReady"].reason == "ScaledToZero":
        return Condition("Ready", True, "ScaledToZero", "no replica is wanted")
    return Condition("Ready", True, "Ready", by_type["EngineReady"].message)


def serialize(
    conditions: Sequence[Condition], previous: list[dict[str, Any]], *, generation: int, now: str
) -> list[dict[str, Any]]:
    """The conditions as the API has them. A condition keeps its transition time while its status stays the same.

    Args:
        previous: conditions in the object's present status.
        now: RFC 3339 time of this look, used only for transitions.
    """
    before = {item["type"]: item for item in previous}
    result = []
    for condition in conditions:
        status = "Unknown" if condition.status is None else str(condition.status)
        old = before.get(condition.type)
        since = old["lastTransitionTime"] if old is not None and old["status"] == status else now
        result.append(
            {
                "type": condition.type,
                "status": status,
                "reason": condition.reason,
                "message": condition.message,
                "observedGeneration": generation,
                "lastTransitionTime": since,
            }
        )
    return result
