"""JSON objects of requests, field by field: what nobody knows is refused or told, never taken in silence. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from qwen3vl_common.errors import InvalidRequest

_BOUNDING = re.compile("limit|speed|vel|max|safe|linear|angular|accel|blind|reverse", re.IGNORECASE)
"""A field of such a name is meant to bound a robot: a robot must not drive as if it had not been sent."""


def object_of(value: Any, param: str) -> Mapping[str, Any]:
    """A JSON object; null is an empty one.

    Raises:
        InvalidRequest: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{param} is a JSON object", param=param)
    return value


def known(value: Any, names: Iterable[str], param: str, ignored: list[str] | None = None) -> dict[str, Any]:
    """The fields of a JSON object that have these names.

    Args:
        param: where the object stands, empty for the body itself.
        ignored: takes the names of all other fields; None where those are refused.

    Raises:
        InvalidRequest: no object, or a field that nobody knows.
    """
    given, names = object_of(value, param or "body"), frozenset(names)
    for name in given.keys() - names:
        where = f"{param}.{name}" if param else name
        if ignored is None:
            raise unknown(where, names)
        ignored.append(where)
    return {name: given[name] for name in given if name in names}


def unknown(where: str, names: Iterable[str]) -> InvalidRequest:
    """The refusal of a field that nobody knows, with those that are known in its place."""
    return InvalidRequest(f"{where} is not known; known are {', '.join(sorted(names))}", param=where)


def may_be_ignored(name: str, value: Any, known_elsewhere: Iterable[str] = ()) -> bool:
    """Whether a client may send this and have it ignored: a single value whose name does not sound like a bound.

    Args:
        known_elsewhere: fields that belong in another place or are spelt otherwise.
    """
    plain = _plain(name)
    misplaced = any(_plain(one) == plain for one in known_elsewhere)
    return not isinstance(value, Mapping | list) and _BOUNDING.search(name) is None and not misplaced


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").strip().casefold()
