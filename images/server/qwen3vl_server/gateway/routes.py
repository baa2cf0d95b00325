"""Which models there are and where: a table computed from EndpointSlices. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from qwen3vl_common.labels import CONTEXT_LENGTH_LABEL, ENGINE_LABEL, MODEL_LABEL, SERVED_NAME_LABEL, served_name


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


def _address(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _port(piece: dict[str, Any]) -> int | None:
    ports = piece.get("ports") or []
    named = next((port for port in ports if port.get("name") == "http"), ports[0] if len(ports) == 1 else None)
    return named.get("port") if named else None


def _is_ready(endpoint: dict[str, Any]) -> bool:
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready") is not False and not conditions.get("terminating")


def ready_endpoints(piece: dict[str, Any]) -> list[str]:
    """`host:port` of the slice's endpoints that are ready (an unknown readiness counts as ready, as the API says).

    Only the first address of an endpoint is used: the API gives the others no meaning.
    """
    port = _port(piece)
    if port is None:
        return []
    ready = filter(_is_ready, piece.get("endpoints") or [])
    return [_address(endpoint["addresses"][0], port) for endpoint in ready if endpoint.get("addresses")]


def _seconds(timestamp: str) -> int:
    try:
        return int(datetime.fromisoformat(timestamp).timestamp())
    except ValueError:
        return 0


def table(slices: Iterable[dict[str, Any]]) -> dict[str, Route]:
    """Served name → route. A name claimed by two models belongs to the one whose slices are older.

    A slice without ready endpoints still makes its model known: with no replica.
    """
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for piece in slices:
        labels = piece["metadata"].get("labels") or {}
        name, model = labels.get(SERVED_NAME_LABEL), labels.get(MODEL_LABEL)
        if name and model:
            groups.setdefault((name, piece["metadata"]["namespace"], model), []).append(piece)
    routes: dict[str, Route] = {}
    for (name, namespace, model), pieces in groups.items():
        # All slices of one Service carry its labels; while a change spreads, the same slice decides for every gateway.
        labels = min(pieces, key=lambda piece: str(piece["metadata"].get("name")))["metadata"]["labels"]
        context_length = labels.get(CONTEXT_LENGTH_LABEL, "")
        route = Route(
            served_name=name,
            namespace=namespace,
            model=model,
            engine=labels.get(ENGINE_LABEL, "unknown"),
            context_length=int(context_length) if context_length.isdecimal() else None,
            created=min(_seconds(piece["metadata"].get("creationTimestamp") or "") for piece in pieces),
            endpoints=tuple(sorted({address for piece in pieces for address in ready_endpoints(piece)})),
        )
        rival = routes.get(name)
        if rival is None or _precedence(route) < _precedence(rival):
            routes[name] = route
    return routes


def _precedence(route: Route) -> tuple[int, str, str]:
    return route.created, route.namespace, route.model


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
