"""One VLN API as the operator sees it: three paths beside reconciling that leave nothing but observations.

A bulk read every half second; assertions, a few at a time; and stops, which wait for neither. One VLN API that hangs
holds up nobody."""

import asyncio
import logging
from collections.abc import Callable

from qwen3vl_common.navigation.record import Record
from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks, Intent
from qwen3vl_operator.nav_task.one_vln_api import OneVlnApi
from qwen3vl_operator.nav_task.record import Refusal
from qwen3vl_operator.nav_task.spec import task_id
from qwen3vl_operator.nav_task.status import Link
from qwen3vl_operator.nav_task.vln_assertions import VlnAssertions
from qwen3vl_operator.nav_task.vln_client import LinkError, VlnClient
from qwen3vl_operator.nav_task.vln_records import News
from qwen3vl_operator.nav_task.vln_stops import VlnStops

log = logging.getLogger(__name__)

PERIOD_SECONDS = 0.5
FULL_READ_SECONDS = 30.0
"""A cursor does not tell what was forgotten: everything is read again now and then."""
FAILURES_UNTIL_UNREACHABLE = 2


class VlnSync:
    """The tasks of one VLN API.

    Args:
        client: for reads and assertions.
        stop_client: for stops, with connections that nothing else uses.
        notify: told the key of every NavTask about which something new is known.
        notify_figures: likewise, where it is nothing but figures of a walk and may wait.
    """

    def __init__(
        self,
        namespace: str,
        model: str,
        *,
        client: VlnClient,
        stop_client: VlnClient,
        book: DesiredTasks,
        notify: Callable[[Key], None],
        notify_figures: Callable[[Key], None],
    ) -> None:
        self._api = OneVlnApi(namespace, model, book, notify)
        self._client, self._notify_figures = client, notify_figures
        self._full_read_at = 0.0
        self._failures, self._error, self._answered = 0, "", False
        self._assertions = VlnAssertions(self._api, client, lambda: self._answered and not self._failures)
        self._stops = VlnStops(self._api, stop_client, self._assertions.of)

    # What is seen ---------------------------------------------------------------------------------------------------

    @property
    def state(self) -> Link:
        """Whether it answers when it is asked for its tasks."""
        if self._failures >= FAILURES_UNTIL_UNREACHABLE:
            return Link("Unreachable", self._error)
        return Link("Reachable") if self._answered else Link("Unknown")

    def record(self, task_id: str) -> Record | None:
        """The task as last read."""
        return self._api.records.get(task_id)

    def refusal(self, task_id: str, generation: int) -> Refusal | None:
        """Why this generation of the task was not taken, if it was not."""
        return self._assertions.refusal(task_id, generation)

    def is_stopping(self, task_id: str) -> bool:
        """Whether a stop of the task is not confirmed yet."""
        return task_id in self._api.stops()

    def call_error(self, task_id: str, generation: int) -> str:
        """Why the last call about this task failed: its stop if it has one, else the assertion of this generation."""
        return self._stops.error(task_id) or self._assertions.error(task_id, generation)

    def unreadable(self, task_id: str) -> str:
        """What is wrong with the newest record of the task, so that an older one stands; empty when nothing is."""
        return self._api.records.unreadable(task_id)

    @property
    def under_way(self) -> int:
        """Stops and assertions that are not answered yet."""
        return self._stops.under_way + self._assertions.under_way

    # What is done ---------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something new is wanted: do not wait for the next read."""
        self._stops.wake()
        self._assertions.wake()

    async def run(self) -> None:
        """Read, stop and assert for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stops.run())
            group.create_task(self._assertions.run())
            group.create_task(self._read_for_ever())

    async def _read_for_ever(self) -> None:
        while True:
            began = self._now()
            await self.read()
            await asyncio.sleep(max(0.0, began + PERIOD_SECONDS - self._now()))

    async def read(self) -> None:
        """One bulk read, and what follows of it. Errors of the VLN API are noted, not raised."""
        before = self.state
        try:
            await self._read()
        except LinkError as error:
            self._failures += 1
            self._error = str(error)
        else:
            if self._failures:
                self._stops.hope()
            self._failures, self._answered = 0, True
        after = self.state
        if after.state != before.state:
            log.info("VLN API of %s/%s: %s %s", self._api.namespace, self._api.model, after.state, after.error)
            for key, _ in self._api.entries():
                self._api.notify(key)
        self._assertions.wake()

    async def _read(self) -> None:
        asked_at, boot_id = self._now(), self._api.records.boot_id
        full = not self._api.records.cursor or asked_at - self._full_read_at >= FULL_READ_SECONDS
        self._api.records.ask()
        page = await self._client.read("" if full else self._api.records.cursor)
        wrong = {name: words for name, words in page.unreadable.items() if words != self.unreadable(name)}
        well = [record.task_id for record in page.tasks if self.unreadable(record.task_id)]
        changed = self._api.records.take_page(page, full=full)
        self._tell_of_wrong(wrong, well)
        if full or page.boot_id != boot_id:
            self._full_read_at = asked_at
            self._assertions.tidy()
            self._forget_former()
        if page.boot_id != boot_id:
            self._assertions.forget()
        for record, matters in changed:
            if (key := self._key_of(record)) is not None:
                (self._api.notify if matters is News.TRANSITION else self._notify_figures)(key)
        self._find_unwanted(asked_at)

    def _tell_of_wrong(self, wrong: dict[str, str], well: list[str]) -> None:
        """Log records that are newly wrong, once; the NavTasks of these and of those that are well again are told."""
        for name, words in wrong.items():
            place = f"{self._api.namespace}/{self._api.model}"
            log.warning("VLN API of %s: the record of task %s is not as it should be: %s", place, name or "?", words)
        if wrong or well:
            for key, entry in self._api.entries():
                if (name := task_id(key.name, entry.uid)) in wrong or name in well:
                    self._api.notify(key)

    def _find_unwanted(self, asked_at: float) -> None:
        """Tasks whose NavTask is gone or Stopped, also those that were told to stop already."""
        for record in self._api.records:
            key = self._key_of(record)
            if record.is_finished or key is None or record.owner is None:
                continue
            want = self._api.book.want(key, record.owner, self._api.model)
            if want is None:
                self._api.notify(key)
            elif want is Intent.STOP:
                self._stops.found(record, key, asked_at)
        self._stops.forget_confirmed(asked_at)

    def _forget_former(self) -> None:
        """Of a task that is not asserted again nobody asks how far it had come in a former process."""
        for record in self._api.records.former():
            key, owner = self._key_of(record), record.owner
            want = Intent.STOP if key is None or owner is None else self._api.book.want(key, owner, self._api.model)
            if want is Intent.STOP:
                self._api.records.forget_former(record.task_id)
            elif want is None and key is not None:
                self._api.notify(key)

    def _key_of(self, record: Record) -> Key | None:
        owner = record.owner
        if owner is None or owner.namespace != self._api.namespace:
            return None  # made by REST
        return task_key(owner.namespace, owner.name)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
