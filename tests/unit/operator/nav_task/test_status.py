"""What users see of a walk: phases, verdicts, conditions, and what stays when something is not known."""

import copy
from typing import Any

import pytest
from tests.unit.operator import samples
from tests.unit.operator.nav_task.samples_nav import REACHABLE, TASK_ID, WALKING, model_body, nav_body, nav_task, record

from qwen3vl_common.navigation.record import Record
from qwen3vl_operator.crds import nav_tasks
from qwen3vl_operator.nav_task.conditions import COMPLETE, FAILED, TASK_REASONS, TaskCondition
from qwen3vl_operator.nav_task.record import Refusal
from qwen3vl_operator.nav_task.spec import NavTask
from qwen3vl_operator.nav_task.status import (
    Link,
    TaskSeen,
    invalid_task,
    is_finished,
    status_after_end,
    task_status,
)

Object = dict[str, Any]
UNREACHABLE = Link("Unreachable", "Connection refused")
UNKNOWN = Link("Unknown")
LATER = "2026-03-01T13:00:00Z"
TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}


def look(
    found: Record | None = None,
    *,
    task: NavTask | None = None,
    previous: Object | None = None,
    now: str = samples.NOW,
    **seen: Any,
) -> Object:
    known: dict[str, Any] = {"model": model_body(), "link": REACHABLE} | seen
    return task_status(task or nav_task(), TaskSeen(record=found, **known), previous=previous or {}, now=now)


def one(status: Object, kind: str) -> tuple[str, str, str]:
    found = next(condition for condition in status["conditions"] if condition["type"] == kind)
    return found["status"], found["reason"], found["message"]


def types(status: Object) -> list[str]:
    return [condition["type"] for condition in status["conditions"]]


def test_before_the_first_frame_it_is_pending() -> None:
    status = look(record())
    assert (status["phase"], one(status, "Running")[:2]) == ("Pending", ("False", "WaitingForRobot"))
    assert one(status, "Accepted")[:2] == ("True", "Valid")
    assert status["session"] == {"id": TASK_ID, "url": f"ws://m-vln.robots/vln/ws/{TASK_ID}"}
    assert "startedAt" not in status
    assert "verdict" not in status


def test_a_walk_shows_its_figures() -> None:
    status = look(record(**WALKING))
    assert (status["phase"], one(status, "Running")[0]) == ("Running", "True")
    assert status["startedAt"] == samples.NOW
    assert status["steps"] == {"done": 12, "limit": 500, "summary": "12/500"}
    assert (status["state"], status["reason"], status["action"]) == ("moving", "FollowingPlan", "forward")
    assert status["latency"] == {"p50Millis": 270, "p95Millis": 400, "maxMillis": 900}
    assert status["link"] == {"rttP50Millis": 24, "rttMaxMillis": 81}
    assert status["lastStep"] == {
        "index": 12,
        "action": "forward",
        "frameAgeMillis": 310,
        "latencyMillis": 281,
        "at": "2026-03-01T12:00:00Z",
    }
    assert status["modelErrors"] == {"count": 1, "last": "no answer within 30 s"}
    assert types(status) == ["Accepted", "ModelReady", "Running"]


def test_paused() -> None:
    status = look(record(**WALKING | {"phase": "Paused", "state": "hold", "reason": "paused"}))
    assert (status["phase"], one(status, "Running")[:2]) == ("Paused", ("False", "Paused"))


def test_trouble_with_the_model_is_a_reason_of_running_and_no_end() -> None:
    trouble = {"state": "error", "reason": "model_failed", "message": "3 failures: status 500"}
    status = look(record(**WALKING | trouble))
    assert status["phase"] == "Running"
    assert one(status, "Running") == ("False", "ModelFailed", "3 failures: status 500")
    assert one(look(record(**WALKING), previous=status), "Running")[0] == "True"


@pytest.mark.parametrize("verdict", [*COMPLETE, *FAILED])
def test_every_verdict_has_its_phase_and_one_terminal_condition(verdict: str) -> None:
    ended = {"phase": "Finished", "verdict": verdict, "finished_at": 1_772_366_430.0, "message": "so it ended"}
    status = look(record(**WALKING | ended), previous=look(record(**WALKING)))
    kind = "Complete" if verdict in COMPLETE else "Failed"
    phase = "Succeeded" if kind == "Complete" else "Stopped" if verdict == "Cancelled" else "Failed"
    assert (status["phase"], status["verdict"]) == (phase, verdict)
    assert types(status) == ["Accepted", "ModelReady", "Running", kind]
    assert one(status, kind) == ("True", verdict, "so it ended")
    assert one(status, "Running")[:2] == ("False", verdict)
    assert status["finishedAt"] == "2026-03-01T12:00:30Z"
    assert is_finished(status)


