"""What the store and the reader of Events know about one model. Reads values that others keep; asks no apiserver."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Protocol

from pydantic import ValidationError

from qwen3vl_operator import indexes, names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.event_reader import EventReader
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.kube.times import seconds
from qwen3vl_operator.secrets import model_keys
from qwen3vl_operator.vision_model.observed import Observed
from qwen3vl_operator.vision_model.plan import is_ours
from qwen3vl_operator.vision_model.spec import VisionModel, parse
from qwen3vl_operator.vision_model.waiting import Waiting, waiting_titles

EVENTS_AFTER_SECONDS = 10.0
"""An object that waits longer is asked for its Events."""
_WAITING = {resource.kind: resource for resource in (api.PODS, api.CLAIMS, api.STATEFUL_SETS)}


class Namespaces(Protocol):
    """What is known of the watched namespaces."""

    def unlisted(self) -> tuple[str, ...]:
        """Names of those of which nobody can say what is in them."""

    def are_pending(self) -> bool:
        """Whether it will be known of one in a moment."""

    def suspect(self, namespace: str) -> None:
        """A call in it was forbidden."""


@dataclass(frozen=True)
class EventsRead:
    """What one look found with the Events of those that wait.

    Attributes:
        waits: something waits, so that there may soon be news which no watch tells.
        unread: Events are wanted that nobody has read yet.
    """

    seen: Observed
    waits: bool
    unread: bool


@dataclass(frozen=True)
class Observer:
    """Looks at models."""

    store: Store
    namespaces: Namespaces
    reader: EventReader[Key]
    _first_seen: dict[Key, dict[Waiting, float]] = field(default_factory=dict)

    def look(self, model: VisionModel, internal: bytes) -> Observed:
        """All that is known of the model's objects.

        Args:
            internal: the internal secret, of which the values follow that must not be shown.
        """
        engine, vln = (names.child(model.name, word) for word in ("engine", "vln"))
        stateful_set = self.store.get(api.STATEFUL_SETS, model.namespace, engine)
        deployment = self.store.get(api.DEPLOYMENTS, model.namespace, vln)
        pods = [thing for thing in self.store.find(indexes.OF_MODEL, model.uid) if thing["kind"] == api.PODS.kind]
        slices = self.store.find(indexes.SERVICE, (model.namespace, engine))
        navigation = model.spec.navigation is not None
        entries = model_keys.entries(internal, model.namespace, model.name, navigation=navigation)
        return Observed(
            stateful_set=stateful_set if stateful_set is not None and is_ours(model, stateful_set) else None,
            pods=_of_component(pods, "engine"),
            slices=[one for one in slices if (one["metadata"].get("labels") or {}).get(names.MODEL) == model.name],
            vln=deployment if navigation and deployment is not None and is_ours(model, deployment) else None,
            vln_pods=_of_component(pods, "vln"),
            name_owner=self._name_owner(model),
            unlisted=self.namespaces.unlisted(),
            secrets=tuple(entries.values()),
        )

    def owns_served_name(self, model: VisionModel, seen: Observed) -> bool:
        """Whether its Service is a route. Where nobody knows whether another has the name, it stays what it is."""
        if seen.name_owner is not None:
            return False
        if not seen.unlisted:
            return True
        return self._is_route(model.namespace, model.name, model.served_name)

    def _is_route(self, namespace: str, model: str, served_name: str) -> bool:
        """Whether the model's Service leads to it by that name."""
        service = self.store.get(api.SERVICES, namespace, names.child(model, "engine"))
        labels = ((service or {}).get("metadata") or {}).get("labels") or {}
        return labels.get(names.SERVED_NAME) == served_name

    def with_events(self, key: Key, model: VisionModel, seen: Observed, now: str) -> EventsRead:
        """What was read of the Events of those that wait; the reader is asked to go on.

        How long one waits is told by the apiserver's times or by this process's own clock, whichever is longer: the
        two machines' clocks may differ.
        """
        waiting, notes, unread = waiting_titles(seen), {}, False
        clock, before = asyncio.get_running_loop().time(), self._first_seen.pop(key, {})
        first_seen = {one: before.get(one, clock) for one in waiting}
        if first_seen:
            self._first_seen[key] = first_seen
        for one in waiting:
            kind, _, name = one.title.partition(" ")
            if max(seconds(now) - seconds(one.since), clock - first_seen[one]) >= EVENTS_AFTER_SECONDS:
                known = self.store.get(_WAITING[kind], model.namespace, name)
                uid = None if known is None else known["metadata"]["uid"]
                self.reader.want(key, _WAITING[kind], model.namespace, name, uid)
                unread = unread or not self.reader.is_read(kind, model.namespace, name)
            if found := self.reader.notes(kind, model.namespace, name):
                notes[one.title] = found
        return EventsRead(replace(seen, events=notes), bool(waiting), unread)

    def forget(self, key: Key) -> None:
        """The model is gone, or is not looked at for now."""
        self._first_seen.pop(key, None)

    def _name_owner(self, model: VisionModel) -> str | None:
        """The oldest other model with the same served name, when it is older than this one.

        One whose spec does not parse counts while it is routed: what runs of it is left running.
        """
        rivals = []
        for body in self.store.find(indexes.SERVED_NAME, model.served_name):
            metadata = body["metadata"]
            place, age = (metadata["namespace"], metadata["name"]), (metadata["creationTimestamp"], metadata["uid"])
            if age < model.precedence and (_parses(body) or self._is_route(*place, model.served_name)):
                rivals.append((age, place))
        if not rivals:
            return None
        _, (namespace, name) = min(rivals)
        return name if namespace == model.namespace else f"{namespace}/{name}"


def _parses(body: Object) -> bool:
    try:
        parse(body)
    except ValidationError:
        return False
    return True


def _of_component(pods: list[Object], component: str) -> list[Object]:
    return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(names.COMPONENT) == component]
