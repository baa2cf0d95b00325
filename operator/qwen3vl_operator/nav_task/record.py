"""A task as the VLN API tells it, and the words in which it is asserted there: the protocol, without its transport."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qwen3vl_operator.kube.readable import readable
from qwen3vl_operator.nav_task.spec import NavTask

FINISHED = "Finished"
MOST = 2**53
"""Of any number, up or down: what JSON, the apiserver and every client keep as it is."""
MOST_WORDS = 300

Count = Annotated[int, Field(ge=-MOST, le=MOST)]
Number = Annotated[float, Field(ge=-MOST, le=MOST)]
Moment = Annotated[float, Field(ge=0, lt=253_402_300_800)]
"""Seconds since 1970, to the end of the year 9999."""


class _Part(BaseModel):
    # Fields that a newer VLN API adds are none of ours. Python's JSON has NaN, which no status can have.
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=(), allow_inf_nan=False)


class Owner(_Part):
    """The NavTask that a task belongs to."""

    uid: str
    namespace: str
    name: str
    generation: Count


class Steps(_Part):
    """Plans that were begun."""

    done: Count
    limit: Count


class LastStep(_Part):
    """The newest of them; times in milliseconds, `at` in seconds since 1970."""

    index: Count
    action: str = ""
    frame_age_ms: Number | None = None
    latency_ms: Number | None = None
    at: Moment


class Latency(_Part):
    """Milliseconds of the model's calls."""

    p50_ms: Number
    p95_ms: Number
    max_ms: Number


class Link(_Part):
    """Milliseconds from the VLN API to the robot and back."""

    rtt_p50_ms: Number
    rtt_max_ms: Number


class Frames(_Part):
    """Counted camera frames."""

    received: Count = 0
    analysed: Count = 0
    dropped: Count = 0


class ModelErrors(_Part):
    """Counted failures of the model's calls."""

    count: Count = 0
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
        return self.phase == FINISHED


class _RawPage(_Part):
    """The answer of the bulk read, before its records are looked at."""

    boot_id: str
    cursor: str
    tasks: list[Any]


@dataclass(frozen=True)
class Page:
    """The answer of the bulk read.

    Attributes:
        tasks: the records that are as they should be.
        unreadable: what is wrong with the others, by id; the empty id is of all that have none.
    """

    boot_id: str
    cursor: str
    tasks: list[Record]
    unreadable: dict[str, str]


def parse_page(body: Any) -> Page:
    """The bulk read as typed values. A record that is wrong says nothing about the others.

    Raises:
        pydantic.ValidationError: the page itself is not as it should be.
    """
    raw = _RawPage.model_validate(body)
    page = Page(raw.boot_id, raw.cursor, [], {})
    for one in raw.tasks:
        try:
            page.tasks.append(Record.model_validate(one))
        except ValidationError as error:
            task_id = one.get("task_id") if isinstance(one, dict) else None
            page.unreadable[task_id if isinstance(task_id, str) else ""] = readable(error, "task")[:MOST_WORDS]
    return page


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
