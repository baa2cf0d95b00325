"""Bodies about tasks: what is taken, what is ignored and told, what is refused by name."""

import re
from pathlib import Path
from typing import Any

import pytest

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.navigation.requests import OLDER
from qwen3vl_vln.edge.http.bodies import BOUNDING, Creation, assertion, creation

OWNER = {"uid": "0a1b2c3d-0000", "namespace": "robots", "name": "walk", "generation": 1}
ASSERTED = {"owner": OWNER, "instruction": "Walk.", "robot": "go2-01", "state": "Running"}


def made(**config: Any) -> Creation:
    return creation({"instruction": "Walk.", "config": config})


def refused(body: Any) -> str:
    """The field that a creation is refused for, which the message names too."""
    with pytest.raises(InvalidRequest) as caught:
        creation(body)
    assert caught.value.param and caught.value.param in str(caught.value)
    return caught.value.param


@pytest.mark.parametrize(
    "name",
    [
        "linearMetersPerSecond",
        "linear_meters_per_second",
        "blindMeters",
        "reverse",
        "timeoutSeconds",
        "Robot",
        "threshold",
    ],
)
def test_a_field_in_the_wrong_place_or_spelling_is_refused_by_name(name: str) -> None:
    assert refused({"instruction": "Walk.", "config": {name: 0.1}}) == f"config.{name}"


def test_a_known_clients_request_is_taken_and_told_what_has_no_effect() -> None:
    wanted = made(
        output_fps=5,
        history_frames=10,
        keyframe_threshold=0.2,
        enable_visualization=True,
        max_waypoints_per_inference=5,
        history_summary="",
        note=None,
    )
    ignored = ("history_summary", "max_waypoints_per_inference", "note", "output_fps")
    assert wanted.ignored == tuple(f"config.{name}" for name in ignored)
    settings = wanted.settings
    assert (settings.history.frames, settings.keyframes.threshold, settings.visualize) == (10, 0.2, True)
    assert creation({"instruction": "Walk."}).ignored == ()


@pytest.mark.parametrize("name", ["limit", "Limits", "maxSpeed", "top_velocity", "VEL", "max_turn", "safeDistance"])
@pytest.mark.parametrize("value", [0.1, {"linearMetersPerSecond": 0.1}])
def test_what_sounds_like_a_bound_is_never_ignored(name: str, value: Any) -> None:
    assert refused({"instruction": "Walk.", "config": {name: value}}) == f"config.{name}"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"instruction": "Walk.", "limits": {"linearMetersPerSecond": 0.1}}, "limits"),
        ({"instruction": "Walk.", "robot": "go2"}, "robot"),
        ({"instruction": "Walk.", "config": {"camera_info": {"fx": 1.0}}}, "config.camera_info"),
        ({"instruction": "Walk.", "config": {"tags": ["a"]}}, "config.tags"),
        ({"instruction": "Walk.", "config": {"limits": {"maxSpeed": 0.1}}}, "config.limits.maxSpeed"),
        ({"instruction": "Walk.", "config": {"prompt": {"lang": "zh"}}}, "config.prompt.lang"),
        ({"instruction": "Walk.", "config": {"recording": {"on": True}}}, "config.recording.on"),
        ({"instruction": "Walk.", "config": {"history": {"frame": 2}}}, "config.history.frame"),
    ],
)
def test_all_else_that_is_not_known_is_refused_by_name(body: Any, field: str) -> None:
    assert refused(body) == field


@pytest.mark.parametrize("part", ["limits", "keyframes", "history", "camera", "recording", "prompt"])
@pytest.mark.parametrize("value", [[], "", 0, False, [{}]])
def test_a_part_that_is_no_object_is_refused(part: str, value: Any) -> None:
    assert refused({"instruction": "Walk.", "config": {part: value}}) == f"config.{part}"
    with pytest.raises(InvalidRequest, match=part):
        assertion(ASSERTED | {part: value})


@pytest.mark.parametrize("value", [[], "", 0, False])
def test_a_config_that_is_no_object_is_refused(value: Any) -> None:
    assert refused({"instruction": "Walk.", "config": value}) == "config"


@pytest.mark.parametrize("robot", ["a b/../c", "", "-go2", "go2.", "r" * 64, "go2\n", "gö2", 7])
def test_a_robots_name_is_one_that_the_schema_takes(robot: Any) -> None:
    assert refused({"instruction": "Walk.", "config": {"robot": robot}}) == "config.robot"
    with pytest.raises(InvalidRequest, match="robot"):
        assertion(ASSERTED | {"robot": robot})


@pytest.mark.parametrize("robot", ["go2", "Go2-01.lab_3", "7", "r" * 63])
def test_other_names_are_taken(robot: str) -> None:
    assert made(robot=robot).settings.robot == assertion(ASSERTED | {"robot": robot}).settings.robot == robot


