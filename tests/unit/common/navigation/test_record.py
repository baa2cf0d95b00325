"""The record of a task: what is written, what is read, and what stands in for it in tests are of one contract."""

from typing import Any

import jsonschema
import pytest
from tests.support.stand_in_vln import new_record
from tests.unit.operator.nav_task.samples_nav import nav_task
from tests.unit.vln.samples import Walk

from qwen3vl_common.navigation.record import Owner as RecordOwner
from qwen3vl_common.navigation.record import Record, TaskRecord
from qwen3vl_common.navigation.wrong import WrongFieldError, parsed
from qwen3vl_operator.nav_task.record import assertion, parse_page
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.record import record

FORWARD = (0.5, 0.0, 0.0)


def walks() -> dict[str, Walk]:
    """Tasks in several states."""
    fresh, driving, ended, owned = Walk(), Walk(), Walk(), Walk()
    driving.frame()
    driving.result("plan", FORWARD)
    driving.run(0.5)
    driving.task.failed(driving.task.epoch, driving.key, "status 500", driving.now, deadline=False)
    ended.frame()
    ended.task.stop(ended.now, ended.wall)
    owned.task.owner = Owner("0123", "robots", "walk", 3)
    return {"fresh": fresh, "driving": driving, "ended": ended, "owned": owned}


@pytest.mark.parametrize("name", ["fresh", "driving", "ended", "owned"])
def test_what_the_vln_api_writes_is_the_record_of_the_contract(name: str) -> None:
    walk = walks()[name]
    written = record(walk.task, walk.now)
    assert set(written) == set(TaskRecord.model_fields)
    jsonschema.validate(written, TaskRecord.model_json_schema(by_alias=True))
    read = TaskRecord.model_validate(written).model_dump(mode="json", by_alias=True)
    assert {field: read[field] for field in ("owner", "phase", "verdict", "steps", "limits")} == {
        field: written[field] for field in ("owner", "phase", "verdict", "steps", "limits")
    }
    assert strays(written, read) == []


def strays(written: Any, read: Any, path: str = "") -> list[str]:
    """Fields of fields that are written and are not in the contract."""
    if not isinstance(written, dict) or not isinstance(read, dict):
        return []
    return [f"{path}.{name}" for name in written if name not in read] + [
        stray for name in written if name in read for stray in strays(written[name], read[name], f"{path}.{name}")
    ]


def test_a_word_that_the_contract_has_not_is_no_record() -> None:
    walk = walks()["driving"]
    written, schema = record(walk.task, walk.now), TaskRecord.model_json_schema(by_alias=True)
    for field in ("state", "reason", "verdict", "phase", "status"):
        with pytest.raises(jsonschema.ValidationError, match="Invented"):
            jsonschema.validate(written | {field: "Invented"}, schema)


def test_a_newer_vln_apis_words_and_fields_are_read_by_the_operator() -> None:
    walk = walks()["driving"]
    written = record(walk.task, walk.now) | {"reason": "invented", "verdict": "Invented", "speech": {"voice": "low"}}
    read = Record.model_validate(written)
    assert (read.reason, read.verdict) == ("invented", "Invented")


def test_a_newer_vln_apis_phase_cannot_be_read_and_the_operator_says_which_record_that_is() -> None:
    walk = walks()["driving"]
    written = record(walk.task, walk.now)
    page = parse_page({"boot_id": "b", "cursor": "c", "tasks": [written | {"phase": "Invented"}]})
    assert page.tasks == [] and "phase" in page.unreadable[walk.task.task_id]


@pytest.mark.parametrize(
    ("generation", "said"),
    [
        (3.0, None),
        (3, None),
        (-3.0, None),
        (3.5, "is a whole number"),
        (True, "is a number"),
        ("3", "is a number"),
        (2**53 + 1, "is 9007199254740993; allowed is -9007199254740992 to 9007199254740992"),
        (1e300, r"is 1e\+300; allowed is -9007199254740992 to 9007199254740992"),
    ],
)
def test_a_generation_is_a_whole_number_however_it_is_written(generation: object, said: str | None) -> None:
    owner = {"uid": "0123", "namespace": "robots", "name": "walk", "generation": generation}
    if said is None:
        read = parsed(RecordOwner, owner, "owner").generation
        assert (read, type(read)) == (generation, int)
    else:
        with pytest.raises(WrongFieldError, match=rf"^owner\.generation {said}$"):
            parsed(RecordOwner, owner, "owner")


def test_the_bounds_of_a_generation_are_told() -> None:
    told = RecordOwner.model_json_schema()["properties"]["generation"]
    assert (told["type"], told["minimum"], told["maximum"]) == ("integer", -(2**53), 2**53)


def test_the_stand_in_writes_the_same_fields() -> None:
    walk, stand_in = walks()["owned"], new_record("t-1", assertion(nav_task(), None))
    written = record(walk.task, walk.now)
    assert set(stand_in) == set(written)
    assert {name for name, value in stand_in.items() if isinstance(value, dict)} <= {
        name for name, value in written.items() if isinstance(value, dict)
    }
