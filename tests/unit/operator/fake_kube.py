"""An API of dictionaries: server-side apply with field ownership, uids, versions, label selectors, faults on command.

It stands in for the apiserver only where thousands of passes are wanted; `tests/integration` has the real one."""

import copy
import itertools
from collections.abc import Sequence
from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Listing
from qwen3vl_operator.kube.resources import Object, Resource
from qwen3vl_operator.kube.store import Store

Place = tuple[str, str, str]
Objects = list[Object]
CREATED = "2026-03-01T12:00:00Z"


class FakeKube:
    """The `Kube` protocol over `objects`. `writes` lists what changed something or tried to.

    `fail_at` is the number of the call that fails; with `after_effect` it works first, as when an answer is lost.
    """

    def __init__(self) -> None:
        self.objects: dict[Place, Object] = {}
        self.writes: list[str] = []
        self.calls = 0
        self.fail_at: int | None = None
        self.after_effect = False
        self.fault = (500, "injected")
        self.refuse: dict[str, ApiError] = {}
        self._applied: dict[tuple[Place, str], Object] = {}
        self._numbers = itertools.count(1)

    def put(self, resource: Resource, thing: Object) -> Object:
        """Place an object as if somebody else had made it."""
        stored = copy.deepcopy(thing)
        stored["metadata"].setdefault("uid", f"uid-{next(self._numbers)}")
        stored["metadata"].setdefault("creationTimestamp", CREATED)
        stored["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[resource.plural, stored["metadata"]["namespace"], stored["metadata"]["name"]] = stored
        return stored

    def touch(self, resource: Resource, namespace: str, name: str) -> None:
        """Give the object a new version, after somebody changed it in place."""
        self.objects[resource.plural, namespace, name]["metadata"]["resourceVersion"] = str(next(self._numbers))

    def lose(self, resource: Resource, namespace: str, name: str) -> None:
        """Have the object gone as if somebody else had deleted it."""
        del self.objects[resource.plural, namespace, name]
        for place, manager in [key for key in self._applied if key[0] == (resource.plural, namespace, name)]:
            del self._applied[place, manager]

    def versions(self) -> dict[Place, str]:
        return {place: thing["metadata"]["resourceVersion"] for place, thing in self.objects.items()}

    async def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        self._call(before=True)
        return copy.deepcopy(self.objects.get((resource.plural, namespace, name)))

    async def list(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        self._call(before=True)
        wanted = dict(part.split("=") for part in labels.split(",") if part)
        found = [
            thing
            for place, thing in sorted(self.objects.items())
            if place[:2] == (resource.plural, namespace)
            and wanted.items() <= (thing["metadata"].get("labels") or {}).items()
            and (not fields or _field(thing, "involvedObject.uid") in fields)
        ]
        return copy.deepcopy(found)

    def matching(self, resource: Resource, namespace: str, selector: str) -> Objects:
        """Objects of the kind that match a label selector of one term: `name`, or `name=value`."""
        name, _, value = selector.partition("=")
        found = [thing for place, thing in sorted(self.objects.items()) if place[:2] == (resource.plural, namespace)]
        labels = [(thing, (thing["metadata"].get("labels") or {}).get(name)) for thing in found]
        chosen = [thing for thing, label in labels if not selector or (label == value if value else label is not None)]
        return copy.deepcopy(chosen)

    def fill(self, store: Store, namespace: str = "robots") -> None:
        """What watches and LISTs tell the store."""
        for resource in api.WATCHED:
            found = self.matching(resource, namespace, api.selector(resource))
            store.replace(resource, namespace, found, str(next(self._numbers)))

    async def snapshot(self, resource: Resource, namespace: str, *, labels: str = "") -> Listing:
        self._call(before=True)
        return Listing(self.matching(resource, namespace, labels), str(next(self._numbers)))

    async def is_readable(self, resource: Resource, namespace: str) -> None:
        self._call(before=True)

    async def create(self, resource: Resource, namespace: str, body: Object) -> bool:
        self._call(before=True)
        if (resource.plural, namespace, body["metadata"]["name"]) in self.objects:
            return False
        self.put(resource, body)
        self.writes.append(f"create {body['kind']} {body['metadata']['name']}")
        self._call(before=False)
        return True

    async def apply(self, resource: Resource, body: Object, *, manager: str = "", force: bool = True) -> Object:
        self._call(before=True)
        self.writes.append(f"apply {body['kind']} {body['metadata']['name']}")
        if error := self.refuse.get(body["kind"]):
            raise error
        place = (resource.plural, body["metadata"]["namespace"], body["metadata"]["name"])
        if (
            not force
            and place in self.objects
            and any(owned[0] == place and owned[1] != manager for owned in self._applied)
        ):
            raise ApiError(409, "Apply failed with 1 conflict")
        result = self._apply(resource, place, body, manager or names.FIELD_MANAGER)
        self._call(before=False)
        return copy.deepcopy(result)

    async def apply_status(self, resource: Resource, body: Object) -> Object:
        self._call(before=True)
        self.writes.append(f"status {body['metadata']['name']}")
        place = (resource.plural, body["metadata"]["namespace"], body["metadata"]["name"])
        if place not in self.objects:
            raise ApiError(404, "not found")
        if set(body) != {"apiVersion", "kind", "metadata", "status"}:
            raise AssertionError("only the status may be applied to the status subresource")
        if error := self.refuse.get(f"{body['kind']}/status"):
            raise error
        result = self._apply(resource, place, body, names.STATUS_FIELD_MANAGER)
        self._call(before=False)
        return copy.deepcopy(result)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        self._call(before=True)
        self.writes.append(f"patch {resource.kind} {name}")
        live = self.objects.get((resource.plural, namespace, name))
        if live is None:
            raise ApiError(404, "not found")
        _merge(live, copy.deepcopy(body))
        for name in [name for name, value in (live.get("data") or {}).items() if value is None]:
            del live["data"][name]
        live["metadata"]["resourceVersion"] = str(next(self._numbers))
        self._call(before=False)
        return copy.deepcopy(live)

    async def edit(self, resource: Resource, namespace: str, name: str, operations: Sequence[Object]) -> Object:
        self._call(before=True)
        self.writes.append(f"edit {resource.kind} {name}")
        live = self.objects[resource.plural, namespace, name]
        for operation in operations:
            *path, last = (int(step) if step.isdigit() else step for step in operation["path"].strip("/").split("/"))
            part: Any = live
            for step in path:
                part = part[step]
            if operation["op"] == "remove":
                del part[last]
            else:
                part[last] = copy.deepcopy(operation["value"])
        live["metadata"]["resourceVersion"] = str(next(self._numbers))
        self._call(before=False)
        return copy.deepcopy(live)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> bool:
        self._call(before=True)
        self.writes.append(f"delete {resource.kind} {name}")
        found = self.objects.get((resource.plural, namespace, name))
        was_there = found is not None and found["metadata"]["uid"] == uid
        if was_there:
            self.lose(resource, namespace, name)
        self._call(before=False)
        return was_there

    def _call(self, *, before: bool) -> None:
        if before:
            self.calls += 1
        if self.calls == self.fail_at and before is not self.after_effect:
            self.fail_at = None
            raise ApiError(*self.fault)

    def _apply(self, resource: Resource, place: Place, body: Object, manager: str) -> Object:
        live = self.objects.get(place)
        if live is None:
            live = self.put(resource, {**body, "metadata": dict(body["metadata"])})
        before = copy.deepcopy(live)
        others = [owned for key, owned in self._applied.items() if key[0] == place and key[1] != manager]
        kept = [_without(live, owned) for owned in others]
        _drop(live, self._applied.get((place, manager), {}), body)
        for part in kept:
            _merge(live, part)
        _merge(live, copy.deepcopy(body))
        self._applied[place, manager] = copy.deepcopy(body)
        if live.get("spec") != before.get("spec") and resource in (api.STATEFUL_SETS, api.DEPLOYMENTS):
            live["metadata"]["generation"] = live["metadata"].get("generation", 1) + 1
        if live != before:
            live["metadata"]["resourceVersion"] = str(next(self._numbers))
        return live


def _merge(live: Object, wanted: Object) -> None:
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            _merge(live[key], value)
        else:
            live[key] = value


def _without(live: Object, owned: Object) -> Object:
    """What of the live object another manager applied too, data alone."""
    data = {name: live["data"][name] for name in owned.get("data") or {} if name in (live.get("data") or {})}
    return {"data": data} if data else {}


def _drop(live: Object, applied: Object, wanted: Object) -> None:
    """Remove what this manager applied before and no longer wants."""
    for key, value in applied.items():
        if key not in wanted:
            live.pop(key, None)
        elif isinstance(value, dict) and isinstance(live.get(key), dict) and isinstance(wanted[key], dict):
            _drop(live[key], value, wanted[key])


def _field(thing: Object, path: str) -> str:
    value: Any = thing
    for part in path.split("."):
        value = value.get(part, {})
    return str(value)
