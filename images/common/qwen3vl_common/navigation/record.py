"""The record of a task: what the VLN API tells of it, to the operator and to everybody who asks. Pure.

`Record` is what the operator acts on. It is read generously: a field that a newer VLN API adds is left out, and a
state, reason or verdict that it adds is taken as it is. A phase is not, for the operator acts by it: a record with
another one cannot be read, and the NavTask's status says so. `TaskRecord` is all of it, as written and documented."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from qwen3vl_common.navigation.settings import Limits, Whole
from qwen3vl_common.navigation.states import OLD_STATUSES, Phase, Reason, State, Verdict

MOST = 2**53
"""Of any number, up or down: what JSON, the apiserver and every client keep as it is."""

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"\S")]
"""Of an object of Kubernetes, or its uid."""
Count = Annotated[int, Field(ge=-MOST, le=MOST)]
Number = Annotated[float, Field(ge=-MOST, le=MOST)]
Moment = Annotated[float, Field(ge=0, lt=253_402_300_800)]
"""Seconds since 1970, to the end of the year 9999."""


def _words(kind: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [str(word) for word in kind]})


StateWord = Annotated[str, _words(State)]
ReasonWord = Annotated[str, _words(Reason)]
VerdictWord = Annotated[str, _words(Verdict)]


class RecordPart(BaseModel):
    """A part of a record; its names are those of the wire."""

    # Fields that a newer VLN API adds are none of ours. Python's JSON has NaN, which no status can have.
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=(), allow_inf_nan=False)


class Owner(RecordPart):
    """The NavTask that a task belongs to."""

    generation: Whole = Field(ge=-MOST, le=MOST)
    uid: Name
    namespace: Name
    name: Name


class Steps(RecordPart):
    """Plans that were begun."""

    done: Count
    limit: Count


class LastStep(RecordPart):
    """The newest of them; times in milliseconds, `at` in seconds since 1970."""

    index: Count
    action: str = ""
    frame_age_ms: Number | None = None
    latency_ms: Number | None = None
    at: Moment


class Latency(RecordPart):
    """Milliseconds of the model's calls."""

    p50_ms: Number
    p95_ms: Number
    max_ms: Number


class Link(RecordPart):
    """Milliseconds from the VLN API to the robot and back."""

    rtt_p50_ms: Number
    rtt_max_ms: Number


class Frames(RecordPart):
    """Counted camera frames."""

    received: Count = 0
    analysed: Count = 0
    dropped: Count = 0


class ModelErrors(RecordPart):
    """Counted failures of the model's calls."""

    count: Count = 0
    last: str | None = None


class Record(RecordPart):
    """What the operator acts on."""

    task_id: str
    owner: Owner | None
    phase: Phase
    verdict: VerdictWord | None
    state: StateWord
    reason: ReasonWord
    message: str = ""
    steps: Steps
    elapsed_seconds: Number = 0
    action: str = ""
    progress: Number = 0
    environment: str = ""
    last_step: LastStep | None = None
    latency: Latency | None = None
    link: Link | None = None
    deadline_misses: Count = 0
    frames: Frames = Frames()
    model_errors: ModelErrors = ModelErrors()
    finished_at: Moment | None = None

    @property
    def is_finished(self) -> bool:
        return self.phase is Phase.FINISHED


class RestWaypoint(RecordPart):
    """A waypoint of what is left of a plan: metres forward and to the left, radians counter-clockwise."""

    dx: Number
    dy: Number
    dtheta: Number


class RecordingState(RecordPart):
    """Whether the task is recorded, and why it is not although it should be."""

    enabled: bool
    error: str | None


class Clamped(RecordPart):
    """A limit that was asked for and the lower one that is held."""

    wanted: Number
    held: Number


class TaskRecord(Record):
    """All that the VLN API tells of one task; `status`, `frame_count`, `current_…` and `error_message` are the older
    protocol's."""

    instruction: str
    status: Annotated[str, _words(OLD_STATUSES)]
    frame_count: Count
    created_at: Moment
    current_environment: str
    current_action: str
    current_waypoints: tuple[RestWaypoint, ...]
    error_message: str | None
    robot: str
    untimed: bool
    warnings: tuple[str, ...]
    limits: Limits
    clamped_limits: dict[str, Clamped]
    recording: RecordingState
