"""A valid value for a JSON schema, derived from what is seen where names allow it. Pure and bounded.

Properties come in the schema's order, as guided decoding emits them."""

import math
from typing import Any

from . import hints
from .errors import BadRequestError
from .hints import Sight

SUPPORTED = (
    "supported are object, array, string, number, integer, boolean and null with properties, required, "
    "additionalProperties (true or false), items, enum, const, minimum, maximum, exclusiveMinimum, exclusiveMaximum, "
    "multipleOf (integer), minLength, maxLength, minItems, maxItems, anyOf and local $ref"
)
_NOTES = {"$schema", "$id", "$defs", "definitions", "$comment", "title", "description", "default", "examples"}
_KNOWN = _NOTES | {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems"),
}
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_MAX_DEPTH, _MAX_VALUES, _MAX_LENGTH = 12, 2000, 4096
Schema = dict[str, Any]


def fill(schema: Schema, sight: Sight) -> dict[str, Any]:
    """An object that is valid under the schema.

    Raises:
        BadRequestError: the schema is not of the supported kind, contradicts itself or asks for an endless answer.
    """
    filler = _Filler(schema)
    value = filler.value(schema, "", sight, "schema", 0)
    if not isinstance(value, dict):
        raise _refuse("schema", "the top of the schema must be an object")
    return value


def _refuse(path: str, problem: str) -> BadRequestError:
    param = f"response_format.json_schema.{path}"
    return BadRequestError(f"{path}: {problem}; {SUPPORTED}", param=param, code="unsupported_schema")


