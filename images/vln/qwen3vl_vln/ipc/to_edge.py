"""What the worker says to the edge. Of a task's older epoch nothing counts any more."""

from dataclasses import dataclass
from enum import StrEnum

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.waypoint import Waypoint


class Fault(StrEnum):
    """Why an image cannot be used: each one is the reason of a state."""

    CORRUPT_FRAME = Reason.CORRUPT_FRAME.value
    COVERED_CAMERA = Reason.COVERED_CAMERA.value
    COSTLY_PICTURE = Reason.COSTLY_PICTURE.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The worker's loop turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantFrame:
    """The next image of the task may be written to its slot."""

    task_id: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotLeft:
    """Nothing is read from this slot any more."""

    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameDecoded:
    """An image was looked at.

    Attributes:
        key: it is a key frame.
        changed: it shows something else than the one before.
    """

    task_id: str
    epoch: int
    key: bool
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFault:
    """An image cannot be used."""

    task_id: str
    epoch: int
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBegan:
    """The model is being asked about a key frame."""

    task_id: str
    epoch: int
    frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyPlan:
    """The waypoints of an answer that is still being written; `seconds` since the question."""

    task_id: str
    epoch: int
    frame: int
    waypoints: tuple[Waypoint, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """What the model answered, parsed.

    Attributes:
        outcome, detail: the parser's, and its reason.
        progress: 0 to 1, where the model says it.
        clamped: something was larger than allowed.
        seconds: duration of the call.
    """

    task_id: str
    epoch: int
    frame: int
    outcome: str
    detail: str
    waypoints: tuple[Waypoint, ...]
    action: str
    environment: str
    progress: float | None
    clamped: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed:
    """The model gave no answer.

    Attributes:
        deadline: not in time.
        context_too_small: not even one small image fits its context.
    """

    task_id: str
    epoch: int
    frame: int
    message: str
    deadline: bool
    context_too_small: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextWarning:
    """What of a task's images the model's context does not hold, as a sentence; empty when it holds all again."""

    task_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWarm:
    """The model answered questions that no task asked; `seconds` is what the last took, once it was warm."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewDrawn:
    """What `DrawView` asked for lies in this slot for output; `size` in bytes, 0 when it could not be drawn."""

    slot: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStatus:
    """About a task's recording: bytes of a file that was finished, and why it was given up, if it was."""

    task_id: str
    finished_bytes: int
    error: str | None


OfTask = FrameDecoded | FrameFault | CallBegan | EarlyPlan | CallResult | CallFailed | ContextWarning | RecordingStatus
ToNavigation = OfTask | ViewDrawn | ModelWarm
ToEdge = Alive | WantFrame | SlotLeft | ToNavigation
