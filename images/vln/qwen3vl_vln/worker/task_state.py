"""What the worker knows of one task: what it is about, its earlier key frames, what waits for the model."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from qwen3vl_vln.ipc.to_worker import TaskUpdate
from qwen3vl_vln.worker.context_budget import Allowed
from qwen3vl_vln.worker.images import Image
from qwen3vl_vln.worker.keyframes import KeyframeChooser


@dataclass(frozen=True)
class KeyFrame:
    """An image for the model; `keep`: somebody waits for the answer to this one."""

    number: int
    jpeg: bytes
    at: float
    keep: bool = False


@dataclass
class ContextState:
    """What is known of the engine's context for one task, through all its epochs and pauses.

    Attributes:
        allowed: what the engine's refusals have left to be shown.
        warning: what was said last about images that the context does not hold.
    """

    allowed: Allowed = field(default_factory=Allowed)
    warning: str = ""


@dataclass
class TaskState:
    """What is known of one task here.

    Attributes:
        history: earlier key frames that the model was asked about, in their small size, the oldest first.
        context: what of it may be shown.
        shown_history: so many earlier ones were in the newest question.
        waiting: the key frame that it is asked about next.
        call: the call under way.
        queued: it waits for its turn.
        failures: of calls, in a row.
        stale: the next image is a key frame, whatever it shows.
    """

    epoch: int
    instruction: str
    language: str
    profile: str
    reverse: bool
    chooser: KeyframeChooser
    history: deque[Image]
    camera_number: int
    context: ContextState
    shown_history: int = 0
    waiting: KeyFrame | None = None
    call: "asyncio.Task[None] | None" = None
    queued: bool = False
    failures: int = 0
    stale: bool = False

    @classmethod
    def begin(cls, update: TaskUpdate, old: "TaskState | None", context: ContextState) -> "TaskState":
        """The state of a new epoch; what the same camera saw before stays of use."""
        same_camera = old is not None and old.camera_number == update.camera_number
        return cls(
            epoch=update.epoch,
            instruction=update.instruction,
            language=update.language,
            profile=update.profile,
            reverse=update.reverse,
            chooser=KeyframeChooser(update.keyframes),
            history=deque(old.history if old is not None and same_camera else (), maxlen=update.history_frames),
            camera_number=update.camera_number,
            context=context,
        )

    def edit(self, update: TaskUpdate) -> None:
        """Take other settings within an epoch."""
        self.language, self.profile, self.reverse = update.language, update.profile, update.reverse
        self.chooser.settings = update.keyframes
        self.history = deque(self.history, maxlen=update.history_frames)

    def cancel(self) -> None:
        """What was asked, and what was to be asked, is not wanted any more."""
        self.waiting = None
        if self.call is not None:
            self.call.cancel()
