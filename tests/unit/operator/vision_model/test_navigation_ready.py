"""NavigationReady: absent where navigation is off, part of Ready, and as true about its pod as the engine's is."""

from typing import Any

import pytest
from tests.unit.operator import samples
from tests.unit.operator.vision_model.pod_cases import CREATING, NO_SECRET, NOT_READY, UNSCHEDULED
from tests.unit.operator.vision_model.pod_samples import (
    RUNNING,
    Object,
    conditions,
    container,
    crashed,
    deleted,
    notes,
    of_vln,
    terminated,
    vln_pod,
)

from qwen3vl_operator.kube.conditions import REASONS
from qwen3vl_operator.vision_model.observed import Observed
from qwen3vl_operator.vision_model.status import status

WITH_NAVIGATION: Object = samples.SIMULATOR | {"navigation": {}}


def deployment(*seen: Object) -> Object:
    return {"metadata": {"uid": "u"}, "status": {"conditions": list(seen)}}


QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: compute"}
TIMED_OUT = terminated("Error", 137, started="2026-03-01T10:58:30Z", finished="2026-03-01T11:00:35Z")

# What is seen → reason, words of the message.
TABLE: dict[str, tuple[Object, str, tuple[str, ...]]] = {
    "nothing yet": ({}, "Creating", ("being made",)),
    "the old pod ends": ({"vln": deployment(), "vln_pods": [deleted(vln_pod())]}, "Creating", ("being made",)),
    "rejected": ({"vln": deployment(QUOTA)}, "PodRejected", ("exceeded quota",)),
    "robots' keys are missing": (
        {"vln_pods": [of_vln(CREATING)], "events": {"Pod m-engine-0": notes(("FailedMount", NO_SECRET))}},
        "SecretNotFound",
        ('"no-such-secret" not found',),
    ),
    "crash": (
        {"vln_pods": [of_vln(crashed("x: error: the following arguments are required: --port", code=2))]},
        "BadArgument",
        ("the VLN API ended with exit code 2", "--port"),
    ),
    "startup": (
        {"vln_pods": [vln_pod(containerStatuses=container({"running": {}}, last=TIMED_OUT))]},
        "StartupTimeout",
        ("the VLN API did not answer /health within 120 s",),
    ),
    "loading": (
        {"vln_pods": [vln_pod(containerStatuses=container({"running": {"startedAt": "2026-03-01T11:00:00Z"}}))]},
        "Loading",
        ("the VLN API runs since 2026-03-01T11:00:00Z", "until 2026-03-01T11:02:00Z"),
    ),
}


def look(spec: Object, **seen: Any) -> Object:
    return status(samples.model(spec), Observed(**RUNNING, **seen), gateway_url="u", previous={}, now=samples.NOW)


def one(found: Object, kind: str) -> Object | None:
    return next((condition for condition in found["conditions"] if condition["type"] == kind), None)


def check(found: Object, reason: str, words: tuple[str, ...]) -> None:
    for kind in ("NavigationReady", "Ready"):
        condition = one(found, kind)
        assert condition is not None
        assert (condition["status"], condition["reason"]) == ("False", reason)
        for word in words:
            assert word in condition["message"]


@pytest.mark.parametrize("row", TABLE)
def test_every_cause_has_its_reason_and_the_model_is_not_ready(row: str) -> None:
    seen, reason, words = TABLE[row]
    check(look(WITH_NAVIGATION, **seen), reason, words)


def test_what_holds_an_engine_is_told_of_the_vln_api_too() -> None:
    given = [(thing, events, reason) for thing, events, reason, _ in UNSCHEDULED.values()]
    given += [(thing, {"Pod m-engine-0": events}, reason) for thing, events, reason, _ in NOT_READY.values()]
    for thing, events, reason in given:
        check(look(WITH_NAVIGATION, vln_pods=[of_vln(thing)], events=events), reason, ("m-engine-0",))
    told = {reason for _, _, reason in given} | {reason for _, reason, _ in TABLE.values()}
    assert told == set(REASONS["NavigationReady"]) - {"Ready", "ScaledToZero"}


def test_it_is_ready_with_one_ready_pod_and_named_among_the_children() -> None:
    ready = vln_pod(conditions=conditions(Ready="True"), containerStatuses=container({"running": {}}, ready=True))
    found = look(WITH_NAVIGATION, vln=deployment(), vln_pods=[ready, deleted(ready)])
    assert [(c["type"], c["status"]) for c in found["conditions"]][-4:] == [
        ("NavigationReady", "True"),
        ("UpToDate", "True"),
        ("Available", "True"),
        ("Ready", "True"),
    ]
    assert found["children"]["vln"] == "m-vln"


def test_no_replica_wanted_is_ready() -> None:
    condition = one(look(samples.SIMULATOR | {"navigation": {"replicas": 0}}), "NavigationReady")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("True", "ScaledToZero")


def test_without_navigation_there_is_no_condition_and_no_child() -> None:
    found = look(samples.SIMULATOR)
    assert one(found, "NavigationReady") is None
    assert "vln" not in found["children"]
