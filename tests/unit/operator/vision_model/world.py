"""One model, a dictionary of objects as its apiserver, and everything that a pass over it needs."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube

from qwen3vl_operator.indexes import INDEXES
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError
from qwen3vl_operator.kube.event_reader import EventReader
from qwen3vl_operator.kube.event_writer import EventWriter
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import Object, Resource
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.kube.trim import trim
from qwen3vl_operator.secrets.internal import InternalSecret
from qwen3vl_operator.secrets.keeper import Keeper, keys_of
from qwen3vl_operator.vision_model.reconcile import Reconciler
from qwen3vl_operator.vision_model.rollouts import Rollouts

KEY = Key("robots", "m")


@dataclass
class NoLinks:
    """Remembers which models were said to have a VLN API."""

    served: set[tuple[str, str]] = field(default_factory=set)

    def serve(self, namespace: str, model: str) -> None:
        self.served.add((namespace, model))

    def end(self, namespace: str, model: str) -> None:
        self.served.discard((namespace, model))


@dataclass
class Places:
    """Namespaces as a test wants them."""

    unread: tuple[str, ...] = ()
    pending: bool = False
    suspected: list[str] = field(default_factory=list)

    def unlisted(self) -> tuple[str, ...]:
        return self.unread

    def are_pending(self) -> bool:
        return self.pending

    def suspect(self, namespace: str) -> None:
        self.suspected.append(namespace)


class World:
    """See the module. `look` is a pass as it follows a watch event: the store knows what the apiserver has."""

    def __init__(self, *models: Object, kube: FakeKube | None = None) -> None:
        self.kube, self.store = FakeKube() if kube is None else kube, Store(INDEXES, trim)
        self.links, self.places = NoLinks(), Places()
        for model in models:
            self.kube.put(api.VISION_MODELS, model)
        self.settings, self.time = samples.SETTINGS, samples.NOW
        self.notified: list[Key] = []
        self.internal = InternalSecret(self.kube, "serving", "manager")
        self.internal.value = samples.INTERNAL_SECRET
        self.keeper = Keeper(self.kube, self.store, self.internal, lambda _: 1, lambda _, __: None)
        self.rollouts = Rollouts()
        self.reader: EventReader[Key] = EventReader(self.kube, notify=lambda _: None)
        self.reconciler = Reconciler(
            self.kube,
            self.store,
            settings=lambda: self.settings,
            namespaces=self.places,
            keeper=self.keeper,
            rollouts=self.rollouts,
            reader=self.reader,
            writer=EventWriter(self.kube, now=lambda: self.time),
            now=lambda: self.time,
            vln_apis=self.links,
            notify=self.notified.append,
        )

    async def passes(self, key: Key = KEY) -> float | None:
        self.kube.fill(self.store)
        return await self.reconciler.reconcile(key)

    def look(self, key: Key = KEY) -> float | None:
        """One pass over the model."""
        return asyncio.run(self.passes(key))

    def keys(self) -> None:
        """A pass over each Secret."""

        async def whole() -> None:
            self.kube.fill(self.store)
            for key in keys_of("robots"):
                await self.keeper.reconcile(key)

        asyncio.run(whole())

    def settle(self, key: Key = KEY) -> None:
        """Passes until nothing is left to do."""
        self.keys()
        self.look(key)
        self.look(key)

    def live(self, resource: Resource, name: str) -> Object:
        return self.kube.objects[resource.plural, "robots", name]

    def has(self, resource: Resource, name: str) -> bool:
        return (resource.plural, "robots", name) in self.kube.objects

    def edit(self, name: str = "m", **spec: Any) -> None:
        """Change a model's spec as a user does."""
        model = self.live(api.VISION_MODELS, name)
        model["spec"] = {key: value for key, value in (model["spec"] | spec).items() if value is not None}
        model["metadata"]["generation"] += 1
        self.touch(api.VISION_MODELS, name)

    def upgrade(self) -> None:
        """Another version of the operator, with other default images: it has looked at no model yet."""
        for model in self.store.all(api.VISION_MODELS):
            self.rollouts.expect(Key("robots", model["metadata"]["name"]), time.monotonic())
        self.settings = replace(self.settings, server_image="registry.example/qwen3vl/server:2", vln_image="r/vln:2")

    def use_key(self, internal: bytes) -> None:
        """Another internal secret: every key is another one."""
        self.internal.value, self.settings = internal, replace(self.settings, internal_secret=internal)

    def condition(self, kind: str, name: str = "m") -> Object:
        conditions = self.live(api.VISION_MODELS, name)["status"]["conditions"]
        return next(one for one in conditions if one["type"] == kind)

    def says(self, kind: str, name: str = "m") -> tuple[str, str]:
        found = self.condition(kind, name)
        return found["status"], found["reason"]

    def make_ready(self, name: str = "m") -> None:
        """What the StatefulSet's controller and the kubelet do."""
        model = self.live(api.VISION_MODELS, name)
        engine = self.live(api.STATEFUL_SETS, f"{name}-engine")
        replicas = engine["spec"]["replicas"]
        revision = str(hash(str(engine["spec"]["template"])))
        engine["status"] = {
            "replicas": replicas,
            "observedGeneration": engine["metadata"].get("generation", 1),
            "updateRevision": revision,
        }
        labels = {"qwen3vl.io/model-uid": model["metadata"]["uid"], "app.kubernetes.io/component": "engine"}
        labels |= {"app.kubernetes.io/managed-by": "qwen3vl-operator", "controller-revision-hash": revision}
        for number in range(replicas):
            metadata = {"name": f"{name}-engine-{number}", "namespace": "robots", "labels": labels}
            ready = {"conditions": [{"type": "Ready", "status": "True"}]}
            spec = {"nodeName": "n", "containers": []}
            self.kube.put(api.PODS, {"kind": "Pod", "metadata": metadata, "spec": spec, "status": ready})
        self.touch(api.STATEFUL_SETS, f"{name}-engine")
        slice_labels = {"kubernetes.io/service-name": f"{name}-engine", "qwen3vl.io/model": name}
        endpoints = [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}] * replicas
        metadata = {"name": f"{name}-engine-x", "namespace": "robots", "labels": slice_labels}
        self.kube.put(api.SLICES, {"kind": "EndpointSlice", "metadata": metadata, "endpoints": endpoints})

    def touch(self, resource: Resource, name: str) -> None:
        """The object was changed in place."""
        self.kube.touch(resource, "robots", name)


REFUSED = ApiError(422, "spec: Forbidden: spec is immutable after creation")
