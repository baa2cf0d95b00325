"""What may be set about a task, followed to where it acts: a field of the contract that reaches nobody fails here."""

import ast
from dataclasses import fields, replace
from typing import Any

import pytest
from tests.unit.operator.nav_task.samples_nav import nav_task
from tests.unit.vln.samples import WORKER

from qwen3vl_common.navigation.settings import Parts
from qwen3vl_common.navigation.wrong import aliases, part_of
from qwen3vl_operator.nav_task.record import assertion as assertion_body
from qwen3vl_vln.edge.http.bodies import assertion, creation
from qwen3vl_vln.edge.link import WorkerLink
from qwen3vl_vln.ipc.to_worker import TaskUpdate, ToWorker
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.task import Task

from .pages import ROOT


def fields_of_contract() -> list[tuple[str, str]]:
    """Each part and each of its fields, as they are written in JSON."""
    found = []
    for name, one in aliases(Parts).items():
        part = part_of(one)
        assert part is not None, "all settings stand in parts"
        found += [(name, field) for field in aliases(part)]
    return found


def another(part: str, field: str) -> dict[str, Any]:
    """The part with another value of this field than the default."""
    model = part_of(aliases(Parts)[part])
    assert model is not None
    schema = model.model_json_schema(by_alias=True)["properties"][field]
    default = schema["default"]
    if schema["type"] == "boolean":
        return {part: {field: not default}}
    if "enum" in schema:
        return {part: {field: next(one for one in schema["enum"] if one != default)}}
    return {part: {field: default + (1 if schema["type"] == "integer" else 0.25)}}


class Channel:
    """Keeps what a link says."""

    def __init__(self) -> None:
        self.said: list[ToWorker] = []

    def send(self, message: ToWorker) -> None:
        self.said.append(message)


def told(settings: Settings) -> TaskUpdate:
    """What the worker is told of a task with these settings."""
    channel = Channel()
    link = WorkerLink(WORKER, on_message=lambda message: None, tasks=list, _channel=channel)
    link.tell(Task("t-1", "boot", settings, 0.0))
    [message] = channel.said
    assert isinstance(message, TaskUpdate)
    return message


USUAL = creation({"instruction": "Walk."}).settings


def test_the_vln_api_keeps_the_contracts_parts_whole() -> None:
    assert set(Parts.model_fields) <= {field.name for field in fields(Settings)}
    assert {name: getattr(Settings("go2", "Walk."), name) for name in Parts.model_fields} == dict(Parts())


@pytest.mark.parametrize(("part", "field"), fields_of_contract())
def test_what_is_set_arrives_by_each_way_and_goes_on_to_the_worker(part: str, field: str) -> None:
    given = another(part, field)
    made = creation({"instruction": "Walk.", "config": given}).settings
    asserted = assertion(assertion_body(nav_task(**given), None)).settings
    for settings in (made, asserted):
        assert getattr(settings, part).as_json()[field] == given[part][field]
    assert told(made) != told(USUAL)


def test_what_is_told_to_the_worker_differs_by_settings_alone() -> None:
    assert told(replace(USUAL)) == told(USUAL)


@pytest.mark.parametrize("name", [name for part in Parts().__dict__.values() for name in type(part).model_fields])
def test_each_field_is_read_where_it_acts(name: str) -> None:
    assert name in READ


READ = {
    node.attr
    for file in (ROOT / "images/vln/qwen3vl_vln").rglob("*.py")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
}
