"""NavigationReady: one row per cause, absent where navigation is off, and part of Ready."""

from typing import Any

import pytest
from tests.unit.operator import samples
from tests.unit.operator.vision_model.test_status import (
    BACK_OFF,
    CONFIG,
    LOST,
    PULL,
    RUNNING,
    SELECTOR,
    START_ERROR,
    TAINT,
    conditions,
    container,
    deleted,
    terminated,
    unscheduled,
)

from qwen3vl_operator.kube.conditions import REASONS
from qwen3vl_operator.vision_model.status import Observed, status

Object = dict[str, Any]
WITH_NAVIGATION: Object = samples.SIMULATOR | {"navigation": {}}


def pod(**seen: Any) -> Object:
    probe = {"periodSeconds": 1, "failureThreshold": 120}
    spec = {"containers": [{"name": "vln", "startupProbe": probe}], "nodeName": "node-a"}
    return {"metadata": {"name": "m-vln-x", "labels": {}}, "spec": spec, "status": seen}


def vln(state: Object, **more: Any) -> list[Object]:
    return [one | {"name": "vln"} for one in container(state, **more)]


def deployment(*seen: Object) -> Object:
    return {"metadata": {"uid": "u"}, "status": {"conditions": list(seen)}}


QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: compute"}
TIMED_OUT = terminated("Error", 137, started="2026-03-01T10:58:30Z", finished="2026-03-01T11:00:35Z")

# What is seen → reason, words of the message.
TABLE: dict[str, tuple[Object | None, list[Object], str, tuple[str, ...]]] = {
    "nothing yet": (None, [], "Creating", ("being made",)),
    "the old pod ends": (deployment(), [deleted(pod())], "Creating", ("being made",)),
    "no memory": (None, [unscheduled("Insufficient memory.")], "InsufficientResources", ("memory",)),
    "selector": (None, [unscheduled(SELECTOR)], "NodeSelectorMismatch", (SELECTOR,)),
    "taint": (None, [unscheduled(TAINT)], "Tainted", (TAINT,)),
    "other": (None, [unscheduled("out of luck")], "Unschedulable", ("out of luck",)),
    "rejected": (deployment(QUOTA), [], "PodRejected", ("exceeded quota",)),
    "no container yet": (None, [pod()], "Starting", ("node-a",)),
    "image": (None, [pod(containerStatuses=vln(PULL))], "ImagePullError", ("image",)),
    "no robot keys": (None, [pod(containerStatuses=vln(CONFIG))], "ConfigError", ('secret "hub" not found',)),
    "no program": (None, [pod(containerStatuses=vln(BACK_OFF, last=START_ERROR))], "ConfigError", ("not found",)),
    "not ready": (None, [pod(containerStatuses=vln({"running": {}}))], "Loading", ("the VLN API runs",)),
    "crash": (
        None,
        [pod(containerStatuses=vln(BACK_OFF, last=terminated("Error", 2), restartCount=3))],
        "CrashLoop",
        ("the VLN API ended with exit code 2", "3 restarts"),
    ),
    "memory": (
        None,
        [pod(containerStatuses=vln(BACK_OFF, last=terminated("OOMKilled", 137)))],
        "OutOfMemory",
        ("resources.memory",),
    ),
    "startup": (
        None,
        [pod(containerStatuses=vln({"running": {}}, last=TIMED_OUT))],
        "StartupTimeout",
        ("within 120 s",),
    ),
    "evicted": (None, [pod(reason="Evicted", message="low on resource")], "Evicted", ("low on resource",)),
    "node lost": (None, [LOST], "NodeLost", ("node-a",)),
}


def look(spec: Object, **seen: Any) -> Object:
    return status(samples.model(spec), Observed(**RUNNING, **seen), gateway_url="u", previous={}, now=samples.NOW)


def one(found: Object, kind: str) -> Object | None:
    return next((condition for condition in found["conditions"] if condition["type"] == kind), None)


@pytest.mark.parametrize("row", TABLE)
def test_every_cause_has_its_reason_and_the_model_is_not_ready(row: str) -> None:
    made, present, reason, words = TABLE[row]
    found = look(WITH_NAVIGATION, vln=made, vln_pods=present)
    for kind in ("NavigationReady", "Ready"):
        condition = one(found, kind)
        assert condition is not None
        assert (condition["status"], condition["reason"]) == ("False", reason)
        for word in words:
            assert word in condition["message"]


def test_the_table_has_every_false_reason() -> None:
    assert {reason for _, _, reason, _ in TABLE.values()} == set(REASONS["NavigationReady"]) - {"Ready", "ScaledToZero"}


def test_it_is_ready_with_one_ready_pod_and_named_among_the_children() -> None:
    ready = pod(conditions=conditions(Ready="True"), containerStatuses=vln({"running": {}}, ready=True))
    found = look(WITH_NAVIGATION, vln=deployment(), vln_pods=[ready, deleted(ready)])
    assert [(c["type"], c["status"]) for c in found["conditions"]][-3:] == [
        ("NavigationReady", "True"),
        ("UpToDate", "True"),
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
