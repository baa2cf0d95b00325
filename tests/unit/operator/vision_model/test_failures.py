"""status.lastFailure: the newest end that nobody ordered, why, and for how long it is remembered."""

from typing import Any

import pytest
from tests.unit.operator.vision_model.pod_samples import (
    BACK_OFF,
    UNTIL,
    Object,
    container,
    crashed,
    deleted,
    pod,
    ready,
    terminated,
    with_init,
)

from qwen3vl_operator.vision_model.failures import last_failure

OOM = "torch.OutOfMemoryError: CUDA out of memory."
TIMED_OUT = terminated("Error", 137, started="2026-03-01T10:29:50Z", finished=UNTIL)

# The pod → what is told beside its name and the time.
TABLE: dict[str, tuple[Object, Object]] = {
    "memory": (
        crashed("Killed", reason="OOMKilled", code=137),
        {"container": "engine", "reason": "OutOfMemory", "exitCode": 137, "message": "Killed"},
    ),
    "GPU memory": (
        crashed(f"x\n{OOM}\n"),
        {"container": "engine", "reason": "OutOfGPUMemory", "exitCode": 1, "message": OOM},
    ),
    "no message": (crashed(), {"container": "engine", "reason": "Error", "exitCode": 1}),
    "only a last line": (
        crashed("ValueError: odd"),
        {"container": "engine", "reason": "Error", "exitCode": 1, "message": "ValueError: odd"},
    ),
    "startup": (
        pod(containerStatuses=container({"running": {}}, last=TIMED_OUT)),
        {"container": "engine", "reason": "StartupTimeout", "exitCode": 137},
    ),
    "ended by itself": (
        pod(containerStatuses=container(terminated("Completed", 0))),
        {"container": "engine", "reason": "Completed", "exitCode": 0},
    ),
    "init container": (
        with_init(terminated("Error", 3, message="ChecksumMismatch: a")),
        {"container": "preflight", "reason": "ChecksumMismatch", "exitCode": 3, "message": "ChecksumMismatch: a"},
    ),
    "evicted": (
        pod(reason="Evicted", message="The node was low on resource: memory.", startTime=UNTIL),
        {"container": "engine", "reason": "Evicted", "message": "The node was low on resource: memory."},
    ),
}


def told(*pods: Object, previous: Any = None) -> Object | None:
    return last_failure(list(pods), previous)


@pytest.mark.parametrize("row", TABLE)
def test_each_end_is_told_with_its_reason(row: str) -> None:
    thing, expected = TABLE[row]
    assert told(thing) == {"pod": "m-engine-0", "time": UNTIL} | expected


def test_it_stays_after_recovery_and_yields_to_a_newer_one_only() -> None:
    first = told(crashed(reason="OOMKilled", code=137))
    assert first is not None
    assert told(ready(), previous=first) == first
    older = terminated("Error", 1, finished="2026-03-01T10:00:01Z")
    assert told(pod(1, containerStatuses=container(BACK_OFF, last=older)), previous=first) == first
    newer = terminated("Error", 1, finished="2026-03-01T11:30:00Z")
    found = told(pod(1, containerStatuses=container(BACK_OFF, last=newer)), previous=first)
    assert found is not None
    assert found["pod"] == "m-engine-1"


def test_an_end_that_is_told_again_with_a_better_reason_is_told_so() -> None:
    blunt = {"pod": "m-engine-0", "container": "engine", "reason": "Error", "exitCode": 1, "time": UNTIL}
    found = told(crashed(OOM), previous=blunt)
    assert found is not None
    assert found["reason"] == "OutOfGPUMemory"


def test_an_end_that_was_ordered_is_none() -> None:
    assert told(deleted(pod(containerStatuses=container(terminated("Completed", 0)))), ready(1)) is None


def test_an_init_container_that_ended_well_is_none() -> None:
    assert told(with_init(terminated("Completed", 0))) is None


def test_another_container_of_the_pod_does_not_count() -> None:
    (status,) = container(terminated("Error", 1))
    assert told(pod(containerStatuses=[status | {"name": "sidecar"}])) is None


def test_a_secret_that_became_known_is_masked_in_what_was_told_before() -> None:
    before = {"pod": "m-engine-0", "reason": "Error", "time": UNTIL, "message": "odd k3y-0123456789"}
    assert last_failure([], before, ["k3y-0123456789"]) == before | {"message": "odd ***"}
