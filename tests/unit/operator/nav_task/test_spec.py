"""The NavTask's fields against the VLN API that acts on them."""

from tests.unit.operator.nav_task.samples_nav import nav_body, nav_task

from qwen3vl_common.navigation.requests import Resume
from qwen3vl_common.navigation.settings import Limits
from qwen3vl_operator.nav_task.record import assertion
from qwen3vl_operator.nav_task.spec import NavTaskSpec
from qwen3vl_operator.vision_model.spec import Ceilings
from qwen3vl_vln.edge.http import bodies
from qwen3vl_vln.task.ceilings import BOUNDED


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
    assert (wish.settings.prompt.language, wish.settings.robot) == ("zh", "go2-01")
    assert wish.settings.recording.enabled
    assert not bodies.assertion(assertion(nav_task(), None)).settings.recording.enabled
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
