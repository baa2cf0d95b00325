"""The NavTask's fields against the VLN API that acts on them."""

import dataclasses
from typing import Any

import pytest
from tests.unit.operator.nav_task.samples_nav import nav_body, nav_task

from qwen3vl_operator.nav_task.record import Resume, assertion
from qwen3vl_operator.nav_task.spec import History, Keyframes, Limits, NavTaskSpec
from qwen3vl_operator.vision_model.spec import Ceilings
from qwen3vl_vln.edge.http import bodies
from qwen3vl_vln.motion import limits as vln
from qwen3vl_vln.task.ceilings import BOUNDED

PAIRS = [(Limits, vln.Limits), (Keyframes, vln.Keyframes), (History, vln.History)]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=["limits", "keyframes", "history"])
def test_the_schema_has_the_vln_apis_names_defaults_and_bounds(ours: Any, theirs: Any) -> None:
    schema = ours.model_json_schema(by_alias=True)["properties"]
    assert ours(**{}).model_dump(by_alias=True) == theirs().as_json()
    for field in dataclasses.fields(theirs):
        head, *rest = field.name.split("_")
        part = schema[head + "".join(word.capitalize() for word in rest)]
        if "low" in field.metadata:
            # What the apiserver takes, the VLN API takes.
            assert field.metadata["low"] <= part["minimum"] < part["maximum"] <= field.metadata["high"], field.name


def test_a_ceiling_may_be_what_its_limit_may_be() -> None:
    limits = Limits.model_json_schema(by_alias=True)["properties"]
    bounded = Ceilings.model_json_schema(by_alias=True)["properties"]
    assert set(bounded) == set(BOUNDED)
    for name, field in bounded.items():
        number = next(one for one in field["anyOf"] if one["type"] == "number")
        assert (number["minimum"], number["maximum"]) == (limits[name]["minimum"], limits[name]["maximum"]), name


def test_the_vln_api_understands_an_assertion() -> None:
    changes = {"limits": {"reverse": True, "maxSteps": 7}, "prompt": {"language": "zh"}, "recording": {"enabled": True}}
    task = nav_task(state="Paused", generation=4, **changes)
    wish = bodies.assertion(assertion(task, Resume(elapsed_seconds=12.5, steps=3)))
    assert (wish.owner.name, wish.owner.generation, wish.state) == ("walk", 4, "Paused")
    assert (wish.settings.limits.reverse, wish.settings.limits.max_steps) == (True, 7)
    assert (wish.settings.language, wish.settings.robot) == ("zh", "go2-01")
    assert wish.settings.recording and not bodies.assertion(assertion(nav_task(), None)).settings.recording
    assert (wish.elapsed_seconds, wish.steps, wish.resumed) == (12.5, 3, True)
    assert not bodies.assertion(assertion(task, None)).resumed


def test_every_field_of_the_spec_acts() -> None:
    sent = set(assertion(nav_task(), None)) - {"owner"}
    named = set(NavTaskSpec.model_json_schema(by_alias=True)["properties"])
    # The model chooses the VLN API; the lifetime is the operator's.
    assert named - sent == {"modelRef", "ttlSecondsAfterFinished"}
    assert sent <= named


def test_the_id_is_the_name_and_a_part_of_the_uid() -> None:
    assert nav_task().task_id == "walk-0123abcd"
    assert nav_body()["metadata"]["uid"].startswith("0123abcd")
