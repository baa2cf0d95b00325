"""Which Events are emitted about a model, and whose Events are worth reading."""

from dataclasses import replace

import pytest
from tests.unit.operator import samples
from tests.unit.operator.vision_model.pod_cases import GPU, VOLUME
from tests.unit.operator.vision_model.pod_samples import (
    LOADING,
    MARKED,
    RUNNING,
    SINCE,
    Object,
    crashed,
    deleted,
    endpoints,
    of_vln,
    pod,
    ready,
    stateful_set,
    terminated,
    unscheduled,
    waiting,
    with_init,
)

from qwen3vl_operator.vision_model.events_wanted import EventWanted, events_wanted
from qwen3vl_operator.vision_model.observed import Observed
from qwen3vl_operator.vision_model.status import failed_pass, invalid, status
from qwen3vl_operator.vision_model.waiting import waiting_titles

SEEN = Observed(**RUNNING)
CREATED = "2026-03-01T10:45:00Z"


def told(seen: Observed, previous: Object | None = None) -> Object:
    return status(samples.model(), seen, gateway_url="u", previous=previous or {}, now=samples.NOW)


WELL = told(SEEN)
BROKEN = told(replace(SEEN, pods=[crashed("CUDA out of memory")]))
AGAIN = told(replace(SEEN, pods=[crashed("CUDA out of memory again")]))
LOADS = told(replace(SEEN, pods=[LOADING]))
ROLLS = told(replace(SEEN, pods=[ready(revision="old")], slices=endpoints(True, True)))


# Before, after → type and reason of the Event, if there is one.
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, WELL, [("Normal", "Ready")]),
        ({}, BROKEN, [("Warning", "OutOfGPUMemory")]),
        (WELL, WELL, []),
        (WELL, ROLLS, []),
        (WELL, BROKEN, [("Warning", "OutOfGPUMemory")]),
        (BROKEN, AGAIN, []),
        (BROKEN, LOADS, [("Warning", "Loading")]),
        (LOADS, WELL, [("Normal", "Ready")]),
        (WELL, told(replace(SEEN, unlisted=("b",))), [("Warning", "NamespaceUnread")]),
        (WELL, invalid(samples.body() | {"status": WELL}, "spec.x", now=samples.NOW), [("Warning", "InvalidSpec")]),
        (WELL, failed_pass(samples.body() | {"status": WELL}, "60 s", now=samples.NOW), [("Warning", "ApplyFailed")]),
    ],
)
def test_an_event_is_emitted_on_each_flip_of_ready_and_each_new_reason_of_it(
    before: Object, after: Object, expected: list[tuple[str, str]]
) -> None:
    assert [(event.type, event.reason) for event in events_wanted(before, after)] == expected


def test_an_event_says_what_ready_says() -> None:
    (event,) = events_wanted(WELL, BROKEN)
    ready_condition = next(one for one in BROKEN["conditions"] if one["type"] == "Ready")
    assert event == EventWanted("Warning", "OutOfGPUMemory", ready_condition["message"])
    assert "CUDA out of memory" in event.message


# What is seen → titles of those that wait, and since when.
WAITING: dict[str, tuple[Object, list[tuple[str, str]]]] = {
    "all is well": ({}, []),
    "no pod": ({"pods": []}, [("StatefulSet m-engine", "2026-03-01T10:00:00Z")]),
    "no pod, none wanted": ({"pods": [], "stateful_set": stateful_set() | {"spec": {"replicas": 0}}}, []),
    "no set": ({"pods": [], "stateful_set": None}, []),
    "no node": ({"pods": [unscheduled(GPU)]}, [("Pod m-engine-0", SINCE)]),
    "not looked at": ({"pods": [pod(node=None)]}, [("Pod m-engine-0", CREATED)]),
    "no volume": (
        {"pods": [unscheduled(VOLUME, claims=["weights", "m-cache"])]},
        [
            ("Pod m-engine-0", SINCE),
            ("PersistentVolumeClaim weights", SINCE),
            ("PersistentVolumeClaim m-cache", SINCE),
        ],
    ),
    "no container": ({"pods": [pod(startTime=SINCE)]}, [("Pod m-engine-0", SINCE)]),
    "container is being made": ({"pods": [waiting("ContainerCreating")]}, [("Pod m-engine-0", CREATED)]),
    "init container is being made": (
        {"pods": [with_init({"waiting": {"reason": "PodInitializing"}})]},
        [("Pod m-engine-0", CREATED)],
    ),
    "init container ran": ({"pods": [with_init(terminated("Completed", 0))]}, []),
    "image": ({"pods": [waiting("ImagePullBackOff")]}, []),
    "loading": ({"pods": [LOADING]}, []),
    "crash": ({"pods": [crashed()]}, []),
    "ends": ({"pods": [deleted(pod())]}, []),
    "its node or a gate": ({"pods": [MARKED]}, [("Pod m-engine-0", SINCE)]),
    "the VLN API's pod": ({"vln_pods": [of_vln(waiting("ContainerCreating"))]}, [("Pod m-engine-0", CREATED)]),
    "two pods of one claim": (
        {"pods": [unscheduled(VOLUME, claims=["w"]), unscheduled(VOLUME, claims=["w"])]},
        [("Pod m-engine-0", SINCE), ("PersistentVolumeClaim w", SINCE)],
    ),
}


@pytest.mark.parametrize("row", WAITING)
def test_events_are_read_of_those_that_wait_alone(row: str) -> None:
    seen, expected = WAITING[row]
    assert [tuple(one) for one in waiting_titles(replace(SEEN, **seen))] == expected
