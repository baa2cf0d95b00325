"""What is wrong with a field, and what would be right, in words: bodies and files about a task are read here. Pure."""

import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from qwen3vl_common.robots import LONGEST_ROBOT, ROBOT_PATTERN

RULE = "rule"
"""The kind of a validator's own error; its context says what is wrong, and may name the `field` that it is wrong of."""
MOST_WRITTEN_OUT = 10**17
"""A whole number below it is told with all its digits."""
_ROBOT = f"is 1 to {LONGEST_ROBOT} letters, digits, '.', '_' and '-', with a letter or digit at both ends"

M = TypeVar("M", bound=BaseModel)


class WrongFieldError(ValueError):
    """A field is not as it should be; the message names it and says what would be right.

    Attributes:
        param: the field, as the client wrote it.
    """

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"{param} {message}")
        self.param = param


def unknown(where: str, names: Iterable[str]) -> WrongFieldError:
    """The refusal of a field that nobody knows, with those that are known in its place."""
    return WrongFieldError(where, f"is not known; known are {', '.join(sorted(names))}")


def object_of(value: Any, param: str) -> Mapping[str, Any]:
    """A JSON object; null is an empty one.

    Raises:
        WrongFieldError: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise WrongFieldError(param, "is a JSON object")
    return value


def parsed(model: type[M], values: Any, path: str = "", ignored: list[str] | None = None) -> M:
    """JSON as a model; a part that is null is as one that is absent.

    Args:
        path: where the object stands, empty for a body itself.
        ignored: takes the names of fields that nobody knows; None where those are refused.

    Raises:
        WrongFieldError: a field is wrong or not known. Of several it is the first.
    """
    try:
        return model.model_validate(_known(model, object_of(values, path or "body"), path, ignored))
    except ValidationError as error:
        raise _first(model, error, path) from None


def aliases(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by their names in JSON."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def part_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is an object, or may be one."""
    kind = _kind(field)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _known(model: type[BaseModel], values: Mapping[str, Any], path: str, ignored: list[str] | None) -> dict[str, Any]:
    fields, found = aliases(model), {}
    for name, value in values.items():
        where = f"{path}.{name}" if path else name
        if name not in fields:
            if ignored is None:
                raise unknown(where, fields)
            ignored.append(where)
        elif (part := part_of(fields[name])) is None:
            found[name] = value
        elif value is not None:
            found[name] = _known(part, value, where, ignored) if isinstance(value, Mapping) else value
    return found


def _first(model: type[BaseModel], error: ValidationError, path: str) -> WrongFieldError:
    item = error.errors(include_url=False)[0]
    about = item.get("ctx", {})
    names = [str(name) for name in item["loc"]]
    if item["type"] == RULE:
        where = [*names, about["field"]] if "field" in about else names
        return WrongFieldError(_path(path, where), about["said"])
    field = None
    holder: type[BaseModel] | None = model
    schema: dict[str, Any] = {}
    for name in names:
        if holder is None or name not in aliases(holder):
            break
        field, schema = aliases(holder)[name], _properties(holder)[name]
        holder = part_of(field)
    return WrongFieldError(_path(path, names), _right(_kind(field), schema, item["input"]))


def _path(path: str, names: list[str]) -> str:
    return ".".join([path, *names] if path else names)


def _right(kind: Any, schema: Mapping[str, Any], value: Any) -> str:
    """What a field of that type and schema must be."""
    if get_origin(kind) is Literal:
        return f"is one of {', '.join(map(str, get_args(kind)))}"
    if kind is bool:
        return "is true or false"
    if kind in (int, float):
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
        if not number:
            return "is a number"
        if kind is int and value != int(value):
            return "is a whole number"
        figure = _whole_figure if kind is int else "{:g}".format
        given, least, most = (figure(one) for one in (value, schema["minimum"], schema["maximum"]))
        return f"is {given}; allowed is {least} to {most}"
    if kind is str:
        if schema.get("pattern") == ROBOT_PATTERN:
            return _ROBOT
        return f"is a text of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return "is a JSON object"


def _whole_figure(number: float) -> str:
    """A whole number for people: all its digits, as long as there are few."""
    return str(int(number)) if abs(number) < MOST_WRITTEN_OUT else f"{number:g}"


def _kind(field: FieldInfo | None) -> Any:
    """The type of a field, without null and without what is said beside it."""
    kind: Any = None if field is None else field.annotation
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [one for one in get_args(kind) if one is not type(None)]
        kind = kinds[0]
        while get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
    return kind


@cache
def _properties(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """The schemas of a model's fields, of those that may be null the one of what else they are."""
    found = model.model_json_schema(by_alias=True)["properties"]
    return {name: next(iter(schema.get("anyOf", ())), schema) for name, schema in found.items()}
