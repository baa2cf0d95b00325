"""One level-triggered pass over one NavTask: note what is wanted, tell what is seen. It asks no VLN API, and the
apiserver only to write."""

import asyncio
import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from qwen3vl_common.navigation.requests import Resume
from qwen3vl_operator import indexes, names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.readable import readable
from qwen3vl_operator.kube.resources import Object, spec_of, text_at
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.nav_task.desired_tasks import Entry, Intent
from qwen3vl_operator.nav_task.spec import NavTask, parse_task, task_id
from qwen3vl_operator.nav_task.status import (
    TaskSeen,
    failed_pass,
    invalid_task,
    is_finished,
    status_after_end,
    task_status,
)
from qwen3vl_operator.nav_task.vln_sync_pool import VlnSyncPool
from qwen3vl_operator.nav_task.write_limiter import WriteLimiter

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 600.0
LOOK_SOON_SECONDS = 20.0
"""While a task is not accepted: what it waits for may have no event."""
FORBIDDEN = 403
GONE = 404
"""Deleted meanwhile. A conflict may be that too, or a write that lost a race: the next try tells."""


@dataclass(frozen=True)
class TaskReconciler:
    """Reconciles NavTasks by one store and one API.

    Attributes:
        suspect: told the namespace of a call that was forbidden.
        links: observations of the VLN APIs, and the book in which what is wanted is noted for them.
        now: the present time in RFC 3339, for transition times and for the end of a finished task.
    """

    kube: Kube
    store: Store
    links: VlnSyncPool
    now: Callable[[], str]
    suspect: Callable[[str], None]
    jitter: Callable[[], float] = field(default=lambda: 0.5)
    pace: WriteLimiter = field(default_factory=WriteLimiter)

    async def reconcile(self, key: Key) -> float | None:
        """Bring the task's status up to date; seconds until the next look, None when it is gone."""
        body = self.store.get(api.NAV_TASKS, key.namespace, key.name)
        if body is None or "deletionTimestamp" in body["metadata"]:
            self._gone(key)
            return None
        try:
            return await self._pass(key, body)
        except ApiError:
            raise
        except Exception as error:
            if not is_finished(body.get("status") or {}):
                words = f"the operator made a mistake ({type(error).__name__}); its log says more"
                await self._tell(key, body, failed_pass(body, words, now=self.now()), LOOK_SOON_SECONDS)
            raise

    async def _pass(self, key: Key, body: Object) -> float | None:
        if is_finished(body.get("status") or {}):
            return await self._after_end(key, body)
        try:
            task = parse_task(body)
        except ValidationError as error:
            self._note(key, body, Intent.STOP if text_at(body, "state") == "Stopped" else Intent.LEAVE)
            link = self.links.get(key.namespace, text_at(body, "modelRef", "name"))
            record = None if link is None else link.record(task_id(key.name, body["metadata"]["uid"]))
            wanted = invalid_task(body, readable(error), record=record, now=self.now())
            if is_finished(wanted):
                self._note(key, body, Intent.STOP)  # its robot is free
            return await self._tell(key, body, wanted, LOOK_AGAIN_SECONDS)
        model = self.store.get(api.VISION_MODELS, task.namespace, task.spec.model_ref.name)
        # No await up to the note: two tasks must not be given one robot.
        busy = self._holder(key, task, body) or self._holder_noted(key, task)
        self._note(key, body, _want(task, model, busy), task)
        seen = self._see(task, model, busy)
        wanted = task_status(task, seen, previous=body.get("status") or {}, now=self.now())
        if is_finished(wanted):
            self._note(key, body, Intent.STOP)  # its robot is free
        accepted = _condition(wanted, "Accepted")["status"] == "True"
        return await self._tell(key, body, wanted, self._later() if accepted else LOOK_SOON_SECONDS)

    def _later(self) -> float:
        return LOOK_AGAIN_SECONDS * (0.8 + 0.4 * self.jitter())

    def _gone(self, key: Key) -> None:
        entry = self.links.book.remove(key)
        self.pace.forget(key)
        if entry is not None:
            self._wake(key.namespace, entry.model)

    def _wake(self, namespace: str, model: str, *, is_new: bool = True) -> None:
        """Have the model's VLN API told of what is new; where neither is there, nobody will ever confirm a stop."""
        link = self.links.get(namespace, model)
        if link is None and self.store.get(api.VISION_MODELS, namespace, model) is None:
            self.links.book.forget_stops(namespace, model)
        elif link is not None and is_new:
            link.wake()

    def _note(self, key: Key, body: Object, want: Intent, task: NavTask | None = None) -> None:
        status, model = body.get("status") or {}, text_at(body, "modelRef", "name")
        resume = None
        if "startedAt" in status:
            done = (status.get("steps") or {}).get("done", 0)
            resume = Resume.bounded(status.get("elapsedSeconds", 0), done)
        # What was told to a VLN API may be there, whatever can be read of it; what has ended is not.
        session = "session" in status and not is_finished(status)
        entry = Entry(body["metadata"]["uid"], model, text_at(body, "robot"), want, task, resume, session)
        before = self.links.book.get(key)
        if before is not None and before.uid != entry.uid:
            self._gone(key)  # an object of that name that is no more, maybe of another model
        self._wake(key.namespace, model, is_new=self.links.book.put(key, entry))

    def _holder(self, key: Key, task: NavTask, body: Object) -> str | None:
        """The unfinished NavTask of the namespace that has the robot: an older one, or one that was given it already.

        A task that was given its robot keeps it: its robot cannot be changed.
        """
        if _condition(body.get("status") or {}, "Accepted").get("status") == "True":
            return None
        for other in sorted(self.store.find(indexes.ROBOT, (key.namespace, task.spec.robot)), key=_precedence):
            metadata, status = other["metadata"], other.get("status") or {}
            if metadata["uid"] == task.uid or is_finished(status) or "deletionTimestamp" in metadata:
                continue
            given = _condition(status, "Accepted").get("status") == "True"
            if given or _precedence(other) < task.precedence:
                return str(metadata["name"])
        return None

    def _holder_noted(self, key: Key, task: NavTask) -> str | None:
        holder = self.links.book.holder(key, task.spec.robot)
        mine = self.links.book.get(key)
        if holder is None or (mine is not None and mine.want is Intent.ASSERT):
            return None
        return holder.name

    def _see(self, task: NavTask, model: Object | None, busy: str | None) -> TaskSeen:
        link = self.links.get(task.namespace, task.spec.model_ref.name)
        if link is None:
            return TaskSeen(model, busy)
        name, generation = task.task_id, task.generation
        return TaskSeen(
            model,
            busy,
            link.state,
            link.record(name),
            link.refusal(name, generation),
            stopping=link.is_stopping(name),
            call_error=link.call_error(name, generation),
            unreadable=link.unreadable(name),
        )

    async def _after_end(self, key: Key, body: Object) -> float | None:
        """A finished task: nothing is asserted any more; what still runs under its name is stopped."""
        self._note(key, body, Intent.STOP)
        status, lifetime = body["status"], spec_of(body).get("ttlSecondsAfterFinished")
        again = self._later()
        if isinstance(lifetime, int) and "finishedAt" in status:
            age = _time(self.now()) - _time(status["finishedAt"])
            if age >= lifetime:
                await self.kube.delete(api.NAV_TASKS, key.namespace, key.name, body["metadata"]["uid"])
                log.info("deleted %s, %d s after its end", key, age)
                return None
            again = min(again, lifetime - age)
        return await self._tell(key, body, status_after_end(body, now=self.now()), again)

    async def _tell(self, key: Key, body: Object, wanted: Object, again: float) -> float:
        """Write the status if it says something new and it is its turn; seconds until the next look."""
        previous = body.get("status") or {}
        if previous == wanted:
            return again
        now = asyncio.get_running_loop().time()
        wait = self.pace.wait_seconds(key, now, urgent=urgent_fields(previous) != urgent_fields(wanted))
        if wait > 0:
            return wait
        # With the uid, nothing is written to another object of this name.
        metadata = {name: body["metadata"][name] for name in ("name", "namespace", "uid")}
        told = {"apiVersion": names.API_VERSION, "kind": names.NAV_TASK_KIND, "metadata": metadata, "status": wanted}
        try:
            written = await self.kube.apply_status(api.NAV_TASKS, told)
        except ApiError as error:
            if error.status == FORBIDDEN:
                self.suspect(key.namespace)
            if error.status != GONE:
                raise
        else:
            self.store.put(api.NAV_TASKS, written, live=True)
        return again


def _want(task: NavTask, model: Object | None, busy: str | None) -> Intent:
    if task.spec.state == "Stopped":
        return Intent.STOP
    navigation = spec_of(model or {}).get("navigation")
    return Intent.LEAVE if busy is not None or navigation is None else Intent.ASSERT


MODEL_TROUBLE = ("ModelSlow", "ModelFailed")
"""Reasons that people wait to hear while a robot still drives, or already stands."""


def urgent_fields(status: Object) -> Any:
    """What must be told at once: all but the figures of a walk."""
    conditions = [(one["type"], one["status"], one["reason"]) for one in status.get("conditions") or []]
    trouble = status.get("reason") if status.get("reason") in MODEL_TROUBLE else None
    return conditions, trouble, [status.get(name) for name in ("phase", "verdict", "observedGeneration", "session")]


def _condition(status: Object, kind: str) -> Object:
    return next((one for one in status.get("conditions") or [] if one["type"] == kind), {})


def _precedence(body: Object) -> tuple[str, str]:
    return body["metadata"].get("creationTimestamp", ""), body["metadata"]["uid"]


def _time(timestamp: str) -> float:
    return datetime.datetime.fromisoformat(timestamp).timestamp()
