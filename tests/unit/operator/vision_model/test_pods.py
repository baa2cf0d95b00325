"""Why a pod does not serve: a row per cause, with the words that the scheduler, the kubelet and controllers use."""

import pytest
from tests.unit.operator.vision_model.pod_cases import NO_FOLDER, NOT_READY, SHUT, UNSCHEDULED, check, told
from tests.unit.operator.vision_model.pod_samples import (
    BY_TAINT,
    LOADING,
    LOST,
    MARKED,
    container,
    crashed,
    deleted,
    notes,
    pod,
    ready,
    terminated,
    with_condition,
)

from qwen3vl_operator.kube.conditions import REASONS
from qwen3vl_operator.vision_model import pods
from qwen3vl_operator.vision_model.running import running


@pytest.mark.parametrize("row", UNSCHEDULED)
def test_every_cause_why_no_node_is_found_has_its_reason(row: str) -> None:
    thing, events, reason, words = UNSCHEDULED[row]
    check(told(thing, events), reason, words)


@pytest.mark.parametrize("row", NOT_READY)
def test_every_cause_why_a_scheduled_pod_does_not_serve_has_its_reason(row: str) -> None:
    thing, events, reason, words = NOT_READY[row]
    found = told(thing, {"Pod m-engine-0": events})
    check(found, reason, words)
    assert found is not None
    assert ("kubectl taint" in found.message) == (reason == "NodeLost")


def test_the_tables_have_every_reason_that_a_pod_gives() -> None:
    seen = {row[2] for row in (*UNSCHEDULED.values(), *NOT_READY.values())}
    # What remains is told of pods that are not there.
    assert seen == set(REASONS["NavigationReady"]) - {"Ready", "ScaledToZero", "PodRejected"}


def test_a_ready_pod_has_no_trouble() -> None:
    assert told(ready(), {}) is None


def test_a_container_that_waits_after_it_ended_tells_how_it_ended() -> None:
    again = pod(containerStatuses=container({"waiting": {"reason": "ContainerCreating"}}, last=terminated("Error", 1)))
    check(told(again, {}), "CrashLoop", ("exit code 1",))
    unmounted = {"Pod m-engine-0": notes(("FailedMount", NO_FOLDER))}
    check(told(again, unmounted), "VolumeMountFailed", (NO_FOLDER,))


def test_no_secret_is_quoted() -> None:
    key = "k3y-0f-th3-eng1ne-0123456789"
    thing = crashed(f"{key[5:]}: x\nCUDA out of memory while serving {key} with --api-key {key}")
    found = running(thing, secrets=[key])
    check(found, "OutOfGPUMemory", ("CUDA out of memory while serving *** with --api-key ***",))


def test_a_pod_counts_until_it_ends_and_longer_where_its_node_does_not_let_it_end() -> None:
    fine, ending = ready(1), deleted(ready(2))
    driven_off = deleted(with_condition(LOADING, *BY_TAINT))
    assert pods.counted([ending, fine, LOST]) == [LOST, fine]
    assert pods.counted([driven_off]) == [driven_off]
    assert pods.is_lost(with_condition(with_condition(MARKED, *BY_TAINT), "Ready", "Unknown"))


def test_an_admins_taint_is_not_taken_for_a_lost_node() -> None:
    # The kubelet is there: it gives its reason for Ready being False.
    ending = with_condition(ready(), "Ready", "False", "ContainersNotReady", "containers with unready status: [engine]")
    assert not pods.is_lost(deleted(with_condition(ending, *BY_TAINT)))
    assert not pods.is_lost(MARKED)
    assert not pods.is_lost(SHUT)
