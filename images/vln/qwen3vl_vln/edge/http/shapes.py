"""Shapes of what is sent and answered over HTTP, as `/docs` shows them. No request is read and no answer is written by
them: a frame takes microseconds. A test compares them with what is really answered."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from qwen3vl_common.navigation.record import Link, ReasonWord, StateWord, TaskRecord


class Shape(BaseModel):
    """A JSON object with these fields and no other one."""

    model_config = ConfigDict(extra="forbid")


SMALLEST_JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP////////////////////////////////////////////////////////////////////////////"
    "//////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z"
)
"""One grey point, for trying a call."""


class FrameBody(BaseModel):
    """A frame. Other fields are ignored."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"task_id": "vln_1760000000_a1b2c3", "frame": SMALLEST_JPEG}]}
    )

    task_id: str = Field(description="The task that it is of.")
    frame: str = Field(description="A JPEG as base64, or as a data URL.")
    timestamp: float | None = Field(
        default=None, description="When it was taken: Unix time in seconds or milliseconds. Any other is only echoed."
    )
    robot: str | None = Field(default=None, description="Its robot: refused if the task is of another one.")


class Waypoint(Shape):
    """Metres forward and to the left, radians counter-clockwise; `confidence` is the older protocol's."""

    dx: float
    dy: float
    dtheta: float
    confidence: float


class FrameAnswer(Shape):
    """What the robot is told for this moment."""

    task_id: str
    frame_id: int
    waypoints: list[Waypoint] = Field(description="What is left of the plan.")
    environment: str
    action: str
    linear_vel: float = Field(description="m/s, forward.")
    angular_vel: float = Field(description="rad/s, counter-clockwise.")
    progress: float
    reached_goal: bool
    visualized_frame: str | None = Field(description="A JPEG as base64, where the task asked for it.")
    inference_time: float = Field(description="Seconds that the model took for the plan.")
    seq: int | None
    plan_id: str | None
    captured_at: float | None = Field(description="The time stamp of the picture that the plan was made from.")
    age_ms: int | None = Field(description="Age of that picture.")
    valid_ms: int = Field(description="For so long the robot may drive by this answer.")
    valid_until: float | None
    state: StateWord
    reason: ReasonWord
    lease_epoch: int
    untimed: bool
    link: Link | None
    message: str


class TaskMade(Shape):
    """A task that was made."""

    task_id: str
    status: str
    instruction: str
    robot: str
    ignored: list[str] = Field(description="Names of fields that were sent and have no effect.")


class TaskAsserted(TaskRecord):
    """The record of a NavTask's task."""

    ignored: list[str] | None = Field(default=None, description="Names of fields that are not known here.")


class TaskList(Shape):
    """Records of tasks."""

    boot_id: str = Field(description="Of this process; a restart makes a new one.")
    cursor: str = Field(description="What to send as `since` next time.")
    tasks: list[TaskRecord]


class TaskStopped(Shape):
    """The task is stopped for good."""

    task_id: str
    status: Literal["stopped"]


class TaskDeleted(Shape):
    """The task is forgotten."""

    task_id: str
    deleted: Literal[True]


class Statistics(Shape):
    """Totals over all tasks, with the older protocol's names."""

    total_requests: int
    processed: int
    dropped: int
    errors: int
    avg_inference_time: float
    queue_size: int
    running: bool


class Me(Shape):
    """What a key is, and may do."""

    name: str
    rights: list[Literal["drive", "stop", "view"]]
    robots: list[str] = Field(description="Those that it is for, with `*` for anything.")
    operator: bool


class Ticket(Shape):
    """Leave to look at one task's images once."""

    ticket: str
    expires_in: int = Field(description="Seconds.")
    url: str


class RecordingFile(Shape):
    """A file of a recording."""

    name: str
    bytes: int
    begin: str = Field(description="UTC.")
    finished: bool


class RecordingList(Shape):
    """The recordings of a task."""

    task_id: str
    recordings: list[RecordingFile]


class Health(Shape):
    """The process lives."""

    status: Literal["healthy"]
    model: str
    gpu_count: Literal[0]


class Ready(Shape):
    """Whether requests are to come here."""

    ready: bool


JPEG: dict[str, Any] = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
MOTION_JPEG: dict[str, Any] = {"multipart/x-mixed-replace": {"schema": {"type": "string", "format": "binary"}}}
MCAP: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
TEXT: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