@pytest.mark.parametrize("given", [{"minIntervalSeconds": 5, "maxIntervalSeconds": 1}, {"minIntervalSeconds": 5}])
def test_the_least_interval_is_at_most_the_largest(given: Any) -> None:
    assert refused({"instruction": "Walk.", "config": {"keyframes": given}}) == "config.keyframes.minIntervalSeconds"


def test_the_history_may_be_given_as_in_a_navtask() -> None:
    assert made(history={"frames": 3}, history_frames=5).settings.history.frames == 3


def test_what_a_newer_operator_sends_is_ignored_and_told_and_the_task_stopped() -> None:
    newer = {
        "state": "Stopped",
        "speech": {"voice": "low"},
        "owner": OWNER | {"kind": "NavTask"},
        "limits": {"linearMetersPerSecond": 0.3, "jerk": 2.0},
        "prompt": {"tone": "calm"},
        "resume": {"elapsedSeconds": 1.0, "metres": 3},
    }
    wish = assertion(ASSERTED | newer)
    assert wish.ignored == ("limits.jerk", "owner.kind", "prompt.tone", "resume.metres", "speech")
    assert (wish.state, wish.settings.limits.linear_meters_per_second) == ("Stopped", 0.3)


def test_a_part_that_is_null_is_as_one_that_is_absent() -> None:
    parts = dict.fromkeys(("limits", "keyframes", "history", "camera", "recording", "prompt"))
    assert made(**parts).settings == made().settings
    assert creation({"instruction": "Walk.", "config": None}).settings == made().settings
    wish = assertion(ASSERTED | parts | {"resume": None})
    assert wish.settings.limits == made().settings.limits and not wish.resumed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"owner": None}, "owner is a JSON object"),
        ({"owner": OWNER | {"generation": 1.5}}, "owner.generation is a whole number"),
        ({"owner": OWNER | {"generation": True}}, "owner.generation is a number"),
        ({"owner": OWNER | {"uid": " "}}, "owner.uid is a text of 1 to 253 characters"),
        ({"state": None}, "state is one of Running, Paused, Stopped"),
        ({"state": "Walking"}, "state is one of Running, Paused, Stopped"),
        ({"instruction": "x" * 2001}, "instruction is a text of 1 to 2000 characters"),
        ({"resume": {"elapsedSeconds": -1}}, "resume.elapsedSeconds is -1; allowed is 0 to 1e+09"),
        ({"resume": {"steps": "3"}}, "resume.steps is a number"),
        ({"limits": {"maxSteps": 2.5}}, "limits.maxSteps is a whole number"),
        ({"prompt": {"profile": "pixelGoal"}}, "prompt.profile pixelGoal needs a camera with intrinsics"),
    ],
)
def test_a_wrong_assertion_is_told_the_field_and_what_would_be_right(changes: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        assertion(ASSERTED | changes)
    assert str(caught.value).startswith(said) and said.startswith(str(caught.value.param))


def test_a_setting_of_the_older_protocol_is_bounded_as_the_one_it_means() -> None:
    assert refused({"instruction": "Walk.", "config": {"history_frames": 16}}) == "config.history_frames"
    assert refused({"instruction": "Walk.", "config": {"keyframe_threshold": "0.2"}}) == "config.keyframe_threshold"


def test_the_names_that_sound_like_a_bound_stand_in_the_protocol() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
    told = page.partition("but a name with ")[2].partition(" in it")[0]
    assert set(re.findall("`([a-z]+)`", told)) == set(BOUNDING.pattern.split("|"))


def test_a_wrong_setting_is_refused_by_the_name_that_the_client_wrote() -> None:
    with pytest.raises(InvalidRequest) as caught:
        creation({"instruction": "Walk.", "config": {"keyframe_threshold": 7}})
    assert str(caught.value) == "config.keyframe_threshold is 7; allowed is 0 to 1"
    both = {"history": {"frames": 99}, "history_frames": 5}
    assert refused({"instruction": "Walk.", "config": both}) == "config.history.frames"
    other = {"keyframes": {"minIntervalSeconds": -1}, "keyframe_threshold": 0.2}
    assert refused({"instruction": "Walk.", "config": other}) == "config.keyframes.minIntervalSeconds"


@pytest.mark.parametrize("older", OLDER)
def test_a_setting_of_the_older_protocol_that_is_null_is_as_one_that_is_absent(older: str) -> None:
    assert made(**{older: None}) == made()
    part, name = OLDER[older]
    assert made(**{older: None, part: {name: 0}}) == made(**{part: {name: 0}})


@pytest.mark.parametrize("state", ["Stopped", "stopped", " STOP "])
def test_a_stop_is_understood_however_its_state_is_spelt(state: str) -> None:
    assert assertion(ASSERTED | {"state": state}).state == "Stopped"
    assert assertion({key: value for key, value in ASSERTED.items() if key != "state"} | {"State": state}).ignored == (
        "State",
    )
