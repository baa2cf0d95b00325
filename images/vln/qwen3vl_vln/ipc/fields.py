"""From JSON values to dataclasses, by the names and types that their fields declare: texts, numbers, booleans, words of
an enumeration, paths, settings (pydantic), tuples and dataclasses of such, each of them or None. Nothing is guessed and
nothing left over.

What a class needs is worked out once; a message of ten fields is then read in some microseconds."""

import dataclasses
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel

Reader = Callable[[Any], Any]
"""From a JSON value to a value of a type.

Raises:
    Mismatch: it is none.
"""
_AS_THEY_ARE: dict[type, frozenset[type]] = {
    str: frozenset({str}),
    bool: frozenset({bool}),
    int: frozenset({int}),
    float: frozenset({float, int}),
}


class Mismatch(Exception):
    """A value is not of its type, or a field is missing or too much."""


def reader(kind: type) -> Reader:
    """Reads objects as values of a dataclass.

    Raises:
        TypeError: a field is declared with a type that is not known here.
    """
    hints = get_type_hints(kind)
    names = frozenset(field.name for field in dataclasses.fields(kind))
    plain = tuple((name, allowed) for name in sorted(names) if (allowed := _as_it_is(hints[name])))
    made = tuple((name, _reader(hints[name])) for name in sorted(names) if not _as_it_is(hints[name]))

    def read(value: Any) -> Any:
        if value.__class__ is not dict or value.keys() != names:
            raise Mismatch(f"needs the fields {', '.join(sorted(names))}")
        for name, allowed in plain:
            if value[name].__class__ not in allowed:
                raise Mismatch(f"{name} is a {value[name].__class__.__name__}")
        for name, make in made:
            try:
                value[name] = make(value[name])
            except Mismatch as error:
                raise Mismatch(f"{name}: {error}") from None
        return kind(**value)

    return read


def _as_it_is(declared: Any) -> frozenset[type] | None:
    """The classes of JSON values that need no conversion, None when one does."""
    allowed: frozenset[type] = frozenset()
    for kind in get_args(declared) if get_origin(declared) is UnionType else (declared,):
        known = frozenset({NoneType}) if kind is NoneType else _AS_THEY_ARE.get(kind)
        if known is None:
            return None
        allowed |= known
    return allowed


def _reader(declared: Any) -> Reader:
    origin, inner = get_origin(declared), get_args(declared)
    if origin is UnionType and len(inner) == 2 and NoneType in inner:
        (kind,) = set(inner) - {NoneType}
        return _or_none(_reader(kind))
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return _each(_reader(inner[0]))
    if allowed := _as_it_is(declared):
        return _plain(allowed)
    if dataclasses.is_dataclass(declared):
        return reader(declared)  # type: ignore[arg-type]  # it is a class
    if isinstance(declared, type) and issubclass(declared, StrEnum | Path):
        return _word(declared)
    if isinstance(declared, type) and issubclass(declared, BaseModel):
        return _checked(declared.model_validate)
    raise TypeError(f"no message can carry a field of {declared}")


def value(item: Any) -> Any:
    """What JSON has for a value that it does not know."""
    if isinstance(item, BaseModel):
        return item.model_dump(by_alias=True)
    if isinstance(item, Path):
        return str(item)
    raise TypeError(f"no message can carry {item!r}")


def _or_none(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _each(read: Reader) -> Reader:
    def read_all(value: Any) -> Any:
        if value.__class__ is not list:
            raise Mismatch(f"is a {value.__class__.__name__}")
        return tuple(map(read, value))

    return read_all


def _plain(allowed: frozenset[type]) -> Reader:
    def read(value: Any) -> Any:
        if value.__class__ not in allowed:
            raise Mismatch(f"is a {value.__class__.__name__}")
        return value

    return read


def _word(kind: Reader) -> Reader:
    read = _checked(kind)

    def read_text(value: Any) -> Any:
        if value.__class__ is not str:
            raise Mismatch(f"is a {value.__class__.__name__}")
        return read(value)

    return read_text


def _checked(kind: Reader) -> Reader:
    def read(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError as error:
            raise Mismatch(str(error)) from None

    return read
