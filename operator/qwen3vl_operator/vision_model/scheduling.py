"""Why the scheduler finds no node for a pod, quoting it and the events of the pod's volume claims. Pure."""

import re

from qwen3vl_operator.vision_model import notes
from qwen3vl_operator.vision_model.notes import NO_EVENTS, Events
from qwen3vl_operator.vision_model.pods import Pod, condition, is_scheduled, name
from qwen3vl_operator.vision_model.trouble import Trouble

_CLAIM_PENDING = r"persistentvolumeclaim|unbound immediate|didn't find available persistent volumes"
_ABOUT_CLAIMS = ("VolumePending", "StorageClassNotFound")


def scheduling(pod: Pod, gpu: str, events: Events = NO_EVENTS) -> Trouble | None:
    """Why the scheduler finds no node, quoting it and the events of claims; None when it has found one.

    Args:
        gpu: resource name of a GPU.
    """
    if is_scheduled(pod):
        return None
    tried = condition(pod, "PodScheduled")
    quoted = str(tried.get("message", ""))
    if tried.get("reason") != "Unschedulable":
        return Trouble("Creating", f"pod {name(pod)} waits for the scheduler")
    reason = _scheduling_reason(quoted, gpu)
    if reason in _ABOUT_CLAIMS and (claim := _claim_trouble(pod, events)):
        return Trouble(claim.reason, f"pod {name(pod)}: {claim.message}; the scheduler: {quoted}")
    return Trouble(reason, f"pod {name(pod)}: {quoted}")


def _scheduling_reason(message: str, gpu: str) -> str:
    if notes.is_storage_class_missing(message):
        return "StorageClassNotFound"
    rules = (
        (rf"Insufficient {re.escape(gpu)}\b", "InsufficientGPU"),
        (r'persistentvolumeclaim "[^"]*" (not found|is being deleted)', "ClaimNotFound"),
        (_CLAIM_PENDING, "VolumePending"),
        (r"volume node affinity conflict", "VolumeNodeConflict"),
        (r"Insufficient ", "InsufficientResources"),
        (r"didn't match Pod's node affinity/selector", "NodeSelectorMismatch"),
        (r"untolerated taint", "Tainted"),
    )
    return next((reason for pattern, reason in rules if re.search(pattern, message)), "Unschedulable")


def _claim_trouble(pod: Pod, events: Events) -> Trouble | None:
    """What the newest event of a claim says; a missing storage class is told before anything else."""
    found = []
    for claim in claims(pod):
        if told := events.get(f"PersistentVolumeClaim {claim}"):
            words = told[-1].message
            reason = "StorageClassNotFound" if notes.is_storage_class_missing(words) else "VolumePending"
            found.append(Trouble(reason, f"PersistentVolumeClaim {claim}: {words}"))
    return min(found, key=lambda trouble: trouble.reason != "StorageClassNotFound", default=None)


def claims(pod: Pod) -> list[str]:
    """Names of the volume claims that the pod mounts."""
    volumes = (pod.get("spec") or {}).get("volumes") or []
    return [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]


def waits_for_claim(pod: Pod) -> bool:
    """Whether the scheduler waits for a volume claim of the pod."""
    words = str(condition(pod, "PodScheduled").get("message", ""))
    return bool(re.search(_CLAIM_PENDING, words)) or notes.is_storage_class_missing(words)
