"""Which Kubernetes Events a model gets: one on each flip of Ready and one on each new reason of it. Pure."""

from dataclasses import dataclass
from typing import Literal

from qwen3vl_operator.vision_model.observed import Object


@dataclass(frozen=True)
class EventWanted:
    """An Event about the VisionModel."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def events_wanted(previous: Object, told: Object) -> list[EventWanted]:
    """What has to be emitted between two statuses; nothing where Ready says the same as before.

    Args:
        previous: the status that the model had.
        told: the one that is being written, of whatever pass: a spec that does not parse and a broken pass count too.
    """
    before, ready = _ready(previous), _ready(told)
    if not ready or all(before.get(part) == ready[part] for part in ("status", "reason")):
        return []
    kind: Literal["Normal", "Warning"] = "Normal" if ready["status"] == "True" else "Warning"
    return [EventWanted(kind, ready["reason"], ready["message"])]


def _ready(status: Object) -> Object:
    conditions: list[Object] = status.get("conditions") or []
    return next((one for one in conditions if one["type"] == "Ready"), {})
