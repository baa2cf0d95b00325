"""Why a pod does not serve, as a value. Kept apart because pods, their containers and their events all tell it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """The condition's reason and a message that names the pod."""

    reason: str
    message: str
