"""Conditions as Kubernetes has them, and every reason this operator gives: the contract of docs/status.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ORDER = (
    "Accepted",
    "Scheduled",
    "EngineReady",
    "Exposed",
    "NavigationReady",
    "UpToDate",
    "Available",
)
"""From cause to effect: Ready copies the first of these that is not True (`NOT_IN_READY` apart)."""
NOT_IN_READY = frozenset({"UpToDate", "Available"})

_POD_UNSCHEDULED = (
    "Creating",
    "InsufficientGPU",
    "InsufficientResources",
    "NodeSelectorMismatch",
    "Tainted",
    "VolumeNodeConflict",
    "VolumePending",
    "StorageClassNotFound",
    "ClaimNotFound",
    "Unschedulable",
    "PodRejected",
)
_POD_NOT_READY = (
    "Starting",
    "SecretNotFound",
    "ConfigMapNotFound",
    "VolumeMountFailed",
    "VolumeAttachFailed",
    "ImagePullError",
    "ImageUserError",
    "ConfigError",
    "Loading",
    "Unhealthy",
    "StartupTimeout",
    "OutOfMemory",
    "OutOfGPUMemory",
    "KVCacheTooSmall",
    "BadArgument",
    "WeightsMissing",
    "WeightsDamaged",
    "ChecksumMismatch",
    "UnsupportedArchitecture",
    "CudaError",
    "NcclInitFailed",
    "SharedMemoryTooSmall",
    "DiskFull",
    "PermissionDenied",
    "PortInUse",
    "CrashLoop",
    "Evicted",
    "NodeLost",
    "NodeNotReady",
    "ReadinessGateNotReady",
    "PodNotReady",
)
_NOT_EXPOSED = ("NoEndpoints", "NameCollision", "NamespaceUnread")

REASONS: dict[str, tuple[str, ...]] = {
    "Accepted": ("Valid", "Paused", "InvalidSpec", "NameTaken", "Immutable", "Forbidden", "ApplyFailed"),
    "Scheduled": ("Scheduled", "ScaledToZero", *_POD_UNSCHEDULED),
    "EngineReady": ("Ready", "ScaledToZero", "NotScheduled", *_POD_NOT_READY),
    "Exposed": ("Routed", "ScaledToZero", *_NOT_EXPOSED),
    "NavigationReady": ("Ready", "ScaledToZero", *_POD_UNSCHEDULED, *_POD_NOT_READY),
    "UpToDate": ("UpToDate", "RollingOut", "UpgradeQueued", "Paused", "ApplyFailed"),
    "Available": ("Routed", "ScaledToZero", *_NOT_EXPOSED),
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
    """Ready: the first condition in `ORDER` that is False says why not, else the first that is Unknown."""
    by_type = {condition.type: condition for condition in conditions}
    parts = [by_type[kind] for kind in ORDER if kind in by_type and kind not in NOT_IN_READY]
    for status in (False, None):
        worst = next((condition for condition in parts if condition.status is status), None)
        if worst is not None:
            return Condition("Ready", status, worst.reason, worst.message)
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
