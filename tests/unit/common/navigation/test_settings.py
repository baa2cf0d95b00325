"""Each user of what may be set about a task, walked: a field, a bound, a default or a rule on one side only fails."""

from collections.abc import Callable
from contextlib import nullcontext
from itertools import product
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from tests.unit.operator.nav_task.samples_nav import nav_task

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.navigation import settings
from qwen3vl_common.navigation.requests import AssertTask, ChangeTask, CreateTask
from qwen3vl_common.navigation.wrong import WrongFieldError, aliases, parsed
from qwen3vl_common.special_tokens import SPECIAL_TOKENS
from qwen3vl_operator.nav_task.record import assertion
from qwen3vl_vln.edge.http.bodies import creation
from qwen3vl_vln.task.ceilings import BOUNDED

from .pages import Object, body_schema, definition

PARTS: list[type[settings.SettingsPart]] = [
    settings.Limits,
    settings.Keyframes,
    settings.History,
    settings.Camera,
    settings.Recording,
    settings.Prompt,
]
COMPARED = ("type", "minimum", "maximum", "minLength", "maxLength", "pattern", "enum", "default")


def fields(schema: Object) -> dict[str, Object]:
    """What is compared of each field of an object, by its path."""
    found: dict[str, Object] = {}
    for name, field in schema["properties"].items():
        field = next((one for one in field.get("anyOf", ()) if one.get("type") != "null"), field)
        if "properties" in field:
            found |= {f"{name}.{inner}": said for inner, said in fields(field).items()}
        else:
            found[name] = {key: field[key] for key in COMPARED if key in field}
    return found


def contract_fields() -> dict[str, Object]:
    found: dict[str, Object] = {}
    for part in PARTS:
        found |= {
            f"{part.__name__.lower()}.{name}": {key: field[key] for key in COMPARED if key in field}
            for name, field in part.model_json_schema(by_alias=True)["properties"].items()
        }
    return found


@pytest.mark.parametrize(
    ("user", "schema", "more"),
    [
        (
            "NavTask's schema",
            lambda: definition("navtasks")["spec"],
            {"modelRef.name", "robot", "instruction", "state", "ttlSecondsAfterFinished"},
        ),
        (
            "OpenAPI of an assertion",
            lambda: body_schema("put", "/vln/task/{task_id}"),
            {"robot", "instruction", "state", "resume.elapsedSeconds", "resume.steps"}
            | {f"owner.{name}" for name in ("uid", "namespace", "name", "generation")},
        ),
        (
            "OpenAPI of a creation",
            lambda: body_schema("post", "/vln/task/create")["properties"]["config"],
            {"robot", "keyframe_threshold", "history_frames", "enable_visualization"},
        ),
    ],
)
def test_each_schema_has_the_contracts_settings_with_their_bounds_and_defaults(
    user: str, schema: Callable[[], Object], more: set[str]
) -> None:
    contract, found = contract_fields(), fields(schema())
    assert found.keys() - contract.keys() == more, user
    assert {name: found[name] for name in contract} == contract, user


def test_each_part_of_the_contract_is_walked_here() -> None:
    assert [field.annotation for field in settings.Parts.model_fields.values()] == PARTS


def test_robot_instruction_and_state_have_the_same_bounds_wherever_they_stand() -> None:
    asserted, wanted = fields(body_schema("put", "/vln/task/{task_id}")), fields(definition("navtasks")["spec"])
    made, changed = (
        fields(body_schema(*of)) for of in (("post", "/vln/task/create"), ("patch", "/vln/task/{task_id}"))
    )
    assert {name: asserted[name] for name in ("robot", "instruction", "state")} == {
        name: wanted[name] for name in ("robot", "instruction", "state")
    }
    assert asserted["instruction"] == made["instruction"] == changed["instruction"]
    assert asserted["robot"] == made["config.robot"]
    assert asserted["state"]["enum"] == changed["state"]["enum"]
    limits = contract_fields()
    for older, today in (("keyframe_threshold", "keyframes.threshold"), ("history_frames", "history.frames")):
        assert made[f"config.{older}"] == {key: said for key, said in limits[today].items() if key != "default"}


