"""What the edge, which answers robots, says to the worker, which looks at images.

Times are seconds of the monotonic clock that both read. An epoch is that of the task when it was said."""

from dataclasses import dataclass
from pathlib import Path

from qwen3vl_common.navigation.settings import Camera, Keyframes, Limits
from qwen3vl_vln.ipc.frame_slots import OUTPUT_SLOT_BYTES, VIEW_SLOTS
from qwen3vl_vln.ipc.rows import AnswerRow, OdometryPose, PlanRow
from qwen3vl_vln.overlay.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The first message of all: what the worker works with until its end.

    Attributes:
        model_name: as the gateway knows it.
        gateway_url: with /v1.
        max_model_calls: questions to the model at once.
        context_length: tokens of prompt and answer that the model's engine holds; None where nobody has said.
        warm_up: the model is asked twice before any task asks it.
        slots, slot_bytes: of the memory that camera frames come in; tasks at most, bytes of an image at most.
        view_slots, output_slot_bytes: tasks drawn at once, bytes of a drawn image at most.
        recordings_dir: None where nothing is recorded.
        recordings_max_mib, recording_file_max_mib: of all recordings together, and of one file.
    """

    model_name: str
    gateway_url: str
    max_model_calls: int
    model_timeout_seconds: float
    log_level: str
    slots: int
    slot_bytes: int
    context_length: int | None = None
    warm_up: bool = False
    view_slots: int = VIEW_SLOTS
    output_slot_bytes: int = OUTPUT_SLOT_BYTES
    recordings_dir: Path | None = None
    recordings_max_mib: int = 0
    recording_file_max_mib: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUpdate:
    """What a task wants now; with another epoch what was asked before is given up.

    Attributes:
        active: images of it are to be looked at; else the worker forgets it.
        history_frames: earlier key frames that the model sees.
        camera_number: another one begins another history.
        phase, verdict, message: as in its record.
        again: told to a worker that was started anew.
    """

    task_id: str
    epoch: int
    active: bool
    instruction: str
    reverse: bool
    keyframes: Keyframes
    history_frames: int
    language: str
    profile: str
    camera_number: int
    camera: Camera
    recording: bool
    robot: str
    limits: Limits
    phase: str
    verdict: str | None
    message: str
    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetTask:
    """The task is gone."""

    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFrame:
    """An image that was asked for by `WantFrame` lies in a slot.

    Attributes:
        frame: its number within the task.
        size: of the JPEG in bytes.
        force: it is a key frame, unless the last one was only just.
        keep: somebody waits for the model's answer to this one.
        received_at: by the edge.
    """

    task_id: str
    epoch: int
    frame: int
    slot: int
    size: int
    force: bool
    keep: bool
    pose: OdometryPose | None
    received_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveSlot:
    """The task of this slot has ended: `SlotLeft` says when another one may have it."""

    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalBatch:
    """What a recorded task answered and planned since the last one.

    Attributes:
        lost: answers that the edge could not keep.
        end: nothing of the task follows.
    """

    task_id: str
    answers: tuple[AnswerRow, ...] = ()
    plans: tuple[PlanRow, ...] = ()
    lost: int = 0
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawView:
    """An image to be drawn for viewers lies in this slot for input; `ViewDrawn` answers.

    Attributes:
        size: of the JPEG in bytes.
    """

    task_id: str
    slot: int
    size: int
    scene: Scene


ToScheduler = TaskUpdate | ForgetTask | CameraFrame | LeaveSlot
ToRecorder = TaskUpdate | ForgetTask | JournalBatch
ToWorker = WorkerSettings | ToScheduler | ToRecorder | DrawView
