"""One VLN API as the operator sees it: every half second stops first, then one bulk read, then assertions.

It runs on its own clock beside reconciling and leaves nothing but observations; one that hangs holds up nobody."""

import asyncio
import logging
from collections.abc import Callable

from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks, Entry, Intent
from qwen3vl_operator.nav_task.record import Record, Refusal, Resume, assertion
from qwen3vl_operator.nav_task.spec import NavTask
from qwen3vl_operator.nav_task.status import Link
from qwen3vl_operator.nav_task.vln_client import LinkError, VlnClient

log = logging.getLogger(__name__)

PERIOD_SECONDS = 0.5
FULL_READ_SECONDS = 30.0
"""A cursor does not tell what was forgotten: everything is read again now and then."""
REFUSED_AGAIN_SECONDS = 2.0
"""What was refused may be taken later: a robot comes free."""
FAILURES_UNTIL_UNREACHABLE = 2


class VlnSync:
    """The tasks of one VLN API.

    Args:
        notify: told the key of every NavTask about which something new is known.
    """

    def __init__(
        self, namespace: str, model: str, *, client: VlnClient, book: DesiredTasks, notify: Callable[[Key], None]
    ) -> None:
        self._namespace, self._model = namespace, model
        self._client, self._book, self._notify = client, book, notify
        self._wake = asyncio.Event()
        self._records: dict[str, Record] = {}
        self._former: dict[str, Record] = {}
        self._refusals: dict[str, tuple[Refusal, int, float]] = {}
        self._told_to_stop: set[str] = set()
        self._boot_id, self._cursor, self._full_read_at = "", "", 0.0
        self._failures, self._error, self._answered = 0, "", False

    @property
    def state(self) -> Link:
        """Whether it answers."""
        if self._failures >= FAILURES_UNTIL_UNREACHABLE:
            return Link("Unreachable", self._error)
        return Link("Reachable") if self._answered else Link("Unknown")

    def record(self, task_id: str) -> Record | None:
        """The task as last read."""
        return self._records.get(task_id)

    def refusal(self, task_id: str, generation: int) -> Refusal | None:
        """Why this generation of the task was not taken, if it was not."""
        found = self._refusals.get(task_id)
        return found[0] if found is not None and found[1] == generation else None

    def wake(self) -> None:
        """Something new is wanted: do not wait for the next turn."""
        self._wake.set()

    async def run(self) -> None:
        """Take turns for ever."""
        while True:
            began = self._now()
            self._wake.clear()
            await self.turn()
            try:
                async with asyncio.timeout_at(began + PERIOD_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """One turn. Errors of the VLN API are noted, not raised."""
        before = self.state
        try:
            # What is known already must not wait for a read that may hang.
            await self._stop_unwanted(again=False)
            await self._read()
            await self._stop_unwanted(again=True)
            await self._assert_wanted()
        except LinkError as error:
            self._failures += 1
            self._error = str(error)
        else:
            self._failures, self._answered = 0, True
        after = self.state
        if after.state != before.state:
            log.info("VLN API of %s/%s: %s %s", self._namespace, self._model, after.state, after.error)
            for key, _ in self._book.of_model(self._namespace, self._model):
                self._notify(key)

    async def _read(self) -> None:
        full = not self._cursor or self._now() - self._full_read_at >= FULL_READ_SECONDS
        page = await self._client.read("" if full else self._cursor)
        if page.boot_id != self._boot_id:
            # Another process: a cursor of the former one gives everything.
            self._former |= {name: record for name, record in self._records.items() if not record.is_finished}
            self._records, self._refusals, self._told_to_stop = {}, {}, set()
            full = True
        if full:
            self._full_read_at = self._now()
            for task_id in self._records.keys() - {record.task_id for record in page.tasks}:
                self._notify_owner(self._records.pop(task_id))
        self._boot_id, self._cursor = page.boot_id, page.cursor
        for record in page.tasks:
            self._see(record)

    def _see(self, record: Record) -> None:
        if self._records.get(record.task_id) != record:
            self._records[record.task_id] = record
            self._notify_owner(record)
        if record.is_finished:
            self._former.pop(record.task_id, None)

    def _notify_owner(self, record: Record) -> None:
        if (key := self._key_of(record)) is not None:
            self._notify(key)

    def _key_of(self, record: Record) -> Key | None:
        owner = record.owner
        if owner is None or owner.namespace != self._namespace:
            return None  # made by REST
        return task_key(owner.namespace, owner.name)

    async def _stop_unwanted(self, *, again: bool) -> None:
        """Stop tasks whose NavTask is gone or Stopped; with `again`, also those that were told already."""
        failed: LinkError | None = None
        for record in list(self._records.values()):
            key = self._key_of(record)
            if record.is_finished or key is None or record.owner is None:
                continue
            want = self._book.want(key, record.owner, self._model)
            if want is None:
                self._notify(key)
            elif want is Intent.STOP and (again or record.task_id not in self._told_to_stop):
                self._told_to_stop.add(record.task_id)
                try:
                    await self._client.stop(record.task_id)
                    log.info("stopped task %s of %s", record.task_id, key)
                except LinkError as error:
                    # The next one must be told too.
                    failed = error
        if failed is not None:
            raise failed

    async def _assert_wanted(self) -> None:
        for key, entry in self._book.of_model(self._namespace, self._model):
            if entry.want is Intent.ASSERT and entry.task is not None and self._is_new(entry.task):
                await self._assert(key, entry, entry.task)

    def _is_new(self, task: NavTask) -> bool:
        """Whether the VLN API does not have this generation of an unfinished task, and is to be told now."""
        record = self._records.get(task.task_id)
        if record is not None:
            known = -1 if record.owner is None else record.owner.generation
            if record.is_finished or known >= task.generation:
                return False
        refused = self._refusals.get(task.task_id)
        return refused is None or refused[1] != task.generation or self._now() - refused[2] >= REFUSED_AGAIN_SECONDS

    async def _assert(self, key: Key, entry: Entry, task: NavTask) -> None:
        resume = None if task.task_id in self._records else self._resume(entry, task.task_id)
        answer = await self._client.assert_task(task.task_id, assertion(task, resume))
        before = self.refusal(task.task_id, task.generation)
        if isinstance(answer, Record):
            self._refusals.pop(task.task_id, None)
            self._see(answer)
            log.info("asserted %s as %s, generation %d", key, task.task_id, task.generation)
        elif answer.code == "stale_generation":
            return  # ours is old; the NavTask's newer one is on its way
        else:
            self._refusals[task.task_id] = (answer, task.generation, self._now())
        if before != self.refusal(task.task_id, task.generation):
            self._notify(key)

    def _resume(self, entry: Entry, task_id: str) -> Resume | None:
        """How far the task had come, by whichever knows more: its status, or what the former process last said."""
        former = self._former.get(task_id)
        if former is None or former.phase == "WaitingForRobot":
            return entry.resume
        last = Resume(elapsed_seconds=former.elapsed_seconds, steps=former.steps.done)
        return max((last, entry.resume or last), key=lambda resume: resume.elapsed_seconds)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
