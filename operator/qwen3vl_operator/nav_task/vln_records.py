"""What one VLN API said last of its tasks, put together from bulk reads and from answers to assertions. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from qwen3vl_common.navigation.record import Record
from qwen3vl_common.navigation.requests import Resume
from qwen3vl_common.navigation.states import Phase, Reason, State
from qwen3vl_operator.nav_task.record import Page
from qwen3vl_operator.nav_task.status_fields import VOLATILE_SECONDS

MODEL_TROUBLE = (Reason.MODEL_SLOW, Reason.MODEL_FAILED)
"""Reasons that people wait to hear while a robot still drives."""


class News(Enum):
    """What a record says beyond what was told of its task before."""

    NOTHING = "Nothing"
    FIGURES = "Figures"
    TRANSITION = "Transition"


def news(told: Record | None, record: Record) -> News:
    """How much it matters that a task's record is now this one."""
    if told is None or _state(told) != _state(record):
        return News.TRANSITION
    ticked = abs(record.elapsed_seconds - told.elapsed_seconds) >= VOLATILE_SECONDS
    return News.FIGURES if ticked or _figures(told) != _figures(record) else News.NOTHING


def _state(record: Record) -> tuple[Any, ...]:
    trouble = record.reason if record.state == State.ERROR or record.reason in MODEL_TROUBLE else None
    return record.phase, record.verdict, record.owner, record.state == State.ERROR, trouble


def _figures(record: Record) -> tuple[Any, ...]:
    counted = record.steps, record.last_step, record.latency, record.deadline_misses, record.model_errors
    said = record.state, record.reason, record.message, record.action, record.progress, record.environment
    return said + counted


@dataclass
class VlnRecords:
    """The tasks of one VLN API by id.

    Attributes:
        boot_id: of its process; empty before the first page.
        cursor: what to ask `since` next time.
    """

    boot_id: str = ""
    cursor: str = ""
    _records: dict[str, Record] = field(default_factory=dict)
    _told: dict[str, Record] = field(default_factory=dict)
    _former: dict[str, Record] = field(default_factory=dict)
    _answered: set[str] = field(default_factory=set)
    _unreadable: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def get(self, task_id: str) -> Record | None:
        """The task as last read."""
        return self._records.get(task_id)

    def is_finished(self, task_id: str) -> bool:
        """Whether it is known that the task has ended."""
        record = self._records.get(task_id)
        return record is not None and record.is_finished

    def unreadable(self, task_id: str) -> str:
        """What is wrong with the newest record of the task, which was not taken; empty when nothing is."""
        return self._unreadable.get(task_id, "")

    def ask(self) -> None:
        """A page is asked for now: it cannot know what is answered from here on."""
        self._answered.clear()

    def take_page(self, page: Page, *, full: bool) -> list[tuple[Record, News]]:
        """Take a bulk read; the tasks that changed or are not there any more, and how much that matters.

        Args:
            full: all tasks were asked for.
        """
        found: list[tuple[Record, News]] = []
        former: dict[str, Record] = {}
        if page.boot_id != self.boot_id:
            # Another process: a cursor of the former one gives everything.
            former = {record.task_id: record for record in self if not record.is_finished}
            self._answered.clear()
            full = True
        if full:
            self._unreadable = {name: words for name, words in self._unreadable.items() if name in page.unreadable}
            gone = self._records.keys() - {record.task_id for record in page.tasks} - self._answered
            if page.boot_id == self.boot_id:  # what cannot be read is there, and without an id it may be any of them
                gone = set() if "" in page.unreadable else gone - page.unreadable.keys()
            found += [(record, News.TRANSITION) for task_id in sorted(gone) if (record := self.drop(task_id))]
        if page.boot_id != self.boot_id:
            self._records.clear()
            self._told.clear()
            self._former |= former
        self.boot_id, self.cursor = page.boot_id, page.cursor
        self._unreadable |= page.unreadable
        for record in page.tasks:
            if (matters := self._take(record)) is not News.NOTHING:
                found.append((record, matters))
        return found

    def take_answer(self, record: Record) -> News:
        """Take what an assertion was answered with; how much it matters."""
        self._answered.add(record.task_id)
        return self._take(record)

    def _take(self, record: Record) -> News:
        known = self._records.get(record.task_id)
        if known is not None and _is_older(record, known):
            return News.NOTHING  # the page was written before the answer that is known
        self._records[record.task_id] = record
        self._unreadable.pop(record.task_id, None)
        self._former.pop(record.task_id, None)
        matters = news(self._told.get(record.task_id), record)
        if matters is not News.NOTHING:
            self._told[record.task_id] = record
        return matters

    def drop(self, task_id: str) -> Record | None:
        """The VLN API has no such task any more."""
        self._former.pop(task_id, None)
        self._told.pop(task_id, None)
        self._unreadable.pop(task_id, None)
        return self._records.pop(task_id, None)

    def former(self) -> list[Record]:
        """What a former process said last of tasks that this one was not told of yet."""
        return list(self._former.values())

    def forget_former(self, task_id: str) -> None:
        """The task is not asserted again."""
        self._former.pop(task_id, None)

    def resume(self, task_id: str, noted: Resume | None) -> Resume | None:
        """How far a task had come that this process does not have: by its status, or by what the former process last
        said, whichever knows more."""
        if task_id in self._records:
            return None
        former = self._former.get(task_id)
        if former is None or former.phase is Phase.WAITING_FOR_ROBOT:
            return noted
        last = Resume.bounded(former.elapsed_seconds, former.steps.done)
        return max((last, noted or last), key=lambda resume: resume.elapsed_seconds)


def _is_older(record: Record, known: Record) -> bool:
    """Whether a record is of before the one that is known, of the same process: an end is for good."""
    if record.owner is None or known.owner is None or record.owner.uid != known.owner.uid:
        return False
    return record.owner.generation < known.owner.generation or (known.is_finished and not record.is_finished)
