"""kopf as an informer, nothing more: every event puts a key on the queue. No state, no finalizers, no annotations."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import kopf

from qwen3vl_common.keys import derive
from qwen3vl_operator import internal_secret, names
from qwen3vl_operator.kube import client as api
from qwen3vl_operator.kube.client import ApiError, HttpKube, connect
from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.kube.queue import Queue
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks
from qwen3vl_operator.nav_task.reconcile import TaskReconciler
from qwen3vl_operator.nav_task.status import is_finished
from qwen3vl_operator.nav_task.vln_sync_pool import VlnSyncPool
from qwen3vl_operator.vision_model.desired import Settings
from qwen3vl_operator.vision_model.reconcile import Reconciler

log = logging.getLogger(__name__)

WORKERS = 8
VLN_URL = "http://{model}-vln.{namespace}"
STUCK_SECONDS = 120.0
"""A key that nobody took for so long means that the workers are dead or hang: the probe fails, the pod restarts."""
SECONDARY = (*api.CHILDREN, api.PODS, api.SLICES)


class StartupError(Exception):
    """The operator cannot work; the message says what is missing."""


class _Claim(NamedTuple):
    """What a NavTask has of others: a model, and a robot until it is finished."""

    model: str
    robot: str
    finished: bool


async def _check_listed(kube: HttpKube, resource: api.Resource, namespace: str) -> None:
    try:
        await kube.list(resource, namespace)
    except ApiError as error:
        if error.status == 404:
            missing = f"the CustomResourceDefinition {resource.plural}.{names.GROUP} is not installed"
            raise StartupError(f"{missing}: kubectl apply -f crds/, or install the chart with its CRDs") from None
        if error.status == 403:
            raise StartupError(f"no right to list {resource.kind}s in namespace {namespace}: {error}") from None
        raise


def _selector(resource: api.Resource) -> tuple[str, str, str]:
    group, _, version = resource.api_version.rpartition("/")
    return group, version, resource.plural


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    """The pod's service account, else the kubeconfig."""
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


