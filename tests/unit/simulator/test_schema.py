"""Structured answers: valid under the schema by an independent judge, and true to the picture where names allow it."""

from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qwen3vl_server.simulator.errors import BadRequestError
from qwen3vl_server.simulator.hints import Sight
from qwen3vl_server.simulator.schema import fill
from qwen3vl_server.simulator.vision import Scene, Shape

SCENE = Scene(
    "white",
    (Shape("red", "circle", 0.2, 0.2), Shape("blue", "square", 0.5, 0.5), Shape("red", "circle", 0.8, 0.2)),
)
SIGHT = Sight(SCENE, "I see 3 shapes.")
BLIND = Sight(None, "I see no picture.")
WAYPOINT = {
    "type": "object",
    "properties": {name: {"type": "number", "minimum": -1, "maximum": 1} for name in ("dx", "dy", "dtheta")},
    "required": ["dx", "dy", "dtheta"],
    "additionalProperties": False,
}
NAVIGATION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reached_goal": {"type": "boolean"},
        "waypoints": {"type": "array", "items": WAYPOINT, "maxItems": 5},
        "action": {"type": "string", "enum": ["forward", "left", "right", "hold", "stop"]},
    },
    "required": ["reached_goal", "waypoints", "action"],
    "additionalProperties": False,
}


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("name", "schema", "expected"),
    [
        ("count", {"type": "integer"}, 3),
        ("red_count", {"type": "integer"}, 2),
        ("numberOfBlueSquares", {"type": "integer"}, 1),
        ("how_many_circles", {"type": "number"}, 2),
        ("circles", {"type": "integer"}, 2),
        ("green_count", {"type": "integer"}, 0),
        ("count", {"type": "integer", "maximum": 2}, 0),
        ("colour", {"type": "string"}, "red"),
        ("color", {"enum": ["Green", "Blue"]}, "Blue"),
        ("colors", {"type": "array", "items": {"type": "string"}}, ["red", "blue"]),
        ("colors", {"type": "array", "items": {"enum": ["blue", "green"]}}, ["blue"]),
        ("background_color", {"type": "string"}, "white"),
        ("shapes", {"type": "array", "items": {"type": "string"}}, ["circle", "square", "circle"]),
        ("has_circle", {"type": "boolean"}, True),
        ("contains_green", {"type": "boolean"}, False),
        ("is_red", {"type": "boolean"}, True),
        ("description", {"type": "string"}, "I see 3 shapes."),
        ("description", {"type": "string", "maxLength": 5}, "I see"),
        ("anything", {"type": ["null", "string"]}, None),
        ("nickname", {"anyOf": [{"type": "string", "minLength": 9}, {"type": "null"}]}, "unknown.."),
        ("share", {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ("age", {"type": "integer", "minimum": 18}, 18),
        ("dozen", {"type": "integer", "minimum": 5, "multipleOf": 12}, 12),
        (
            "shapes",
            {"type": "array", "maxItems": 2, "items": an_object(color={"type": "string"}, kind={"type": "string"})},
            [{"color": "red", "kind": "circle"}, {"color": "blue", "kind": "square"}],
        ),
    ],
)
def test_the_value_comes_from_the_name_and_the_picture(name: str, schema: dict[str, Any], expected: Any) -> None:
    filled = fill(an_object(**{name: schema}), SIGHT)
    jsonschema.validate(filled, an_object(**{name: schema}))
    assert filled[name] == expected and type(filled[name]) is type(expected)


@pytest.mark.parametrize("sight", [SIGHT, BLIND])
def test_the_navigation_answer_stands_still(sight: Sight) -> None:
    filled = fill(NAVIGATION, sight)
    assert list(filled.items()) == [("reached_goal", False), ("waypoints", []), ("action", "hold")]


def test_forced_waypoints_are_zero() -> None:
    schema = NAVIGATION | {
        "properties": NAVIGATION["properties"] | {"waypoints": {"type": "array", "items": WAYPOINT, "minItems": 2}}
    }
    assert fill(schema, SIGHT)["waypoints"] == [{"dx": 0, "dy": 0, "dtheta": 0}] * 2


@pytest.mark.parametrize(
    "properties",
    [
        {"action": {"enum": ["forward", "left"]}},
        {"waypoints": {"type": "array", "minItems": 1, "items": an_object(dx={"type": "number", "minimum": 0.1})}},
        {"dtheta": {"type": "number", "exclusiveMaximum": 0}},
        {"dx": {"enum": [0.25, 0.5]}},
        {"dx": {"const": 1}},
        {"actions": {"type": "array", "minItems": 1, "items": {"enum": ["forward", "left"]}}},
    ],
)
def test_a_schema_that_forces_a_movement_is_refused(properties: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match=r"still|movement"):
        fill(an_object(**properties), SIGHT)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "array", "items": {}},
        an_object(a={"type": "string", "pattern": "a+"}),
        an_object(a={"type": "string", "format": "date"}),
        an_object(a={"oneOf": []}),
        an_object(a={"type": "text"}),
        an_object(a={"type": "integer", "minimum": 3, "maximum": 2}),
        an_object(a={"type": "integer", "minimum": 0.1, "maximum": 0.9}),
        an_object(a={"type": "integer", "minimum": "3"}),
        an_object(a={"type": "string", "minLength": 10**9}),
        an_object(a={"type": "string", "minLength": 3, "maxLength": 2}),
        an_object(a={"type": "array", "items": {"type": "null"}, "minItems": 10**9}),
        an_object(a={"enum": []}),
        an_object(a={"type": "integer", "enum": ["a"]}),
        an_object(a={"type": "integer", "enum": [True]}),
        an_object(a={"$ref": "#/properties/a"}),
        an_object(a={"$ref": "#/nowhere"}),
        an_object(a={"$ref": "http://example.com/schema"}),
        an_object(a={"$ref": "#"}),
        {"type": "object", "properties": [], "required": []},
        {"type": "object", "properties": {}, "required": ["a"]},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": 5}},
        {"$defs": {"n": an_object(n={"$ref": "#/$defs/n"})}, **an_object(a={"$ref": "#/$defs/n"})},
        an_object(a={"type": {}}),
        an_object(a={"type": []}),
        an_object(a={"type": "integer", "multipleOf": 0}),
    ],
)
def test_what_is_not_supported_is_refused_with_what_is(schema: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match="supported are object, array") as refused:
        fill(schema, SIGHT)
    assert refused.value.param and refused.value.param.startswith("response_format.json_schema.schema")


