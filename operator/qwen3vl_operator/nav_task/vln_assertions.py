"""The assertions of one VLN API: what it does not have yet is told to it, a few at a time, edits before what is new."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from qwen3vl_common.navigation.record import Record
from qwen3vl_common.navigation.refusals import RefusalCode
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.nav_task.desired_tasks import Entry, Intent
from qwen3vl_operator.nav_task.one_vln_api import OneVlnApi
from qwen3vl_operator.nav_task.record import Refusal, assertion
from qwen3vl_operator.nav_task.spec import NavTask
from qwen3vl_operator.nav_task.vln_client import LinkError, VlnClient
from qwen3vl_operator.nav_task.vln_records import News

log = logging.getLogger(__name__)

AT_ONCE = 8
PER_TURN = 32
"""After so many the wanted ones are looked over again: what has become urgent meanwhile comes first."""
TURN_SECONDS = 0.02
AGAIN_SECONDS = 2.0
"""What was refused may be taken later: a robot comes free. So may what failed."""


@dataclass(frozen=True)
class _Failure:
    """An assertion that was not taken: by the VLN API's word, or by an error."""

    generation: int
    at: float
    refusal: Refusal | None = None
    error: str = ""


class VlnAssertions:
    """Tells one VLN API of its tasks.

    Args:
        may: whether it answers and its tasks are known; else nothing is asserted.
    """

    def __init__(self, api: OneVlnApi, client: VlnClient, may: Callable[[], bool]) -> None:
        self._api, self._client, self._may = api, client, may
        self._wake, self._slots = asyncio.Event(), asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, _Failure] = {}

    def wake(self) -> None:
        """Something new may be wanted."""
        self._wake.set()

    @property
    def under_way(self) -> int:
        """Assertions that are not answered."""
        return len(self._under_way)

    def of(self, task_id: str) -> "asyncio.Task[None] | None":
        """The assertion of the task that is under way."""
        return self._under_way.get(task_id)

    def refusal(self, task_id: str, generation: int) -> Refusal | None:
        """Why this generation of the task was not taken, if it was not."""
        failure = self._failures.get(task_id)
        return failure.refusal if failure is not None and failure.generation == generation else None

    def error(self, task_id: str, generation: int) -> str:
        """Why this generation of the task could not be asserted, if it was tried."""
        failure = self._failures.get(task_id)
        return failure.error if failure is not None and failure.generation == generation else ""

    def forget(self) -> None:
        """The VLN API is another process: what the former one did not take says nothing."""
        self._failures.clear()

    async def run(self) -> None:
        """Assert what is wanted, for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._turn(group)
                # Looking at all tasks for each of a thousand that come at once would cost the square.
                await asyncio.sleep(TURN_SECONDS)

    async def _turn(self, group: asyncio.TaskGroup) -> None:
        wanted = self._wanted()
        if len(wanted) > PER_TURN:
            self._wake.set()
        for key, entry, task in wanted[:PER_TURN]:
            await self._slots.acquire()
            # While this waited for its turn it may have been stopped, or told otherwise.
            if self._may() and self._api.book.get(key) is entry and self._is_new(task):
                self._under_way[task.task_id] = group.create_task(self._assert(key, entry, task))
            else:
                self._slots.release()

    def _wanted(self) -> list[tuple[Key, Entry, NavTask]]:
        """What is to be asserted now: edits of what runs first, what failed before last."""
        if not self._may():
            return []
        found = [
            (key, entry, entry.task)
            for key, entry in self._api.entries()
            if entry.want is Intent.ASSERT and entry.task is not None and self._is_new(entry.task)
        ]
        return sorted(found, key=lambda one: self._precedence(one[2]))

    def _precedence(self, task: NavTask) -> tuple[bool, bool]:
        return task.task_id in self._failures, self._api.records.get(task.task_id) is None

    def _is_new(self, task: NavTask) -> bool:
        """Whether the VLN API does not have this generation of an unfinished task, and is to be told now."""
        if task.task_id in self._under_way:
            return False
        record = self._api.records.get(task.task_id)
        if record is not None:
            known = -1 if record.owner is None else record.owner.generation
            if record.is_finished or known >= task.generation:
                return False
        failure = self._failures.get(task.task_id)
        return failure is None or failure.generation != task.generation or self._now() - failure.at >= AGAIN_SECONDS

    async def _assert(self, key: Key, entry: Entry, task: NavTask) -> None:
        before = self._failures.get(task.task_id)
        try:
            answer = await self._client.assert_task(
                task.task_id, assertion(task, self._api.records.resume(task.task_id, entry.resume))
            )
        except LinkError as error:
            answer = None
            self._failures[task.task_id] = _Failure(task.generation, self._now(), error=str(error))
            log.warning("%s is not asserted yet: %s", key, error)
        finally:
            del self._under_way[task.task_id]
            self._slots.release()
            if self._api.book.get(key) is not entry:
                self._wake.set()  # an edit that came meanwhile was not looked at
        if isinstance(answer, Record):
            self._failures.pop(task.task_id, None)
            log.info("asserted %s as %s, generation %d", key, task.task_id, task.generation)
            if self._api.records.take_answer(answer) is not News.NOTHING:
                self._api.notify(key)
        elif answer is not None and answer.code != RefusalCode.STALE_GENERATION:  # the newer one is on its way here too
            self._failures[task.task_id] = _Failure(task.generation, self._now(), refusal=answer)
        after = self._failures.get(task.task_id)
        if (before and (before.refusal, before.error)) != (after and (after.refusal, after.error)):
            self._api.notify(key)

    def tidy(self) -> None:
        """Forget failures of tasks that are not wanted any more."""
        if self._failures:
            wanted = {entry.task.task_id for _, entry in self._api.entries() if entry.task is not None}
            self._failures = {name: failure for name, failure in self._failures.items() if name in wanted}

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
