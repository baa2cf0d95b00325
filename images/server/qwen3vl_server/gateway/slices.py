"""What one EndpointSlice says of a model, as far as it can be understood. Pure.

Each slice and each endpoint is judged alone: one that nobody can read takes no other with it.
"""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, ip_address
from typing import Any

from qwen3vl_common.labels import CONTEXT_LENGTH_LABEL, ENGINE_LABEL, MODEL_LABEL, SERVED_NAME_LABEL

PORT_NAME = "http"
LONGEST_NUMBER = 18
"""Digits of a label that is read as a number."""


class MalformedSlice(ValueError):
    """It does not say of which model it is."""


class _MalformedEndpoint(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class Listed:
    """An endpoint as one slice lists it.

    Attributes:
        pod: uid of the pod behind it; empty where the slice names none.
        address: `host:port`, IPv6 in brackets.
        ready: whether it takes new requests (an unknown readiness counts as ready, as the API says).
        serving: whether it still answers those it has, though it may be terminating.
    """

    pod: str
    address: str
    is_ipv4: bool
    ready: bool
    serving: bool


@dataclass(frozen=True, slots=True)
class ModelSlice:
    """An EndpointSlice of a model that is served.

    Attributes:
        created: in seconds since 1970; 0 when it cannot be read.
        malformed: how many of its endpoints were left out since they cannot be read.
    """

    uid: str
    name: str
    namespace: str
    served_name: str
    model: str
    engine: str
    context_length: int | None
    created: int
    endpoints: tuple[Listed, ...]
    malformed: int


def read_slice(thing: object) -> ModelSlice | None:
    """The slice, or None when it belongs to no served model.

    Raises:
        MalformedSlice: what names it, or says of which model it is, cannot be read.
    """
    body = _mapping(thing, "the object")
    metadata = _mapping(body.get("metadata"), "metadata")
    labels = _mapping(metadata.get("labels") or {}, "metadata.labels")
    if not (labels.get(SERVED_NAME_LABEL) and labels.get(MODEL_LABEL)):
        return None
    endpoints, malformed = _endpoints(body)
    return ModelSlice(
        uid=_text(metadata.get("uid"), "metadata.uid"),
        name=_text(metadata.get("name"), "metadata.name"),
        namespace=_text(metadata.get("namespace"), "metadata.namespace"),
        served_name=_text(labels[SERVED_NAME_LABEL], SERVED_NAME_LABEL),
        model=_text(labels[MODEL_LABEL], MODEL_LABEL),
        engine=_text(labels.get(ENGINE_LABEL) or "unknown", ENGINE_LABEL),
        context_length=_number(labels.get(CONTEXT_LENGTH_LABEL)),
        created=_seconds(metadata.get("creationTimestamp")),
        endpoints=endpoints,
        malformed=malformed,
    )


def name_of(thing: object) -> str:
    """What a slice calls itself, for a log; `?` for a part that it does not say."""
    metadata = thing.get("metadata") if isinstance(thing, dict) else None
    said = metadata if isinstance(metadata, dict) else {}
    return "/".join(str(said.get(part) or "?")[:100] for part in ("namespace", "name"))


def _mapping(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedSlice(f"{place} is not an object")
    return value


def _text(value: object, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise MalformedSlice(f"{place} is not a text")
    return value


def _number(label: object) -> int | None:
    readable = isinstance(label, str) and label.isdecimal() and len(label) <= LONGEST_NUMBER
    return int(str(label)) if readable else None


def _seconds(timestamp: object) -> int:
    try:
        return int(datetime.fromisoformat(str(timestamp)).timestamp())
    except (ValueError, OverflowError, OSError):
        return 0


def _endpoints(body: dict[str, Any]) -> tuple[tuple[Listed, ...], int]:
    """The endpoints that can be read, and how many cannot."""
    listed = body.get("endpoints") or []
    if not isinstance(listed, list):
        return (), 1
    port = _port(body.get("ports"))
    if port is None:
        return (), 0
    found = []
    for endpoint in listed:
        try:
            found.append(_endpoint(endpoint, port))
        except ValueError:
            continue
    return tuple(found), len(listed) - len(found)


def _port(ports: object) -> int | None:
    known = [port for port in ports if isinstance(port, dict)] if isinstance(ports, list) else []
    only = known[0] if len(known) == 1 else {}
    number = next((port for port in known if port.get("name") == PORT_NAME), only).get("port")
    return number if type(number) is int and 0 < number < 65536 else None


def _endpoint(endpoint: object, port: int) -> Listed:
    """Only the first address is used: the API gives the others no meaning.

    Raises:
        ValueError: it cannot be read.
    """
    if not isinstance(endpoint, dict):
        raise _MalformedEndpoint
    addresses, conditions = endpoint.get("addresses"), endpoint.get("conditions") or {}
    reference = endpoint.get("targetRef") or {}
    well_formed = isinstance(addresses, list) and isinstance(conditions, dict) and isinstance(reference, dict)
    if not well_formed or not addresses or not isinstance(addresses[0], str):
        raise _MalformedEndpoint
    ip = ip_address(addresses[0])
    ready, serving, terminating = (_condition(conditions, name) for name in ("ready", "serving", "terminating"))
    pod = reference.get("uid")
    return Listed(
        pod=pod if isinstance(pod, str) else "",
        address=f"{ip}:{port}" if isinstance(ip, IPv4Address) else f"[{ip}]:{port}",
        is_ipv4=isinstance(ip, IPv4Address),
        ready=ready is not False and not terminating,
        serving=(ready if serving is None else serving) is not False,
    )


def _condition(conditions: dict[str, Any], name: str) -> bool | None:
    value = conditions.get(name)
    if value is not None and not isinstance(value, bool):
        raise _MalformedEndpoint
    return value