# What is seen → reason of Accepted, words of its message.
REFUSED: dict[str, tuple[Object, str, str]] = {
    "no model": ({"model": None, "link": None}, "ModelNotFound", "no VisionModel m in robots"),
    "navigation off": ({"model": samples.body("m"), "link": None}, "NavigationOff", "spec.navigation"),
    "no replica": ({"model": model_body(navigation={"replicas": 0}), "link": None}, "NavigationOff", "replicas 0"),
    "another NavTask": ({"busy": "older"}, "RobotBusy", "NavTask older"),
    "a task by REST": ({"refusal": Refusal(code="robot_busy", message="has task t1")}, "RobotBusy", "t1"),
    "bad body": ({"refusal": Refusal(code="invalid_request", message="limits.x")}, "Refused", "limits.x"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_accepted_says_why_and_waits(case: str) -> None:
    seen, reason, words = REFUSED[case]
    status = look(**seen)
    assert status["phase"] == "Pending"
    assert one(status, "Accepted")[:2] == ("False", reason)
    assert words in one(status, "Accepted")[2]
    assert (status["reason"], words in status["message"]) == (reason, True)
    assert one(status, "Running")[:2] == ("False", "NotAccepted")
    assert "session" not in status


def test_the_models_readiness_is_copied() -> None:
    model = model_body()
    model["status"] = {"conditions": [{"type": "Ready", "status": "False", "reason": "CrashLoop", "message": "exit 3"}]}
    assert one(look(record(), model=model), "ModelReady") == ("False", "CrashLoop", "exit 3")
    assert one(look(record(), model=model_body() | {"status": {}}), "ModelReady")[0] == "Unknown"
    assert one(look(model=None, link=None), "ModelReady")[:2] == ("False", "ModelNotFound")


def test_a_vln_api_that_does_not_answer_leaves_the_facts() -> None:
    walking = look(record(**WALKING))
    status = look(record(**WALKING), link=UNREACHABLE, previous=walking)
    assert one(status, "Running")[:2] == ("Unknown", "NavigationUnreachable")
    assert "Connection refused" in status["message"]
    for name in ("phase", "state", "steps", "latency", "lastStep", "startedAt", "session"):
        assert status[name] == walking[name], name


def test_after_a_restart_of_the_operator_nothing_is_new_before_the_first_read() -> None:
    for before in (look(record(**WALKING)), look(record()), look(record(**WALKING), link=UNREACHABLE)):
        assert look(link=UNKNOWN, previous=before, now=LATER) == before
        assert look(link=None, previous=before, now=LATER) == before


def test_what_was_not_accepted_and_now_is_says_so_at_once() -> None:
    status = look(link=UNKNOWN, previous=look(busy="older"))
    assert (one(status, "Running")[:2], status["reason"]) == (("False", "Asserting"), "Asserting")


def test_a_task_that_the_vln_api_does_not_have_yet_is_being_told() -> None:
    status = look()
    assert (status["phase"], one(status, "Running")[:2]) == ("Pending", ("False", "Asserting"))
    again = look(previous=look(record(**WALKING)))
    assert (again["phase"], again["steps"]["done"]) == ("Running", 12)


def test_waiting_again_after_a_restart_of_the_vln_api_is_still_a_running_walk() -> None:
    walking = look(record(**WALKING))
    status = look(record(steps={"done": 12, "limit": 500}, elapsed_seconds=30.0), previous=walking, now=LATER)
    assert (status["phase"], status["startedAt"]) == ("Running", samples.NOW)
    assert one(status, "Running")[:2] == ("False", "WaitingForRobot")


def test_stopped_before_it_began_ends_at_once() -> None:
    stopped = nav_task(state="Stopped")
    for link in (None, UNKNOWN, UNREACHABLE, REACHABLE):
        status = look(task=stopped, link=link)
        assert (status["phase"], status["verdict"]) == ("Stopped", "Cancelled")
        assert one(status, "Failed")[:2] == ("True", "Cancelled")
        assert status["finishedAt"] == samples.NOW


def test_stopped_is_no_end_before_the_vln_api_says_so() -> None:
    walking, stopped = look(record(**WALKING)), nav_task(state="Stopped", generation=2)
    for seen in ({"link": UNKNOWN}, {"link": UNREACHABLE}, {"found": record(**WALKING)}):
        assert not is_finished(look(task=stopped, previous=walking, **seen))
    # It answers and has no such task: a new process, and nothing told it to walk.
    assert look(task=stopped, previous=walking)["verdict"] == "Cancelled"
    assert look(task=stopped, previous=walking, link=None, model=None)["verdict"] == "Cancelled"


def test_a_stop_that_is_not_confirmed_says_so_since_when_and_why() -> None:
    walking, stopped = look(record(**WALKING)), nav_task(state="Stopped", generation=2)
    first = look(record(**WALKING), task=stopped, previous=walking, stopping=True)
    told = f"the VLN API is being told to stop since {samples.NOW}"
    assert one(first, "Running") == ("False", "Stopping", told)
    assert (first["state"], first["reason"], first["message"]) == ("moving", "Stopping", told)
    assert look(record(**WALKING), task=stopped, previous=first, stopping=True, now=LATER) == first
    failing = look(record(**WALKING), task=stopped, previous=first, stopping=True, call_error="status 500", now=LATER)
    assert failing["message"] == f"{told}; the last try failed: status 500"
    gone = look(record(**WALKING), task=stopped, previous=failing, link=UNREACHABLE, stopping=True, now=LATER)
    assert one(gone, "Running") == ("Unknown", "Stopping", f"{told}; the last try failed: Connection refused")
    # Another operator has not asked yet: nothing is new.
    for link in (None, UNKNOWN):
        assert look(task=stopped, previous=gone, link=link, stopping=True, now=LATER) == gone


def test_a_task_whose_assertion_may_be_under_way_is_not_called_stopped() -> None:
    """The VLN API answers and does not have it yet; its stop is not confirmed."""
    stopped = nav_task(state="Stopped", generation=2)
    for previous in ({}, look()):
        status = look(task=stopped, previous=previous, stopping=True)
        assert (status["phase"], one(status, "Running")[1]) == ("Pending", "Stopping")
        assert look(task=stopped, previous=status)["verdict"] == "Cancelled"


def test_a_walk_is_not_called_stopped_before_its_vln_api_was_asked_by_a_new_operator() -> None:
    """Its model's link is not there yet, though the model wants a VLN API."""
    walking, stopped = look(record(**WALKING)), nav_task(state="Stopped", generation=2)
    assert one(look(task=stopped, previous=walking, link=None, stopping=True), "Running")[1] == "Stopping"


def test_the_reason_is_the_verdict_at_the_end_also_of_one_that_ended_before_that_was_so() -> None:
    ended = look(record(**WALKING | {"phase": "Finished", "verdict": "StepLimit", "finished_at": 1_772_366_430.0}))
    assert (ended["reason"], ended["verdict"]) == ("StepLimit", "StepLimit")
    old = nav_body() | {"status": ended | {"reason": "FollowingPlan"}}
    assert status_after_end(old, now=LATER) == ended


def test_an_assertion_that_fails_is_quoted() -> None:
    status = look(call_error="no answer within 3 s")
    words = "the VLN API could not be told: no answer within 3 s"
    assert (one(status, "Running"), status["message"]) == (("False", "Asserting", words), words)
    edited = look(
        record(**WALKING),
        task=nav_task(generation=2),
        previous=look(record(**WALKING)),
        call_error="no answer within 3 s",
    )
    assert one(edited, "Accepted") == (
        "True",
        "Valid",
        "the VLN API could not be told of this spec: no answer within 3 s",
    )
    assert one(edited, "Running")[0] == "True"


def test_a_record_that_is_wrong_is_quoted_and_what_is_older_stays() -> None:
    walking = look(record(**WALKING))
    status = look(record(**WALKING), previous=walking, unreadable="task.progress: no number")
    assert one(status, "Accepted")[:2] == ("True", "Valid")
    assert "task.progress: no number" in one(status, "Accepted")[2]
    assert one(status, "Running") == one(walking, "Running")
    unknown = look(previous=walking, unreadable="task.progress: no number", call_error="no record")
    assert one(unknown, "Running")[:2] == ("Unknown", "Asserting")
    assert "task.progress: no number" in one(unknown, "Running")[2]


def test_an_edit_that_came_too_late_is_answered() -> None:
    ended = record(phase="Finished", verdict="GoalReached", finished_at=1_772_366_430.0)
    status = look(ended, task=nav_task(generation=2, instruction="To the blue door."))
    assert (status["phase"], status["observedGeneration"]) == ("Succeeded", 2)
    assert one(status, "Accepted")[:2] == ("False", "Finished")
    # Stopped has no newer generation in the VLN API: it was carried out.
    cancelled = record(phase="Finished", verdict="Cancelled", finished_at=1_772_366_430.0)
    status = look(cancelled, task=nav_task(generation=2, state="Stopped"))
    assert one(status, "Accepted")[0] == "True"


def test_a_finished_task_answers_edits_once() -> None:
    ended = look(record(phase="Finished", verdict="GoalReached", finished_at=1_772_366_430.0))
    body = nav_body() | {"status": ended}
    assert status_after_end(body, now=LATER) == ended
    body["metadata"]["generation"] = 2
    answered = status_after_end(body, now=LATER)
    assert one(answered, "Accepted")[:2] == ("False", "Finished")
    assert "make a new NavTask" in one(answered, "Accepted")[2]
    assert (answered["verdict"], one(answered, "Complete")) == ("GoalReached", one(ended, "Complete"))
    assert status_after_end(body | {"status": answered}, now=samples.NOW) == answered
    body["metadata"]["generation"] = 3
    third = status_after_end(body | {"status": answered}, now=samples.NOW)
    times = [condition["lastTransitionTime"] for condition in third["conditions"]]
    assert times == [condition["lastTransitionTime"] for condition in answered["conditions"]]


def test_a_spec_that_does_not_parse_keeps_what_is_known() -> None:
    walking = look(record(**WALKING))
    status = invalid_task(nav_body(generation=2) | {"status": walking}, "spec.limits: bad", record=record(), now=LATER)
    assert one(status, "Accepted")[:2] == ("False", "InvalidSpec")
    assert one(status, "Running") == one(walking, "Running")
    assert status["steps"] == walking["steps"]


def test_counters_that_only_tick_are_written_seldom() -> None:
    walking = look(record(**WALKING))
    ticked = WALKING | {"elapsed_seconds": 35.0, "frames": {"received": 1050, "analysed": 40, "dropped": 3}}
    assert look(record(**ticked), previous=walking) == walking
    long_after = look(record(**ticked | {"elapsed_seconds": 41.0}), previous=walking)
    assert (long_after["elapsedSeconds"], long_after["frames"]["received"]) == (41.0, 1050)
    stepped = look(record(**ticked | {"steps": {"done": 13, "limit": 500}}), previous=walking)
    assert (stepped["elapsedSeconds"], stepped["steps"]["done"]) == (35.0, 13)


def test_transition_times_change_with_the_status_alone() -> None:
    first = look(record(**WALKING))
    second = look(record(**WALKING | {"action": "left"}), previous=first, now=LATER)
    assert [c["lastTransitionTime"] for c in second["conditions"]] == [samples.NOW] * 3


def test_a_full_status_has_no_field_that_the_apiserver_would_prune() -> None:
    known = nav_tasks()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    ended = {"phase": "Finished", "verdict": "GoalReached", "finished_at": 1_772_366_430.0}
    walking = look(record(**WALKING))
    stopping = look(record(**WALKING), task=nav_task(state="Stopped"), previous=walking)
    full = look(record(**WALKING | ended), previous=stopping)

    def check(value: Any, part: Object, path: str) -> None:
        if isinstance(value, dict):
            for name, child in value.items():
                assert name in part["properties"], f"{path}.{name} would be pruned"
                check(child, part["properties"][name], f"{path}.{name}")
        elif isinstance(value, list):
            for child in value:
                check(child, part["items"], path)
        else:
            assert isinstance(value, TYPES[part["type"]]), path

    check(full, known, "status")
    assert set(full) == set(known["properties"])


def test_every_reason_is_documented() -> None:
    text = (samples.ROOT / "docs/status.md").read_text()
    listed = [reason for kind, reasons in TASK_REASONS.items() for reason in (kind, *reasons)]
    assert [reason for reason in listed if f"`{reason}`" not in text] == []
    with pytest.raises(ValueError, match="documented"):
        TaskCondition("Running", True, "Invented")


def test_the_status_does_not_share_parts_with_what_it_was_made_of() -> None:
    previous = look(record(**WALKING))
    before = copy.deepcopy(previous)
    look(record(**WALKING | {"action": "left"}), previous=previous)
    assert previous == before
