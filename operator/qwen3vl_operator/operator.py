"""The operator: what runs in its process, and how the parts hear of one another. The only place where all are known."""

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from qwen3vl_common.keys import derive
from qwen3vl_operator import __version__, names
from qwen3vl_operator.indexes import INDEXES
from qwen3vl_operator.kopf_watch_log import WatchLog
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, HttpKube, Kube, connect
from qwen3vl_operator.kube.event_reader import EventReader
from qwen3vl_operator.kube.event_writer import EventWriter
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.namespaces import FULL_LIST_SECONDS, Namespace, Namespaces
from qwen3vl_operator.kube.queue import Queue
from qwen3vl_operator.kube.resources import Object, Resource, text_at
from qwen3vl_operator.kube.store import Change, Store
from qwen3vl_operator.kube.trim import trim
from qwen3vl_operator.metrics import Metrics
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks
from qwen3vl_operator.nav_task.reconcile import TaskReconciler
from qwen3vl_operator.nav_task.vln_sync_pool import VlnSyncPool
from qwen3vl_operator.routing import concerned, key_of
from qwen3vl_operator.secrets import internal, model_keys, robot_keys, user_keys
from qwen3vl_operator.secrets.internal import InternalSecret, InternalSecretError, internal_key
from qwen3vl_operator.secrets.keeper import Keeper, keys_of
from qwen3vl_operator.secrets.user_keys import UserKeys, user_keys_key
from qwen3vl_operator.serving import serve
from qwen3vl_operator.vision_model.desired import Settings
from qwen3vl_operator.vision_model.reconcile import LOOK_AGAIN_SECONDS, Reconciler
from qwen3vl_operator.vision_model.rollouts import Rollouts

log = logging.getLogger(__name__)

WORKERS = 8
RESERVED_WORKERS = 4
"""Workers that no namespace takes alone: passes that hang in one leave some for another that has something later."""
TICK_SECONDS = 5.0
"""Next looks that are far off come together at whole multiples of this."""
VLN_URL = "http://{model}-vln.{namespace}"
STALLED_SECONDS = 180.0
"""No pass has ended for so long although keys are due: the process hangs, and the probe says so."""
CRD_SECONDS = 10.0
"""How often a missing CustomResourceDefinition is asked for again."""
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0
INTERNAL_SECRET_SECONDS = 10.0
"""How long everything waits for the internal secret at the start; later the models say what is missing."""

Watch = Callable[[Callable[[Resource, str | None, Object], None], list[str]], Awaitable[None]]


@dataclass(frozen=True)
class Options:
    """What the chart configures; docs/development.md names the variables.

    Attributes:
        user_keys_secret: the Secret of the gateway's users in the release namespace; empty: somebody else keeps it.
        vln_url: where the VLN APIs are, with {model} and {namespace} in it.
        look_again_seconds: mean time between two looks at a model at rest.
    """

    namespaces: tuple[str, ...]
    release_namespace: str
    settings: Settings
    user_keys_secret: str = ""
    max_concurrent_upgrades: int = 1
    vln_url: str = VLN_URL
    look_again_seconds: float = LOOK_AGAIN_SECONDS
    full_list_seconds: float = FULL_LIST_SECONDS
    health_port: int = 8080
    metrics_port: int = 9090


