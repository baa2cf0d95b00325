"""The stops of one VLN API: on a path of their own, behind no read and no assertion, repeated until confirmed."""

import asyncio
import logging
from collections.abc import Callable

from qwen3vl_common.navigation.record import Record
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.nav_task.one_vln_api import OneVlnApi
from qwen3vl_operator.nav_task.vln_client import LinkError, VlnClient

log = logging.getLogger(__name__)

FIRST_AT_ONCE = 64
"""First tries under way: as many robots as are stopped at once, without waiting for each other."""
AGAIN_AT_ONCE = 8
"""Further tries: they are apart, so that what fails again and again delays no first one."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0


class VlnStops:
    """Carries out what `DesiredTasks.stops` holds for one model; told is each that is confirmed or fails in a new way.

    Args:
        client: with connections that nothing else uses.
        asserting: the assertion of a task that is under way.
    """

    def __init__(
        self, api: OneVlnApi, client: VlnClient, asserting: Callable[[str], "asyncio.Task[None] | None"]
    ) -> None:
        self._api, self._client, self._asserting = api, client, asserting
        self._wake, self._hope = asyncio.Event(), asyncio.Event()
        self._first, self._again = asyncio.Semaphore(FIRST_AT_ONCE), asyncio.Semaphore(AGAIN_AT_ONCE)
        self._errors: dict[str, str] = {}
        self._confirmed: dict[str, float] = {}

    def wake(self) -> None:
        """Something may have to be stopped."""
        self._wake.set()

    def hope(self) -> None:
        """The VLN API answers again: no try waits any longer."""
        self._hope.set()
        self._hope = asyncio.Event()

    @property
    def under_way(self) -> int:
        """Stops that are not confirmed."""
        return len(self._errors)

    def error(self, task_id: str) -> str:
        """Why the last try failed, if there was one."""
        return self._errors.get(task_id, "")

    def found(self, record: Record, key: Key, asked_at: float) -> None:
        """A read that was asked for at that time still shows a task that is to be stopped."""
        if self._confirmed.get(record.task_id, -1.0) < asked_at:
            self._api.must_stop(key, record.task_id)
            self.wake()

    def forget_confirmed(self, asked_at: float) -> None:
        """Whatever was confirmed before this read was asked for, the read shows."""
        self._confirmed = {task_id: at for task_id, at in self._confirmed.items() if at >= asked_at}

    async def run(self) -> None:
        """Stop what is to be stopped, for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                for task_id, key in list(self._api.stops().items()):
                    if task_id not in self._errors:
                        self._errors[task_id] = ""
                        group.create_task(self._stop(task_id, key))
                await self._wake.wait()

    async def _stop(self, task_id: str, key: Key) -> None:
        pause, there = FIRST_PAUSE_SECONDS, True
        while not self._api.records.is_finished(task_id):
            assertion = self._asserting(task_id)
            try:
                async with self._again if self._errors[task_id] else self._first:
                    there = await self._client.stop(task_id)
            except LinkError as error:
                self._failed(task_id, key, str(error))
                pause = await self._pause(pause)
                continue
            log.info("stopped task %s of %s%s", task_id, key, "" if there else ": it is not there")
            if assertion is None:
                self._confirmed[task_id] = self._now()
                break
            # An assertion that was under way may come after the stop: only one that follows it is the last word.
            await asyncio.wait({assertion})
        if not there:
            self._api.records.drop(task_id)
        del self._errors[task_id]
        self._api.stopped(task_id)
        self._api.notify(key)

    def _failed(self, task_id: str, key: Key, error: str) -> None:
        if error != self._errors[task_id]:
            self._errors[task_id] = error
            log.warning("task %s of %s is not stopped yet: %s", task_id, key, error)
            self._api.notify(key)

    async def _pause(self, seconds: float) -> float:
        """Wait, but not beyond a sign of life; how long to wait after the next failure."""
        hope = self._hope
        try:
            async with asyncio.timeout(seconds):
                await hope.wait()
        except TimeoutError:
            return min(2 * seconds, LONGEST_PAUSE_SECONDS)
        return FIRST_PAUSE_SECONDS

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
