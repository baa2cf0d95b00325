"""Pages of records as the VLN API gives them, and the body by which a task is asserted there."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from qwen3vl_common.navigation.record import Owner, Record, RecordPart
from qwen3vl_common.navigation.requests import AssertTask, Resume
from qwen3vl_common.navigation.settings import Walk
from qwen3vl_operator.kube.readable import readable
from qwen3vl_operator.nav_task.spec import NavTask

MOST_WORDS = 300


class _RawPage(RecordPart):
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


class Refusal(RecordPart):
    """Why the VLN API did not take an assertion."""

    code: str
    message: str


def assertion(task: NavTask, resume: Resume | None) -> dict[str, Any]:
    """The body that asserts a task: its owner and generation, and everything of the spec that the VLN API acts on."""
    owner = Owner(uid=task.uid, namespace=task.namespace, name=task.name, generation=task.generation)
    wanted = {name: getattr(task.spec, name) for name in Walk.model_fields}
    return AssertTask(owner=owner, resume=resume, **wanted).model_dump(by_alias=True, exclude_none=True)