@dataclass
class Operator:
    """See the module.

    Attributes:
        now: the present time in RFC 3339.
        watch: watches namespaces for ever, and says each event.
    """

    options: Options
    now: Callable[[], str]
    watch: Watch
    waiting_for: str | None = "the apiserver"
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(INDEXES, trim, self._answered)
        self.queue: Queue[Key] = Queue(
            group=lambda key: key.namespace,
            reserve=RESERVED_WORKERS,
            tick=TICK_SECONDS,
            on_pass=lambda *passed: self.metrics.pass_ended(*passed),
        )
        self.namespaces = Namespaces({})
        self.metrics = Metrics(
            version=__version__,
            queue=self.queue,
            namespaces=self.namespaces.healthy,
            models=lambda: self.store.all(api.VISION_MODELS),
            tasks=lambda: self.store.all(api.NAV_TASKS),
        )
        self.pool = VlnSyncPool(
            DesiredTasks(),
            address=lambda namespace, model: self.options.vln_url.format(namespace=namespace, model=model),
            key=self._vln_key,
            notify=self.queue.add,
        )
        self.rollouts = Rollouts(self.options.max_concurrent_upgrades)

    async def run(self) -> None:
        """Run until cancelled.

        Raises:
            Exception: a watch broke for good, or a part ended by a mistake of ours: the process is to begin anew.
        """
        options = self.options
        watches = WatchLog(self.metrics.watch_restarted, on_again=self.namespaces.list_again)
        watches.install()
        async with (
            serve(
                options.health_port,
                options.metrics_port,
                figures=self.figures,
                live=self.why_not_live,
                ready=self.why_not_ready,
                metrics=self.metrics.scrape,
            ),
            connect(self.metrics.call_ended) as kube,
        ):
            await self._wait_for_api(kube)
            self._build(kube)
            try:
                await self._first_internal_secret()
                watching = self._start(options.namespaces)
                self.waiting_for = None
                await self._until_one_ends(watching)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                await self.pool.close()

    # Its parts

    def _build(self, kube: Kube) -> None:
        options = self.options
        for name in options.namespaces:
            seconds = options.full_list_seconds
            place = Namespace(name, kube, self.store, self._listed, lost=self._lost, full_list_seconds=seconds)
            self.namespaces.by_name[name] = place
        # A field manager of this process alone.
        manager = f"{names.FIELD_MANAGER}-{os.environ.get('POD_ID') or secrets.token_hex(4)}"
        self.internal = InternalSecret(kube, options.release_namespace, manager)
        self.keeper = Keeper(kube, self.store, self.internal, self.namespaces.lists, self.queue.add)
        self.reader: EventReader[Key] = EventReader(kube, notify=self.queue.add)
        models = self.models = Reconciler(
            kube,
            self.store,
            settings=lambda: replace(
                options.settings,
                internal_secret=self.internal.value or b"",
                internal_secret_problem=self.internal.problem,
            ),
            namespaces=self.namespaces,
            keeper=self.keeper,
            rollouts=self.rollouts,
            reader=self.reader,
            writer=EventWriter(kube, now=self.now),
            now=self.now,
            vln_apis=self.pool,
            notify=self.queue.add,
            jitter=_jitter,
            look_again_seconds=options.look_again_seconds,
        )
        tasks = TaskReconciler(kube, self.store, self.pool, self.now, self.namespaces.suspect, jitter=_jitter)
        self._handlers: dict[str, Callable[[Key], Awaitable[float | None]]] = {
            names.KIND: self._served(models.reconcile, api.VISION_MODELS),
            names.NAV_TASK_KIND: self._served(tasks.reconcile, api.NAV_TASKS),
            model_keys.KIND: self._served(self.keeper.reconcile),
            robot_keys.KIND: self._served(self.keeper.reconcile),
            internal.KIND: self._steadily(self._internal_secret),
            user_keys.KIND: self._steadily(UserKeys(kube, self.internal).reconcile),
        }

    def _served(
        self, handle: Callable[[Key], Awaitable[float | None]], kind: Resource | None = None
    ) -> Callable[[Key], Awaitable[float | None]]:
        """Leaves keys of a namespace that cannot be served now: all of them come again when it can.

        Args:
            kind: what the keys are of; the end of an object is noted wherever it was.
        """

        async def guarded(key: Key) -> float | None:
            is_gone = kind is not None and self.store.get(kind, key.namespace, key.name) is None
            if is_gone or self.namespaces.is_served(key.namespace):
                return await handle(key)
            if kind is api.VISION_MODELS:
                self.models.leave(key)
            return None

        return guarded

    def _lost(self, namespace: str, is_refused: bool) -> None:
        """The namespace cannot be read any more."""
        for model in self.store.all(api.VISION_MODELS, namespace):
            self.models.leave(key_of(model))
        if is_refused:
            self.keeper.forget(namespace)

    def _steadily(self, handle: Callable[[Key], Awaitable[float | None]]) -> Callable[[Key], Awaitable[float | None]]:
        """Reads a Secret that nobody asks for no more seldom because it failed often: it may be restored any time."""

        async def steady(key: Key) -> float | None:
            self.queue.add(key, internal.READ_AGAIN_SECONDS)
            return await handle(key)

        return steady

    def _start(self, namespaces: tuple[str, ...]) -> asyncio.Task[None]:
        async def handle(key: Key) -> float | None:
            return await self._handlers[key.kind](key)

        release = self.options.release_namespace
        self.queue.add(internal_key(release))
        if self.options.user_keys_secret:
            self.queue.add(user_keys_key(release, self.options.user_keys_secret))
        parts = [
            *(self.queue.work(handle) for _ in range(WORKERS)),
            *(one.run() for one in self.namespaces.by_name.values()),
            self.reader.run(),
        ]
        for name in self.namespaces.by_name:
            self.rollouts.expect(_place(name), asyncio.get_running_loop().time())
        self._tasks = [asyncio.create_task(part) for part in parts]
        watching = asyncio.create_task(self._watch(namespaces))
        self._tasks.append(watching)
        return watching

    async def _watch(self, namespaces: tuple[str, ...]) -> None:
        await self.watch(self._seen, list(namespaces))

    async def _until_one_ends(self, watching: asyncio.Task[None]) -> None:
        """Until the watch ends, as it does when the pod is told to stop."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if watching not in done:
            raise RuntimeError("a part of the operator ended")

    # How it begins

    async def _wait_for_api(self, kube: HttpKube) -> None:
        """Wait until the apiserver answers and has our kinds, however long that takes."""
        failures = 0
        while True:
            try:
                missing = [one for one in (api.VISION_MODELS, api.NAV_TASKS) if not await kube.serves(one)]
            except ApiError as error:
                delay = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2**failures)
                failures = min(failures + 1, 10)
                self._wait_for(f"the apiserver: {error}")
                await asyncio.sleep(delay)
                continue
            if not missing:
                return
            listed = ", ".join(f"{one.plural}.{names.GROUP}" for one in missing)
            self._wait_for(
                f"the CustomResourceDefinition {listed}, which is not installed: kubectl apply -f crds/, or "
                "install the chart with its CRDs"
            )
            await asyncio.sleep(CRD_SECONDS)

    def _wait_for(self, what: str) -> None:
        if what != self.waiting_for:
            log.warning("waiting for %s", what)
        self.waiting_for = what

    async def _first_internal_secret(self) -> None:
        """The internal secret is needed by all: it is read before anything else, but nobody waits for it for ever."""
        self.waiting_for = f"Secret {names.INTERNAL_SECRET}"
        until = asyncio.get_running_loop().time() + INTERNAL_SECRET_SECONDS
        while self.internal.value is None and asyncio.get_running_loop().time() < until:
            try:
                await self.internal.reconcile(internal_key(self.options.release_namespace))
            except (ApiError, InternalSecretError) as error:
                self._wait_for(f"Secret {self.options.release_namespace}/{names.INTERNAL_SECRET}: {error}")
                await asyncio.sleep(FIRST_RETRY_SECONDS)

    # What comes in

    def _seen(self, resource: Resource, type_: str | None, thing: Object) -> None:
        thing = {"apiVersion": resource.api_version, "kind": resource.kind, **thing}
        change = self.store.remove(resource, thing) if type_ == "DELETED" else self.store.put(resource, thing)
        if change is not None:
            self._changed(change)

    def _answered(self, change: Change) -> None:
        """The answer to a write of ours. A pass that wrote a status goes on: its own object needs another one only
        where somebody changed the spec meanwhile, of which the answer tells before the watch does."""
        thing = change.new
        if thing is None or change.resource not in (api.VISION_MODELS, api.NAV_TASKS):
            return
        self._changed(change, but=key_of(thing) if _generation(change.old) == _generation(thing) else None)

    def _changed(self, change: Change, *, but: Key | None = None) -> None:
        if change.resource is api.NAV_TASKS:
            self._stop_at_once(change)
        for key in concerned(change, self.store):
            if key != but:
                self.queue.add(key)

    def _stop_at_once(self, change: Change) -> None:
        """A NavTask that is to stop, or is gone, waits for no queue."""
        thing = change.new or change.old
        if thing is None:
            return
        stopped = text_at(thing, "state") == "Stopped"
        if stopped or change.new is None or "deletionTimestamp" in thing["metadata"]:
            self.pool.stop(key_of(thing))

    def _listed(self, namespace: str, changes: list[Change], first: bool) -> None:
        for change in changes:
            self._changed(change)
        if not first:
            return
        now = asyncio.get_running_loop().time()
        for key in keys_of(namespace):
            self.queue.add(key)
        for model in self.store.all(api.VISION_MODELS, namespace):
            self.rollouts.expect(key_of(model), now)
            self.queue.add(key_of(model))
        for task in self.store.all(api.NAV_TASKS, namespace):
            self.queue.add(key_of(task))
        if self.rollouts.looked_at(_place(namespace)):
            for key in self.rollouts.next():
                self.queue.add(key)

    async def _internal_secret(self, key: Key) -> float:
        before = self.internal.value
        again = await self.internal.reconcile(key)
        if self.internal.value != before:
            # Every key is another one now.
            for namespace in self.options.namespaces:
                for secret in keys_of(namespace):
                    self.queue.add(secret)
                for model in self.store.all(api.VISION_MODELS, namespace):
                    self.pool.end(namespace, model["metadata"]["name"])
                    self.rollouts.expect(key_of(model), asyncio.get_running_loop().time())
                    self.queue.add(key_of(model))
            if self.options.user_keys_secret:
                self.queue.add(user_keys_key(self.options.release_namespace, self.options.user_keys_secret))
        return again

    def _vln_key(self, namespace: str, model: str) -> str:
        return derive(self.internal.value or b"", model_keys.OPERATOR_TO_VLN, namespace, model)

    # What is told

    def why_not_live(self) -> str | None:
        """None while passes end, or none is due."""
        ended = self.queue.workers_ended or any(task.done() for task in self._tasks)
        if ended or self.pool.ended:
            return "a part of the operator ended"
        if self.queue.stalled_seconds > STALLED_SECONDS:
            return f"no pass has ended for {self.queue.stalled_seconds:.0f} s although keys are due"
        return None

    def figures(self) -> dict[str, float]:
        """A few numbers for whoever looks."""
        queue = self.queue
        return {"depth": queue.depth, "oldest_seconds": queue.oldest_seconds, "failing": queue.failing}

    def why_not_ready(self) -> str | None:
        """None once one namespace is listed."""
        if self.waiting_for is not None:
            return f"waiting for {self.waiting_for}"
        return None if self.namespaces.any_listed else self.namespaces.waiting()


def _place(namespace: str) -> Key:
    """A namespace among those that a rollout waits for."""
    return Key(namespace, "", "Namespace")


def _generation(thing: Object | None) -> Any:
    return None if thing is None else thing["metadata"].get("generation")


def _jitter() -> float:
    return secrets.randbelow(1_000_001) / 1_000_000
