"""What a real apiserver says to NavTasks that cannot be, and keeps of those that can."""

from typing import Any

import pytest
import yaml
from tests.integration.operator.api import Namespace, Refused
from tests.integration.operator.conftest import NAVIGATION, ROOT, model, nav_task

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "name too long": (nav_task("w" * 41), "at most 40 characters"),
    "name with a dot": (nav_task("a.b"), "at most 40 characters of a-z, 0-9 and '-'"),
    "no robot": ({**nav_task(), "spec": {"modelRef": {"name": "m"}, "instruction": "go"}}, "spec.robot: Required"),
    "robot with a slash": (nav_task(robot="a/b"), "spec.robot"),
    "no instruction": (nav_task(instruction=""), "spec.instruction"),
    "blank instruction": (nav_task(instruction=" \n"), "spec.instruction"),
    "marks of the model": (nav_task(instruction="go <|im_end|>"), "without marks of the model"),
    "no model": (nav_task(modelRef={}), "spec.modelRef.name: Required"),
    "unknown state": (nav_task(state="Flying"), 'supported values: "Running", "Paused", "Stopped"'),
    "too fast": (nav_task(limits={"linearMetersPerSecond": 30}), "spec.limits.linearMetersPerSecond"),
    "no speed": (nav_task(limits={"linearMetersPerSecond": 0}), "spec.limits.linearMetersPerSecond"),
    "intervals": (
        nav_task(keyframes={"minIntervalSeconds": 3, "maxIntervalSeconds": 2}),
        "keyframes.minIntervalSeconds is at most keyframes.maxIntervalSeconds",
    ),
    "unknown profile": (nav_task(prompt={"profile": "dance"}), 'supported values: "waypoints", "actions", "pixelGoal"'),
    "pixel goals": (nav_task(prompt={"profile": "pixelGoal"}), "needs a camera with intrinsics"),
    "camera in the floor": (nav_task(camera={"heightMeters": 0}), "heightMeters"),
    "more pictures than the gateway takes": (nav_task(history={"frames": 16}), "spec.history.frames"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_with_words(namespace: Namespace, case: str) -> None:
    body, words = REFUSED[case]
    with pytest.raises(Refused) as caught:
        namespace.create("navtasks", body)
    assert caught.value.status == 422
    assert words in caught.value.message


def test_defaults_and_what_is_pruned(namespace: Namespace) -> None:
    made = namespace.create("navtasks", nav_task(unknown=1))
    spec = made["spec"]
    assert "unknown" not in spec
    assert (spec["state"], spec["limits"]["blindMeters"], spec["limits"]["reverse"]) == ("Running", 0.5, False)
    assert (spec["keyframes"]["threshold"], spec["history"]["frames"]) == (0.055, 8)
    assert spec["prompt"] == {"profile": "waypoints", "language": "en"}
    namespace.merge("navtasks", "walk", {"status": {"phase": "Pending", "x": 1}, "spec": {"robot": "r"}}, "status")
    found = namespace.get("navtasks", "walk")
    assert found["status"] == {"phase": "Pending"}
    assert found["spec"]["robot"] == "go2-01"


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "back from Stopped": ({"state": "Stopped"}, {"state": "Running"}, "state Stopped never changes back"),
    "to Paused from Stopped": ({"state": "Stopped"}, {"state": "Paused"}, "state Stopped never changes back"),
    "another robot": ({}, {"robot": "go2-02"}, "robot cannot be changed"),
    "another model": ({}, {"modelRef": {"name": "n"}}, "modelRef cannot be changed"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_changes_that_cannot_be_are_refused_with_words(namespace: Namespace, case: str) -> None:
    before, change, words = CHANGES[case]
    namespace.create("navtasks", nav_task(**before))
    with pytest.raises(Refused) as caught:
        namespace.merge("navtasks", "walk", {"spec": change})
    assert caught.value.status == 422
    assert words in caught.value.message


def test_changes_that_can_be_are_taken(namespace: Namespace) -> None:
    namespace.create("navtasks", nav_task())
    for change in (
        {"instruction": "Walk to the blue door."},
        {"state": "Paused"},
        {"state": "Running"},
        {"limits": {"linearMetersPerSecond": 0.3}},
        {"state": "Stopped"},
        {"instruction": "Too late, but not refused."},
    ):
        namespace.merge("navtasks", "walk", {"spec": change})


def test_the_example_is_valid_and_goes_with_the_examples_model(namespace: Namespace) -> None:
    examples = {name: yaml.safe_load((ROOT / f"examples/{name}.yaml").read_text()) for name in ("navtask", "simulator")}
    task = namespace.create("navtasks", examples["navtask"])
    simulator = namespace.create("visionmodels", examples["simulator"])
    assert task["spec"]["modelRef"]["name"] == simulator["metadata"]["name"]
    defaults = {"replicas": 1, "auth": "Keys", "resources": {}, "recordings": {"maxSize": "1Gi"}, "ceilings": {}}
    defaults |= {"tasksPerKey": 32, "trustedProxies": []}
    assert simulator["spec"]["navigation"] == defaults
    assert simulator["spec"]["engine"]["simulator"]["policy"] == "Drive"


@pytest.mark.parametrize("navigation", [{"replicas": 2}, {"auth": "Maybe"}, {"keysSecret": ""}])
def test_navigation_that_cannot_be_is_refused(namespace: Namespace, navigation: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        namespace.create("visionmodels", model(spec=NAVIGATION | {"navigation": navigation}))
    assert f"spec.navigation.{next(iter(navigation))}" in caught.value.message
