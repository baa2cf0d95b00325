"""Settings hold the bounds that their schema tells: here each edge is tried from both sides."""

import json
from typing import Any

import pytest

from qwen3vl_common.navigation.settings import Camera, History, Keyframes, Limits, Prompt, Recording
from qwen3vl_common.navigation.wrong import WrongFieldError
from qwen3vl_vln.task.settings import Settings

PARTS = [Limits, Keyframes, History, Camera, Recording, Prompt]


@pytest.mark.parametrize("part", PARTS)
def test_each_bound_of_the_schema_holds_and_the_refusal_names_both(part: Any) -> None:
    known = part.model_json_schema(by_alias=True)["properties"]
    assert part().as_json() == {name: field["default"] for name, field in known.items()}
    for name, field in known.items():
        if field["type"] not in ("number", "integer"):
            continue
        for bound, beyond in (("minimum", -0.001), ("maximum", 0.001)):
            edge = field[bound]
            fitting: dict[str, float] = {"maxIntervalSeconds": 60} if name == "minIntervalSeconds" else {}
            fitting |= {"minIntervalSeconds": 0.05} if name == "maxIntervalSeconds" else {}
            part.from_json(fitting | {name: edge}, "spec")
            allowed = rf"spec\.{name} is .*; allowed is {field['minimum']:g} to {field['maximum']:g}"
            with pytest.raises(WrongFieldError, match=allowed.replace("+", r"\+")) as caught:
                part.from_json({name: edge + (beyond if field["type"] == "number" else 1000 * beyond)}, "spec")
            assert caught.value.param == f"spec.{name}"


@pytest.mark.parametrize("value", [None, "1", True, float("nan"), float("inf"), [], {}])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(WrongFieldError, match=r"spec\.linearMetersPerSecond is a number"):
        Limits.from_json({"linearMetersPerSecond": value}, "spec")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(WrongFieldError, match="blindMeters"):
        Limits.from_json({"speed": 1}, "spec")


@pytest.mark.parametrize(("value", "right"), [(8.0, 8), (8.5, None), (8, 8), (1e300, None)])
def test_a_number_of_steps_is_whole_however_it_is_written(value: float, right: int | None) -> None:
    if right is None:
        with pytest.raises(WrongFieldError, match=r"limits\.maxSteps is"):
            Limits.from_json({"maxSteps": value}, "limits")
    else:
        assert Limits.from_json({"maxSteps": value}, "limits").max_steps == right


@pytest.mark.parametrize(
    ("part", "given", "said"),
    [
        (Limits, {"reverse": 1}, "is true or false"),
        (Prompt, {"language": "fr"}, "is one of en, zh"),
        (Prompt, {"profile": "points"}, "is one of waypoints, actions"),
        (Prompt, {"profile": "pixelGoal"}, "pixelGoal needs a camera with intrinsics"),
        (Keyframes, {"minIntervalSeconds": 3}, "is at most maxIntervalSeconds: 3 is more than 2"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(part: Any, given: dict[str, Any], said: str) -> None:
    [name] = given
    with pytest.raises(WrongFieldError, match=rf"^spec\.{name} {said}"):
        part.from_json(given, "spec")


def test_a_task_has_the_defaults_of_the_contract() -> None:
    task, wanted = Settings("go2", "Walk."), {part.__name__.lower(): part() for part in PARTS}
    assert {name: getattr(task, name) for name in wanted} == wanted
    assert json.loads(json.dumps(task.limits.as_json())) == task.limits.as_json()