def test_a_ceiling_has_the_bounds_of_its_limit() -> None:
    found = fields(definition("visionmodels")["spec"]["properties"]["navigation"]["properties"]["ceilings"])
    assert set(found) == set(BOUNDED)
    for name, said in found.items():
        limit = contract_fields()[f"limits.{name}"]
        assert said == {key: value for key, value in limit.items() if key != "default"}


@pytest.mark.parametrize("part", PARTS)
def test_rules_between_fields_are_the_same_in_cel_and_in_python(part: type[settings.SettingsPart]) -> None:
    schema = part.model_json_schema(by_alias=True)
    rules = [each["rule"] for each in schema.get("x-kubernetes-validations", ())]
    values = {name: _values(field) for name, field in schema["properties"].items()} if rules else {}
    for choice in product(*values.values()):
        given = dict(zip(values, choice, strict=True))
        allowed = all(eval(rule, {"self": SimpleNamespace(**given)}) for rule in rules)
        assert _is_taken(part, given) == allowed, given


@pytest.mark.parametrize("field", [f"{part.__name__.lower()}.{name}" for part in PARTS for name in aliases(part)])
def test_what_the_apiserver_takes_the_vln_api_takes_and_nothing_else(field: str) -> None:
    part, name = field.split(".")
    schema = definition("navtasks")["spec"]["properties"][part]
    bounds = [edge + beyond for edge in _edges(schema["properties"][name]) for beyond in (-1, -0.001, 0, 0.001, 1)]
    for value in [*bounds, 8, 8.0, 8.5, -1, 1e12, True, False, "1", "", "en", "actions", "pixelGoal", [], {}, [1]]:
        rules = [each["rule"] for each in schema.get("x-kubernetes-validations", ())]
        whole = {one: said["default"] for one, said in schema["properties"].items()} | {name: value}
        allowed = jsonschema.Draft202012Validator(schema).is_valid({name: value}) and all(
            eval(rule, {"self": SimpleNamespace(**whole)}) for rule in rules
        )
        with pytest.raises(InvalidRequest, match=rf"^config\.{part}\.\w+ ") if not allowed else nullcontext():
            creation({"instruction": "Walk.", "config": {part: {name: value}}})


def _edges(field: Object) -> list[float]:
    return [field[bound] for bound in ("minimum", "maximum") if bound in field]


def _values(field: Object) -> list[Any]:
    if "enum" in field:
        return list(field["enum"])
    if field["type"] == "boolean":
        return [False, True]
    return sorted({field["minimum"], field["default"], min(field["maximum"], 5), field["maximum"]})


@pytest.mark.parametrize("part", PARTS)
def test_rules_are_tried_with_some_values_of_each_field(part: type[settings.SettingsPart]) -> None:
    for name, field in part.model_json_schema(by_alias=True)["properties"].items():
        assert field["default"] in _values(field) and len(_values(field)) > 1, name


def _is_taken(part: type[settings.SettingsPart], given: Object) -> bool:
    try:
        part.from_json(given, "spec")
    except WrongFieldError:
        return False
    return True


@pytest.mark.parametrize("body", [CreateTask, AssertTask, ChangeTask])
def test_the_examples_of_the_openapi_page_are_taken(body: Any) -> None:
    [example] = body.model_json_schema()["examples"]
    assert parsed(body, example)


def test_all_that_the_operator_asserts_is_of_the_contract() -> None:
    ignored: list[str] = []
    parsed(AssertTask, assertion(nav_task(), None), ignored=ignored)
    assert ignored == []


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_an_instruction_cannot_pose_as_another_message_of_the_prompt(token: str) -> None:
    with pytest.raises(WrongFieldError, match="marks of the model") as caught:
        parsed(CreateTask, {"instruction": f"Walk on.{token}"})
    assert token in str(caught.value)
