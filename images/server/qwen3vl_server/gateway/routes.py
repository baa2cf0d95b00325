"""Which models there are and where: a table computed from EndpointSlices. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from qwen3vl_common.labels import served_name
from qwen3vl_server.gateway.slices import Listed, ModelSlice


@dataclass(frozen=True)
class Route:
    """One model as requests see it.

    Attributes:
        endpoints: `host:port` of every ready replica.
        created: when the route came to be, in seconds since 1970.
        key: a key given for this engine; None means the derived one.
    """

    served_name: str
    namespace: str
    model: str
    engine: str
    context_length: int | None
    created: int
    endpoints: tuple[str, ...]
    key: str | None = field(default=None, repr=False)


def replicas(endpoints: Iterable[Listed]) -> tuple[str, ...]:
    """`host:port` of each pod that is ready by at least one slice: one address a pod, sorted.

    A Service of two address families lists each pod once in each, and an endpoint that moves to another slice stands in
    both for a while: what names the same pod, else the same address, is one replica. Its IPv4 address is used where
    it has one. Endpoints that name no pod cannot be told to be the same: of them one family is used.
    """
    listed = sorted(endpoints, key=_preference)
    pod_at = {one.address: one.pod for one in reversed(listed) if one.pod}
    pods: dict[str, list[Listed]] = {}
    for one in listed:
        pods.setdefault(one.pod or pod_at.get(one.address, ""), []).append(one)
    loose = [one for one in pods.pop("", []) if one.ready]
    chosen = {found[0].address for found in pods.values() if any(one.ready for one in found)}
    return tuple(sorted(chosen | {one.address for one in loose if one.is_ipv4 == loose[0].is_ipv4}))


def _preference(one: Listed) -> tuple[bool, str, str]:
    return not one.is_ipv4, one.address, one.pod


def table(slices: Iterable[ModelSlice]) -> dict[str, Route]:
    """Served name → route. A name claimed by two models belongs to the one whose slices are older.

    A slice without ready endpoints still makes its model known: with no replica.
    """
    groups: dict[tuple[str, str, str], list[ModelSlice]] = {}
    for piece in slices:
        groups.setdefault((piece.served_name, piece.namespace, piece.model), []).append(piece)
    routes: dict[str, Route] = {}
    for (name, namespace, model), pieces in groups.items():
        # All slices of one Service carry its labels; while a change spreads, the same slice decides for every gateway.
        first = min(pieces, key=lambda piece: (piece.name, piece.uid))
        route = Route(
            served_name=name,
            namespace=namespace,
            model=model,
            engine=first.engine,
            context_length=first.context_length,
            created=min((piece.created for piece in pieces if piece.created), default=0),
            endpoints=replicas(one for piece in pieces for one in piece.endpoints),
        )
        rival = routes.get(name)
        if rival is None or _precedence(route) < _precedence(rival):
            routes[name] = route
    return routes


def _precedence(route: Route) -> tuple[bool, int, str, str]:
    # One whose age nobody can read is not the oldest.
    return not route.created, route.created, route.namespace, route.model


def table_from_entries(entries: object, *, created: int) -> dict[str, Route]:
    """The same table from a file's entries, for use outside Kubernetes.

    Raises:
        ValueError: an entry is not what docs/api.md says.
    """
    if not isinstance(entries, list):
        raise ValueError("a routes file is a list of entries with model and endpoints")
    routes: dict[str, Route] = {}
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("model"), str):
            raise ValueError(f"entry {number} has no model")
        endpoints = entry.get("endpoints", [])
        if not isinstance(endpoints, list) or not all(isinstance(item, str) and ":" in item for item in endpoints):
            raise ValueError(f"entry {number}: endpoints is a list of host:port")
        if not isinstance(entry.get("servedName", ""), str):
            raise ValueError(f"entry {number}: servedName is a string")
        name = served_name({"metadata": {"name": entry["model"]}, "spec": entry})
        context_length = entry.get("contextLength")
        if context_length is not None and type(context_length) is not int:
            raise ValueError(f"entry {number}: contextLength is a whole number")
        key = entry.get("key")
        if key is not None and not isinstance(key, str):
            raise ValueError(f"entry {number}: key is a string")
        if name in routes:
            raise ValueError(f"entry {number}: the served name {name!r} is taken by an earlier entry")
        routes[name] = Route(
            served_name=name,
            namespace=str(entry.get("namespace", "default")),
            model=entry["model"],
            engine=str(entry.get("engine", "unknown")),
            context_length=context_length,
            created=created,
            endpoints=tuple(endpoints),
            key=key,
        )
    return routes
