"""What the cluster looked like when it was last heard of: objects by kind, namespace and name, with indexes.

Watch events, LISTs and the answers to our own writes all come here, in any order. The higher resourceVersion wins; an
object that was deleted does not come back by an old message; a LIST removes only what is not newer than the list.
No I/O and no clock."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from qwen3vl_operator.kube.resources import Object, Resource

MOST_DEAD = 50_000
Place = tuple[str, str, str]
"""Plural, namespace, name."""


class Change(NamedTuple):
    """What became of one object: `old` None when it is new, `new` None when it is gone."""

    resource: Resource
    old: Object | None
    new: Object | None


@dataclass(frozen=True)
class Index:
    """Finds objects of some kinds by values that a function reads from them."""

    name: str
    resources: tuple[Resource, ...]
    values: Callable[[Object], Iterable[Hashable]]


class Store:
    """See the module.

    Args:
        keep: what of an object is kept: it gets the kind and the whole object, and gives a smaller one.
        answered: told each change that came as an answer to a call of ours; its watch event will bring nothing new.
    """

    def __init__(
        self,
        indexes: Iterable[Index] = (),
        keep: Callable[[Resource, Object], Object] | None = None,
        answered: Callable[[Change], None] | None = None,
    ) -> None:
        self._indexes = tuple(indexes)
        self._keep = keep or (lambda resource, thing: thing)
        self._answered = answered or (lambda change: None)
        self._objects: dict[tuple[str, str], dict[str, Object]] = {}
        self._found: dict[tuple[str, Hashable], dict[Place, None]] = {}
        self._dead: OrderedDict[str, int] = OrderedDict()

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._objects.get((resource.plural, namespace), {}).get(name)

    def all(self, resource: Resource, namespace: str | None = None) -> Iterator[Object]:
        """Objects of a kind, of one namespace or of all."""
        for (plural, of), objects in list(self._objects.items()):
            if plural == resource.plural and namespace in (None, of):
                yield from list(objects.values())

    def find(self, index: str, value: Hashable) -> list[Object]:
        """Objects that have the value in that index."""
        places = self._found.get((index, value), ())
        return [self._objects[plural, namespace][name] for plural, namespace, name in places]

    def put(self, resource: Resource, thing: Object, *, live: bool = False) -> Change | None:
        """Keep the object if it is newer than what is known; what changed, or None.

        Args:
            live: the object is an answer of the apiserver to our own call. A watch with a label selector also says
                "deleted" of an object that only lost its label; an answer of that same version brings it back.
        """
        metadata = thing["metadata"]
        uid, version = metadata["uid"], int(metadata["resourceVersion"])
        died = self._dead.get(uid)
        if died is not None and (version < died or (version == died and not live)):
            return None
        place = resource.plural, metadata["namespace"], metadata["name"]
        old = self.get(resource, *place[1:])
        if old is not None and int(old["metadata"]["resourceVersion"]) >= version:
            return None
        new = self._keep(resource, thing)
        if old is not None:
            self._drop(resource, place, old)
        self._objects.setdefault(place[:2], {})[place[2]] = new
        for index, value in self._values(resource, new):
            self._found.setdefault((index.name, value), {})[place] = None
        change = Change(resource, old, new)
        if live:
            self._answered(change)
        return change

    def remove(self, resource: Resource, thing: Object) -> Change | None:
        """The object was deleted, as of the resourceVersion that it has; what changed, or None."""
        metadata = thing["metadata"]
        version = int(metadata["resourceVersion"])
        old = self.get(resource, metadata["namespace"], metadata["name"])
        if old is None or old["metadata"]["uid"] != metadata["uid"]:
            self._bury(metadata["uid"], version)
            return None
        if int(old["metadata"]["resourceVersion"]) > version:
            return None  # it lost its label and has it again
        self._bury(metadata["uid"], version)
        self._drop(resource, (resource.plural, metadata["namespace"], metadata["name"]), old)
        return Change(resource, old, None)

    def replace(self, resource: Resource, namespace: str, things: Iterable[Object], version: str) -> list[Change]:
        """Everything of one kind and namespace as a LIST of that version had it; all that changed."""
        changes, present, at = [], set(), int(version)
        for thing in things:
            present.add(thing["metadata"]["uid"])
            changes.append(self.put(resource, thing))
        for old in list(self._objects.get((resource.plural, namespace), {}).values()):
            metadata = old["metadata"]
            if metadata["uid"] not in present and int(metadata["resourceVersion"]) <= at:
                self._bury(metadata["uid"], at)
                self._drop(resource, (resource.plural, namespace, metadata["name"]), old)
                changes.append(Change(resource, old, None))
        return [change for change in changes if change is not None]

    def _values(self, resource: Resource, thing: Object) -> Iterator[tuple[Index, Hashable]]:
        for index in self._indexes:
            if resource in index.resources:
                for value in index.values(thing):
                    yield index, value

    def _drop(self, resource: Resource, place: Place, old: Object) -> None:
        for index, value in self._values(resource, old):
            found = self._found.get((index.name, value), {})
            found.pop(place, None)
            if not found:
                self._found.pop((index.name, value), None)
        objects = self._objects[place[:2]]
        del objects[place[2]]
        if not objects:
            del self._objects[place[:2]]

    def _bury(self, uid: str, version: int) -> None:
        self._dead[uid] = max(version, self._dead.get(uid, 0))
        self._dead.move_to_end(uid)
        while len(self._dead) > MOST_DEAD:
            self._dead.popitem(last=False)