def test_nested_arrays_cannot_make_an_endless_answer() -> None:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(5):
        schema = {"type": "array", "items": schema, "minItems": 4000}
    with pytest.raises(BadRequestError, match="values"):
        fill(an_object(a=schema), SIGHT)


# A small alphabet: building the tables of all of Unicode takes seconds and finds nothing here.
TEXT = st.text("abc .ü車", max_size=9)
NAMES = st.sampled_from(["count", "red_count", "color", "colors", "shapes", "has_circle", "text", "x", "label"])
NUMBERS = st.integers(-1000, 1000) | st.floats(-1e6, 1e6, allow_nan=False)
BOUNDS = st.tuples(NUMBERS, NUMBERS).map(sorted)
SIZES = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted)


def numbers() -> st.SearchStrategy[dict[str, Any]]:
    kinds = st.sampled_from(["number", "integer"])
    bounded = BOUNDS.map(lambda b: {"minimum": b[0], "maximum": b[1] + 1})
    opened = BOUNDS.map(lambda b: {"exclusiveMinimum": b[0], "exclusiveMaximum": b[1] + 2})
    one = NUMBERS.map(lambda n: {"minimum": n}) | NUMBERS.map(lambda n: {"exclusiveMaximum": n})
    return st.builds(lambda kind, extra: {"type": kind, **extra}, kinds, st.just({}) | bounded | opened | one)


def scalars() -> st.SearchStrategy[dict[str, Any]]:
    sized = SIZES.map(lambda s: {"type": "string", "minLength": s[0], "maxLength": s[1]})
    values = st.lists(st.none() | st.booleans() | st.integers() | TEXT, min_size=1, max_size=5)
    fixed = values.map(lambda v: {"enum": v}) | values.map(lambda v: {"const": v[0]})
    plain: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [{"type": "boolean"}, {"type": "string"}, {"type": ["null", "integer"]}]
    )
    return numbers() | sized | fixed | plain


def properties(values: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, values, max_size=5).map(
        lambda named: {"type": "object", "properties": named, "required": list(named), "additionalProperties": False}
    )


def arrays(items: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda i, s: {"type": "array", "items": i, "minItems": s[0], "maxItems": s[1]}, items, SIZES)


@settings(deadline=None)
@given(properties(scalars() | arrays(scalars()) | arrays(properties(scalars()))), st.sampled_from([SIGHT, BLIND]))
def test_every_answer_is_valid_and_keeps_the_order(schema: dict[str, Any], sight: Sight) -> None:
    filled = fill(schema, sight)
    jsonschema.Draft202012Validator(schema).validate(filled)
    assert list(filled) == list(schema["properties"])
    assert fill(schema, sight) == filled


KEYWORDS = [
    "type",
    "properties",
    "items",
    "enum",
    "const",
    "anyOf",
    "minimum",
    "minItems",
    "$ref",
    "required",
    "maxLength",
    "multipleOf",
    "exclusiveMaximum",
    "additionalProperties",
    "a",
]
KINDS = st.sampled_from(["object", "array", "string", "integer", "number", "#/a"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner | KINDS, max_size=5),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYWORDS), JUNK | st.just("object"), max_size=6))
@example({"type": "object", "required": [[]]})
def test_a_nonsense_schema_is_answered_or_refused_never_a_crash(schema: dict[str, Any]) -> None:
    try:
        filled = fill(schema, SIGHT)
    except BadRequestError:
        return
    assert isinstance(filled, dict)
