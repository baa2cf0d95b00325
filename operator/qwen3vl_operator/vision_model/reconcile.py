"""One level-triggered pass over one VisionModel, the only place that orders effects: read, apply, prune, tell."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError

from qwen3vl_operator import names
from qwen3vl_operator.kube import client as api
from qwen3vl_operator.kube.client import ApiError, Kube, Object, Resource
from qwen3vl_operator.kube.compare import foreign_entries, is_up_to_date
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.readable import readable
from qwen3vl_operator.vision_model.desired import Settings, desired
from qwen3vl_operator.vision_model.observed import Note, Observed, Outcome, Result
from qwen3vl_operator.vision_model.spec import VisionModel, parse
from qwen3vl_operator.vision_model.status import invalid, status

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 600.0
"""A watch may miss a deletion: every model is looked at again, even when nothing seems to happen."""
LOOK_SOON_SECONDS = 20.0
"""While something is wrong that no watched object tells: events of a rejected pod, a foreign object in the way."""
REFUSED = (400, 403, 422)
"""What trying again alone will not mend: the status says it."""
BAD_OBJECT = "failed to create typed patch object"
"""The apiserver's words, with status 500, for a field that its schema does not have."""
INVALID = 422

_RESOURCES = {resource.kind: resource for resource in api.CHILDREN}


class VlnApis(Protocol):
    """Whoever speaks to the models' VLN APIs; not here."""

    def serve(self, namespace: str, model: str) -> None:
        """The model has a VLN API."""

    def end(self, namespace: str, model: str) -> None:
        """It has none any more."""


