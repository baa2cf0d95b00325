"""A task as the VLN API tells it, and the words in which it is asserted there: the protocol, without its transport."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from qwen3vl_operator.nav_task.spec import NavTask

FINISHED = "Finished"


class _Part(BaseModel):
    # Fields that a newer VLN API adds are none of ours.
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Owner(_Part):
    """The NavTask that a task belongs to."""

    uid: str
    namespace: str
    name: str
    generation: int


class Steps(_Part):
    """Plans that were begun."""

    done: int
    limit: int


class LastStep(_Part):
    """The newest of them; times in milliseconds, `at` in seconds since 1970."""

    index: int
    action: str = ""
    frame_age_ms: float | None = None
    latency_ms: float | None = None
    at: float


class Latency(_Part):
    """Milliseconds of the model's calls."""

    p50_ms: float
    p95_ms: float
    max_ms: float


class Frames(_Part):
    """Counted camera frames."""

    received: int = 0
    analysed: int = 0
    dropped: int = 0


class ModelErrors(_Part):
    """Counted failures of the model's calls."""

    count: int = 0
    last: str | None = None


class Record(_Part):
    """All that the VLN API tells of one task."""

    task_id: str
    owner: Owner | None
    phase: Literal["WaitingForRobot", "Running", "Paused", "Finished"]
    verdict: str | None
    state: str
    reason: str
    message: str = ""
    steps: Steps
    elapsed_seconds: float = 0
    action: str = ""
    progress: float = 0
    environment: str = ""
    last_step: LastStep | None = None
    latency: Latency | None = None
    deadline_misses: int = 0
    frames: Frames = Frames()
    model_errors: ModelErrors = ModelErrors()
    finished_at: float | None = None

    @property
    def is_finished(self) -> bool:
        return self.phase == FINISHED


class Page(_Part):
    """The answer of the bulk read."""

    boot_id: str
    cursor: str
    tasks: list[Record]


class Refusal(_Part):
    """Why the VLN API did not take an assertion."""

    code: str
    message: str


class Resume(_Part):
    """How far a task had come that a new VLN API goes on with: seconds since its first frame, and steps."""

    elapsed_seconds: float
    steps: int


def assertion(task: NavTask, resume: Resume | None) -> dict[str, Any]:
    """The body that asserts a task: its owner and generation, and everything of the spec that the VLN API acts on."""
    spec = task.spec.model_dump(by_alias=True, exclude={"model_ref", "ttl_seconds_after_finished"})
    owner = {"uid": task.uid, "namespace": task.namespace, "name": task.name, "generation": task.generation}
    body = {"owner": owner, **spec}
    if resume is not None:
        body["resume"] = {"elapsedSeconds": resume.elapsed_seconds, "steps": resume.steps}
    return body
