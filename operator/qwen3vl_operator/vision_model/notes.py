"""What Events that others wrote say of a pod, a claim or a StatefulSet that waits. Pure: functions of their notes.

Kubernetes tells some causes nowhere else: a volume that cannot be mounted, a storage class that is not there, a pod
that could not be made.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from qwen3vl_operator.vision_model.observed import Note
from qwen3vl_operator.vision_model.trouble import Trouble

Events = Mapping[str, tuple[Note, ...]]
"""By title, such as "Pod m-engine-0"; oldest first."""
NO_EVENTS: Events = {}

_MISSING = (
    ("SecretNotFound", r"secrets? \"[^\"]+\" not found|find key \S+ in Secret|non-existent secret key"),
    ("ConfigMapNotFound", r"configmaps? \"[^\"]+\" not found|find key \S+ in ConfigMap|non-existent config key"),
)
_STORAGE_CLASS = re.compile(r"storageclass(?:es)?(?:\.storage\.k8s\.io)? \"[^\"]+\" not found")
_VOLUMES_ARE_READY = frozenset({"Pulling", "Pulled", "Created", "Started"})
_MOUNT = frozenset({"FailedMount", "FailedMapVolume"})
_SUMMARY = "Unable to attach or mount volumes"
"""The kubelet's words after two minutes: which volume, not why."""


def missing(words: str) -> str | None:
    """The reason when the kubelet misses a Secret or a ConfigMap, or an entry of one; None for anything else."""
    return next((reason for reason, pattern in _MISSING if re.search(pattern, words)), None)


def is_storage_class_missing(words: str) -> bool:
    """Whether the words are that a claim's storage class does not exist."""
    return bool(_STORAGE_CLASS.search(words))


def preparation(notes: Sequence[Note], who: str) -> Trouble | None:
    """Why the node does not get the pod's containers made; None when no event says so.

    Args:
        notes: of the pod, oldest first.
        who: how to call the pod.
    """
    summary = attached = None
    for note in reversed(notes):
        if note.reason in _VOLUMES_ARE_READY:
            break
        if note.reason == "SuccessfulAttachVolume":
            attached = note
        elif note.reason == "FailedAttachVolume" and attached is None:
            return Trouble("VolumeAttachFailed", f"{who}: {note.message}")
        elif note.reason in _MOUNT and note.message.startswith(_SUMMARY):
            summary = summary or note
        elif note.reason in _MOUNT:
            return Trouble(missing(note.message) or "VolumeMountFailed", f"{who}: {note.message}")
        elif note.reason == "FailedCreatePodSandBox":
            return Trouble("Starting", f"{who}: {note.message}")
    return Trouble("VolumeMountFailed", f"{who}: {summary.message}") if summary else None


def node_not_ready(notes: Sequence[Note], since: str) -> Note | None:
    """The node controller's event that it took the pod's Ready away, if that is not older than Ready itself.

    Args:
        since: RFC 3339 time at which the pod's Ready turned False.
    """
    found = next((note for note in reversed(notes) if note.reason == "NodeNotReady"), None)
    return found if found is not None and _is_not_older(found.time, since) else None


def rejection(notes: Sequence[Note]) -> str | None:
    """Why a StatefulSet's newest pod could not be made; None when it could, or when no event tells."""
    newest = next((note for note in reversed(notes) if note.reason in ("FailedCreate", "SuccessfulCreate")), None)
    return newest.message if newest is not None and newest.reason == "FailedCreate" else None


def _is_not_older(time: str, than: str) -> bool:
    """RFC 3339 times, of a second or finer; a time that is not there is no evidence."""
    if not (time and than):
        return False
    return datetime.fromisoformat(time) >= datetime.fromisoformat(than)