class _Filler:
    def __init__(self, root: Schema) -> None:
        self.root = root
        self.values = 0

    def value(self, schema: Any, name: str, sight: Sight, path: str, depth: int) -> Any:
        self.values += 1
        if depth > _MAX_DEPTH or self.values > _MAX_VALUES:
            raise _refuse(path, f"deeper than {_MAX_DEPTH} levels (or recursive) or more than {_MAX_VALUES} values")
        schema = self._resolve(schema, path)
        if "anyOf" in schema:
            return self._any_of(schema, name, sight, path, depth)
        if "const" in schema or "enum" in schema:
            return self._choice(schema, name, sight, path)
        kind = _type(schema, path)
        if kind == "object":
            return self._object(schema, sight, path, depth)
        if kind == "array":
            return self._array(schema, name, sight, path, depth)
        return self._scalar(schema, kind, hints.scalars(name, sight), name, path)

    def _resolve(self, schema: Any, path: str) -> Schema:
        for _ in range(_MAX_DEPTH):
            if not isinstance(schema, dict):
                raise _refuse(path, "a schema is an object")
            if unknown := sorted(set(schema) - _KNOWN):
                raise _refuse(path, f"{', '.join(unknown)} is not supported")
            if "$ref" not in schema:
                return schema
            if set(schema) - _NOTES - {"$ref"}:
                raise _refuse(path, "$ref stands beside other keywords")
            schema = self._target(schema["$ref"], path)
        raise _refuse(path, "$ref leads in a circle")

    def _target(self, reference: Any, path: str) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise _refuse(path, "$ref must begin with #/")
        found: Any = self.root
        for step in reference[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                raise _refuse(path, f"$ref {reference} leads nowhere")
            found = found[key]
        return found

    def _any_of(self, schema: Schema, name: str, sight: Sight, path: str, depth: int) -> Any:
        options = schema["anyOf"]
        if set(schema) - _NOTES - {"anyOf"} or not isinstance(options, list) or not options:
            raise _refuse(path, "anyOf is a list and stands alone")
        return self.value(options[0], name, sight, f"{path}.anyOf.0", depth + 1)

    def _choice(self, schema: Schema, name: str, sight: Sight, path: str) -> Any:
        options = [schema["const"]] if "const" in schema else schema["enum"]
        if not isinstance(options, list) or not options:
            raise _refuse(path, "enum is a list with at least one value")
        allowed = [option for option in options if _allows(schema, option, path)]
        if not allowed:
            raise _refuse(path, "no value of the enum satisfies the rest")
        for hint in hints.scalars(name, sight):
            for option in allowed:
                folded = isinstance(hint, str) and isinstance(option, str) and hint.lower() == option.lower()
                if folded or _same(option, hint):
                    return option
        if name in hints.MOTION or hints.is_action(name):
            raise _refuse(path, f"no value keeps a robot still; known: {', '.join(hints.STILL_ACTIONS)}")
        return False if any(option is False for option in allowed) else allowed[0]

    def _object(self, schema: Schema, sight: Sight, path: str, depth: int) -> dict[str, Any]:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        names = isinstance(required, list) and all(isinstance(name, str) for name in required)
        if not isinstance(properties, dict) or not names:
            raise _refuse(path, "properties is an object and required a list of names")
        if not isinstance(schema.get("additionalProperties", True), bool):
            raise _refuse(path, "additionalProperties is not true or false")
        if missing := [name for name in required if name not in properties]:
            raise _refuse(path, f"required names without properties: {', '.join(missing)}")
        return {
            name: self.value(inner, name, sight, f"{path}.properties.{name}", depth + 1)
            for name, inner in properties.items()
        }

    def _array(self, schema: Schema, name: str, sight: Sight, path: str, depth: int) -> list[Any]:
        least, most = _bounds(schema, "minItems", "maxItems", path)
        if "items" not in schema:
            if least:
                raise _refuse(path, "minItems without items")
            return []
        items = self._resolve(schema["items"], path)
        below = f"{path}.items"
        if items.get("type") == "object" or "properties" in items:
            sights = [sight.only(shape) for shape in hints.figures(name, sight)][:most]
            sights += [sight] * (least - len(sights))
            return [self.value(items, "", seen, below, depth + 1) for seen in sights]
        hinted = [value for value in hints.lists(name, sight) or () if _allows(items, value, below)]
        filled = hinted[:most] if "anyOf" not in items else []
        return filled + [self.value(items, name, sight, below, depth + 1) for _ in range(least - len(filled))]

    def _scalar(self, schema: Schema, kind: str, wanted: Any, name: str, path: str) -> Any:
        if kind == "null":
            return None
        if kind == "boolean":
            return next((hint for hint in wanted if isinstance(hint, bool)), False)
        if kind == "string":
            texts = [str(hint) for hint in wanted if isinstance(hint, str)]
            return _text(schema, texts[0] if texts else "unknown", path)
        value = _number(schema, kind, [hint for hint in wanted if type(hint) is int], path)
        if name in hints.MOTION and value:
            raise _refuse(path, "the bounds force a movement, and the simulator never moves a robot on a guess")
        return value


def _types(schema: Schema, path: str) -> list[str]:
    """The types that a schema allows; every type where it says nothing."""
    kinds = schema.get("type", list(_TYPES))
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not kinds or any(kind not in _TYPES for kind in kinds):
        raise _refuse(path, f"type {schema.get('type')!r} is not known")
    return kinds


def _type(schema: Schema, path: str) -> str:
    if "type" in schema:
        return _types(schema, path)[0]
    if "properties" in schema:
        return "object"
    if set(schema) - _NOTES:
        raise _refuse(path, "type is missing")
    return "string"


def _step(schema: Schema, path: str) -> int | None:
    step = schema.get("multipleOf")
    if "multipleOf" in schema and (type(step) is not int or step <= 0):
        raise _refuse(path, "multipleOf is a positive integer")
    return step


def _bounds(schema: Schema, low: str, high: str, path: str) -> tuple[int, int]:
    least, most = schema.get(low, 0), schema.get(high, _MAX_LENGTH)
    if type(least) is not int or type(most) is not int or not 0 <= least <= min(most, _MAX_LENGTH):
        raise _refuse(path, f"{low} and {high} must be integers with 0 ≤ {low} ≤ {high} and {low} ≤ {_MAX_LENGTH}")
    return least, most


def _text(schema: Schema, wanted: str, path: str) -> str:
    least, most = _bounds(schema, "minLength", "maxLength", path)
    return wanted[:most].ljust(least, ".")


def _limits(schema: Schema, path: str) -> tuple[float, float, bool, bool]:
    numbers = [schema[key] for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum") if key in schema]
    if any(type(number) not in (int, float) for number in numbers):
        raise _refuse(path, "a bound is not a number")
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    return low, high, low == schema.get("exclusiveMinimum"), high == schema.get("exclusiveMaximum")


def _number(schema: Schema, kind: str, wanted: list[int], path: str) -> int | float:
    low, high, open_low, open_high = _limits(schema, path)
    candidates: list[int | float] = [*wanted, 0]
    step = _step(schema, path) or 1
    if math.isfinite(low):
        lowest = math.ceil(low / step) * step if abs(low) < 2**53 else int(low)
        candidates += [lowest, lowest + step]
    if math.isfinite(high):
        highest = math.floor(high / step) * step if abs(high) < 2**53 else int(high)
        candidates += [highest, highest - step]
    if kind == "number" and "multipleOf" not in schema and math.isfinite(low) and math.isfinite(high):
        candidates += [low, high, low / 2 + high / 2]
    for candidate in candidates:
        above = candidate > low if open_low else candidate >= low
        below = candidate < high if open_high else candidate <= high
        if above and below and ("multipleOf" not in schema or candidate % step == 0):
            return candidate
    raise _refuse(path, "no number lies within the bounds")


def _same(first: Any, second: Any) -> bool:
    # JSON tells true from 1, Python does not.
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)


def _allows(schema: Schema, value: Any, path: str) -> bool:
    kinds = _types(schema, path)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "null": value is None,
        "number": is_number,
        "integer": is_number and value == value // 1,
    }
    if not any(fits[kind] for kind in kinds):
        return False
    if isinstance(value, str):
        least, most = _bounds(schema, "minLength", "maxLength", path)
        if not least <= len(value) <= most:
            return False
    if is_number:
        low, high, open_low, open_high = _limits(schema, path)
        if value < low or value > high or (open_low and value == low) or (open_high and value == high):
            return False
        step = _step(schema, path)
        if step and value % step:
            return False
    if "const" in schema and not _same(schema["const"], value):
        return False
    options = schema.get("enum", [value])
    if not isinstance(options, list):
        raise _refuse(path, "enum is a list with at least one value")
    return any(_same(option, value) for option in options)