@dataclass
class Operator:
    """The queue, its workers, and the handlers that feed it."""

    namespaces: tuple[str, ...]
    release_namespace: str
    server_image: str
    server_image_pull_policy: str
    vln_image: str
    vln_image_pull_policy: str
    gateway_url: str
    owner_deployment: str | None
    now: Callable[[], str]
    queue: Queue[Key] = field(default_factory=Queue)
    fatal: str | None = None
    vln_url: str = VLN_URL
    links: VlnSyncPool | None = None
    _served_names: dict[Key, str] = field(default_factory=dict)
    _claims: dict[Key, _Claim] = field(default_factory=dict)
    _workers: list[asyncio.Task[None]] = field(default_factory=list)
    _resources: AsyncExitStack = field(default_factory=AsyncExitStack)

    def registry(self) -> kopf.OperatorRegistry:
        """kopf's handlers, all of them, in a registry of their own."""
        registry = kopf.OperatorRegistry()
        kopf.on.startup(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(self._start)
        kopf.on.cleanup(registry=registry)(self._stop)
        kopf.on.login(registry=registry)(_login)
        kopf.on.probe(registry=registry, id="workers", errors=kopf.ErrorsMode.PERMANENT)(self.check_workers)
        kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)(self._model_changed)
        kopf.on.event(*_selector(api.NAV_TASKS), registry=registry)(self._task_changed)
        for resource in SECONDARY:
            kopf.on.event(*_selector(resource), registry=registry)(self._child_changed)
        return registry

    async def _start(self, settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.scanning.disabled = True
        settings.peering.standalone = True
        settings.posting.enabled = False
        settings.networking.request_timeout = 30
        settings.networking.connect_timeout = 10
        for resource in SECONDARY:
            # EndpointSlices are managed by Kubernetes' own controller: known by the label that the Service gave them.
            ours = names.MODEL if resource is api.SLICES else f"{names.MANAGED_BY}={names.FIELD_MANAGER}"
            settings.watching.label_selectors[_selector(resource)] = ours
        try:
            kube = await self._resources.enter_async_context(connect())
            await self._check_api(kube)
            secret = await internal_secret.ensure(kube, self.release_namespace, self.owner_deployment)
        except (StartupError, internal_secret.InternalSecretError, ApiError) as error:
            self.fatal = str(error)
            raise kopf.PermanentError(self.fatal) from None  # kopf logs this kind without a traceback
        installation = Settings(
            internal_secret=secret,
            server_image=self.server_image,
            server_image_pull_policy=self.server_image_pull_policy,
            vln_image=self.vln_image,
            vln_image_pull_policy=self.vln_image_pull_policy,
            gateway_url=self.gateway_url,
        )
        self.links = VlnSyncPool(
            DesiredTasks(),
            address=lambda namespace, model: self.vln_url.format(namespace=namespace, model=model),
            key=lambda namespace, model: derive(secret, "operator-to-vln", namespace, model),
            notify=self.queue.add,
        )
        models = Reconciler(kube, installation, self.namespaces, self.now, self.links)
        tasks = TaskReconciler(kube, self.links, self.now)
        handlers = {names.KIND: models.reconcile, names.NAV_TASK_KIND: tasks.reconcile}

        async def handle(key: Key) -> float | None:
            return await handlers[key.kind](key)

        self._workers = [asyncio.create_task(self.queue.work(handle)) for _ in range(WORKERS)]

    async def _check_api(self, kube: HttpKube) -> None:
        """kopf stays alive and blind when a resource is not there: so it is asked for first."""
        for namespace in self.namespaces:
            for resource in (api.VISION_MODELS, api.NAV_TASKS):
                await _check_listed(kube, resource, namespace)

    async def _stop(self, **_: Any) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self.links is not None:
            await self.links.close()
        await self._resources.aclose()

    async def check_workers(self, **_: Any) -> dict[str, float]:
        """Liveness: raises when a worker has ended or a key has waited too long."""
        dead = sum(worker.done() for worker in self._workers) + len(self.links.ended if self.links else ())
        if dead or self.queue.oldest_seconds > STUCK_SECONDS:
            raise kopf.PermanentError(
                f"{dead} workers ended; the oldest key waits for {self.queue.oldest_seconds:.0f} s"
            )
        return {"depth": self.queue.depth, "oldest_seconds": self.queue.oldest_seconds, "failing": self.queue.failing}

    async def _model_changed(self, event: Any, body: kopf.Body, **_: Any) -> None:
        metadata = body["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        name = (body.get("spec") or {}).get("servedName") or key.name
        touched = {name, self._served_names.get(key, name)}
        if event["type"] == "DELETED":
            self._served_names.pop(key, None)
        else:
            self._served_names[key] = name
        self.queue.add(key)
        for task, claim in self._claims.items():
            if claim.model == key.name and task.namespace == key.namespace and not claim.finished:
                self.queue.add(task)
        # A name that came free or was taken concerns the others that want it.
        if event["type"] == "DELETED" or event["type"] is None or len(touched) > 1:
            for other, others_name in self._served_names.items():
                if other != key and others_name in touched:
                    self.queue.add(other)

    async def _task_changed(self, event: Any, body: kopf.Body, **_: Any) -> None:
        metadata, spec = body["metadata"], body.get("spec") or {}
        key = task_key(metadata["namespace"], metadata["name"])
        model, robot = (spec.get("modelRef") or {}).get("name", ""), spec.get("robot", "")
        claim = _Claim(model, robot, is_finished(body.get("status") or {}))
        before = self._claims.pop(key, None)
        if event["type"] != "DELETED":
            self._claims[key] = claim
        self.queue.add(key)
        # A robot that came free concerns the others that want it.
        if event["type"] == "DELETED" or (claim.finished and (before is None or not before.finished)):
            for other, others in self._claims.items():
                if other != key and (other.namespace, others.robot) == (key.namespace, robot) and not others.finished:
                    self.queue.add(other)

    async def _child_changed(self, body: kopf.Body, **_: Any) -> None:
        metadata = body["metadata"]
        owners = [owner["name"] for owner in metadata.get("ownerReferences") or [] if owner["kind"] == names.KIND]
        # Both: the label may be what somebody changed, and a retained volume claim has no owner.
        for model in {*owners, (metadata.get("labels") or {}).get(names.MODEL, "")} - {""}:
            self.queue.add(Key(metadata["namespace"], model))
