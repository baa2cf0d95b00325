"""Whether a live object still is what was applied: every desired field is there, and nothing was dropped since."""

from decimal import Decimal, InvalidOperation
from typing import Any

from qwen3vl_operator import names

_QUANTITY_KEYS = frozenset({"requests", "limits", "sizeLimit"})
_KEPT_EMPTY = frozenset({"emptyDir", "labelSelector", "namespaceSelector"})
"""Maps that mean something when they are empty: the apiserver keeps them."""
_SUFFIXES = {"m": Decimal("0.001")} | {letter: Decimal(1000) ** power for power, letter in enumerate("kMGTP", start=1)}
_SUFFIXES |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTP", start=1)}
_IDENTITY = ("mountPath", "port", "containerPort", "uid", "name")


def quantity(text: str) -> Decimal:
    """The number that a Kubernetes quantity stands for.

    Raises:
        ValueError: it is none.
    """
    suffix = next((end for end in sorted(_SUFFIXES, key=len, reverse=True) if text.endswith(end)), "")
    try:
        return Decimal(text.removesuffix(suffix)) * _SUFFIXES.get(suffix, 1)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no quantity") from error


def is_up_to_date(desired: dict[str, Any], live: dict[str, Any]) -> bool:
    """Whether applying `desired` would change nothing.

    The annotation with the hash tells a field that is no longer desired; the comparison tells drift.
    """
    applied = (live["metadata"].get("annotations") or {}).get(names.APPLIED_HASH)
    wanted = desired["metadata"]["annotations"][names.APPLIED_HASH]
    return bool(applied == wanted) and contains(live, desired)


def contains(live: Any, desired: Any, *, quantities: bool = False) -> bool:
    """Whether every field of `desired` stands in `live` with the same meaning; fields of others do not matter.

    An empty text, list or map is the same as none, for the apiserver drops them; but for a few maps.
    """
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(
            _is_dropped(key, value, live)
            or contains(live.get(key), value, quantities=quantities or key in _QUANTITY_KEYS)
            for key, value in desired.items()
        )
    if isinstance(desired, list):
        return isinstance(live, list) and _list_contains(live, desired, quantities=quantities)
    if quantities and isinstance(live, str | int) and isinstance(desired, str | int):
        try:
            return quantity(str(live)) == quantity(str(desired))
        except ValueError:
            return bool(live == desired)
    return bool(live == desired)


def _is_dropped(key: str, desired: Any, live: dict[str, Any]) -> bool:
    return live.get(key) is None and desired in ("", [], {}) and key not in _KEPT_EMPTY


def without_foreign_entries(desired: Any, live: Any, at: str = "") -> list[dict[str, Any]]:
    """JSON patch by which no live list has entries beside those of the desired one; from the last to the first.

    A list that has none of ours becomes the desired one: some may not be empty, such as a Service's ports.
    """
    if isinstance(desired, dict) and isinstance(live, dict):
        return [
            found
            for key in desired
            for found in without_foreign_entries(desired[key], live.get(key), f"{at}/{_escaped(key)}")
        ]
    key = _identity(desired) if isinstance(desired, list) else None
    if key is None or not isinstance(live, list):
        return []
    wanted = {item[key]: item for item in desired}
    if live and not any(item.get(key) in wanted for item in live):
        return [{"op": "replace", "path": at, "value": desired}]
    result: list[dict[str, Any]] = []
    for number, item in reversed(list(enumerate(live))):
        if item.get(key) in wanted:
            result += without_foreign_entries(wanted[item[key]], item, f"{at}/{number}")
        else:
            result.append({"op": "remove", "path": f"{at}/{number}"})
    return result


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _identity(desired: list[Any]) -> str | None:
    """The field by which Kubernetes tells the entries of such a list apart; None where it takes the list as a whole."""
    return next((key for key in _IDENTITY if desired and all(isinstance(x, dict) and key in x for x in desired)), None)


def _list_contains(live: list[Any], desired: list[Any], *, quantities: bool) -> bool:
    key = _identity(desired)
    if key is None:
        return len(live) == len(desired) and all(
            contains(a, b, quantities=quantities) for a, b in zip(live, desired, strict=True)
        )
    found = {item.get(key): item for item in live if isinstance(item, dict)}
    return all(contains(found.get(item[key]), item, quantities=quantities) for item in desired)