@dataclass(frozen=True)
class Reconciler:
    """Reconciles models of some namespaces by one API.

    Attributes:
        namespaces: where VisionModels are served; a served name is unique over all of them.
        now: the present time in RFC 3339, for transition times.
        vln_apis: told which models have a VLN API.
        jitter: 0 to 1, spreads the periodic looks.
    """

    kube: Kube
    settings: Settings
    namespaces: tuple[str, ...]
    now: Callable[[], str]
    vln_apis: VlnApis
    jitter: Callable[[], float] = field(default=lambda: 0.5)

    async def reconcile(self, key: Key) -> float | None:
        """Bring the cluster closer to what the model wants; seconds until the next look, None when it is gone."""
        body = await self.kube.get(api.VISION_MODELS, key.namespace, key.name)
        if body is None or "deletionTimestamp" in body["metadata"]:
            self.vln_apis.end(*key[:2])
            return None
        try:
            model = parse(body)
        except ValidationError as error:
            await self._tell(body, invalid(body, readable(error), now=self.now()))
            return self._later()
        navigation = model.spec.navigation
        follow = self.vln_apis.end if navigation is None or navigation.replicas == 0 else self.vln_apis.serve
        follow(model.namespace, model.name)
        name_owner = await self._name_owner(model)
        wanted = desired(model, self.settings, owns_served_name=name_owner is None)
        results = await self._converge(model, wanted)
        seen = await self._observe(model, results=results, name_owner=name_owner)
        previous = body.get("status") or {}
        url = self.settings.gateway_url
        await self._tell(body, status(model, seen, gateway_url=url, previous=previous, now=self.now()))
        pods_missing = len(seen.pods) < model.spec.replicas
        return LOOK_SOON_SECONDS if results or pods_missing else self._later()

    def _later(self) -> float:
        return LOOK_AGAIN_SECONDS * (0.8 + 0.4 * self.jitter())

    async def _name_owner(self, model: VisionModel) -> str | None:
        """The oldest other model with the same served name, when it is older than this one."""
        rivals = []
        for namespace in self.namespaces:
            for body in await self.kube.list(api.VISION_MODELS, namespace):
                if (body.get("spec") or {}).get("servedName", body["metadata"]["name"]) != model.served_name:
                    continue
                try:
                    other = parse(body)
                except ValidationError:
                    continue
                if other.precedence < model.precedence:
                    rivals.append(other)
        if not rivals:
            return None
        oldest = min(rivals, key=lambda other: other.precedence)
        return oldest.name if oldest.namespace == model.namespace else f"{oldest.namespace}/{oldest.name}"

    async def _converge(self, model: VisionModel, wanted: list[Object]) -> tuple[Result, ...]:
        """Apply what differs and prune what is not wanted; objects in the way, and refusals of the apiserver."""
        live = [await self.kube.get(_resource(thing), model.namespace, thing["metadata"]["name"]) for thing in wanted]
        taken = [_title(old) for old in live if old is not None and not is_ours(model, old)]
        if taken:
            return tuple(Result(title, Outcome.TAKEN) for title in taken)
        refused = []
        for thing, old in zip(wanted, live, strict=True):
            if old is not None and is_up_to_date(thing, old):
                continue
            try:
                await self._apply(thing, old)
            except ApiError as error:
                if error.status not in REFUSED and BAD_OBJECT not in str(error):
                    raise
                refused.append(Result(_title(thing), Outcome.REFUSED, error.status, str(error)))
            else:
                log.info("applied %s in %s", _title(thing), model.namespace)
        await self._prune(model, {(thing["kind"], thing["metadata"]["name"]) for thing in wanted})
        return tuple(refused)

    async def _apply(self, thing: Object, old: Object | None) -> None:
        """Apply, and once more without what somebody put into our lists when that is in the way."""
        resource = _resource(thing)
        try:
            await self.kube.apply(resource, thing)
        except ApiError as error:
            added = foreign_entries(thing, old) if old is not None and error.status == INVALID else []
            if not added:
                raise
            await self.kube.remove(resource, thing["metadata"]["namespace"], thing["metadata"]["name"], added)
            await self.kube.apply(resource, thing)

    async def _prune(self, model: VisionModel, keep: set[tuple[str, str]]) -> None:
        for resource in api.CHILDREN:
            if resource is api.CLAIMS:
                continue  # data is never pruned
            for thing in await self.kube.list(resource, model.namespace, labels=f"{names.MODEL_UID}={model.uid}"):
                metadata = thing["metadata"]
                if (resource.kind, metadata["name"]) not in keep and is_owned(model, thing):
                    await self.kube.delete(resource, model.namespace, metadata["name"], metadata["uid"])
                    log.info("deleted %s in %s", _title(thing), model.namespace)

    async def _observe(self, model: VisionModel, *, results: tuple[Result, ...], name_owner: str | None) -> Observed:
        child = names.child(model.name, "engine")
        stateful_set = await self.kube.get(api.STATEFUL_SETS, model.namespace, child)
        if stateful_set is not None and not is_ours(model, stateful_set):
            stateful_set = None
        selector = f"{names.MODEL_UID}={model.uid}"
        found = await self.kube.list(api.PODS, model.namespace, labels=selector)
        pods, vln_pods = (_of_component(found, component) for component in ("engine", "vln"))
        vln = None
        if model.spec.navigation is not None:
            vln = await self.kube.get(api.DEPLOYMENTS, model.namespace, names.child(model.name, "vln"))
        slices = await self.kube.list(api.SLICES, model.namespace, labels=f"kubernetes.io/service-name={child}")
        notes: dict[str, tuple[Note, ...]] = {}
        if stateful_set is not None and len(pods) < model.spec.replicas:
            fields = f"involvedObject.uid={stateful_set['metadata']['uid']},reason=FailedCreate"
            events = await self.kube.list(api.EVENTS, model.namespace, fields=fields)
            events.sort(key=lambda event: event.get("lastTimestamp") or "")
            told = [Note("FailedCreate", str(event.get("message", ""))) for event in events]
            notes = {f"StatefulSet {child}": tuple(told)}
        mine = [piece for piece in slices if (piece["metadata"].get("labels") or {}).get(names.MODEL) == model.name]
        return Observed(stateful_set, pods, mine, vln, vln_pods, results, notes, name_owner)

    async def _tell(self, body: Object, wanted: Object) -> None:
        """Write the status if it says something new."""
        if body.get("status") == wanted:
            return
        metadata = {"name": body["metadata"]["name"], "namespace": body["metadata"]["namespace"]}
        status_body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "status": wanted}
        try:
            await self.kube.apply_status(api.VISION_MODELS, status_body)
        except ApiError as error:
            if error.status != 404:  # deleted meanwhile
                raise


def _of_component(pods: list[Object], component: str) -> list[Object]:
    return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(names.COMPONENT) == component]


def is_owned(model: VisionModel, thing: Object) -> bool:
    """Whether the object names this model as an owner."""
    return any(owner["uid"] == model.uid for owner in thing["metadata"].get("ownerReferences") or [])


def is_ours(model: VisionModel, thing: Object) -> bool:
    """Whether an object of a name that we need may be applied to.

    One without an owner is known by its labels: somebody took the owner away, or it is a retained cache. That one is of
    any model of this name, so that a model made again finds its cache again.
    """
    if thing["metadata"].get("ownerReferences"):
        return is_owned(model, thing)
    labels: dict[str, Any] = thing["metadata"].get("labels") or {}
    retained = thing.get("kind") == api.CLAIMS.kind and labels.get(names.MANAGED_BY) == names.FIELD_MANAGER
    return labels.get(names.MODEL_UID) == model.uid or (retained and labels.get(names.MODEL) == model.name)


def _resource(thing: Object) -> Resource:
    return _RESOURCES[thing["kind"]]


def _title(thing: Object) -> str:
    return f"{thing['kind']} {thing['metadata']['name']}"
