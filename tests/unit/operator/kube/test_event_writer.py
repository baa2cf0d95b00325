"""Our own Events: one for what is new, a count for what is said again, and never an error for who says it."""

import asyncio
import logging
import re
from typing import Any

import pytest
from tests.support.virtual_time import run
from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube

from qwen3vl_operator.kube import event_writer
from qwen3vl_operator.kube.client import ApiError
from qwen3vl_operator.kube.event_writer import EventWriter
from qwen3vl_operator.kube.resources import EVENTS, Object

MODEL = samples.body("m", resourceVersion="7")


def clock() -> str:
    """Time of day of the virtual loop, which begins at midnight."""
    seconds = int(asyncio.get_running_loop().time())
    return f"2026-03-01T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"


def events(kube: FakeKube) -> list[Object]:
    return [thing for place, thing in kube.objects.items() if place[0] == EVENTS.plural]


def test_an_event_says_who_says_what_about_which_object_since_when() -> None:
    async def scenario() -> None:
        kube = FakeKube()
        await EventWriter(kube, now=clock).emit(MODEL, type_="Warning", reason="OutOfGPUMemory", message="too large")
        (event,) = events(kube)
        metadata = event.pop("metadata")
        assert (metadata["namespace"], metadata["name"][:2]) == ("robots", "m.")
        assert event == {
            "apiVersion": "v1",
            "kind": "Event",
            "involvedObject": {
                "apiVersion": "qwen3vl.io/v1alpha1",
                "kind": "VisionModel",
                "namespace": "robots",
                "name": "m",
                "uid": "uid-of-m",
                "resourceVersion": "7",
            },
            "type": "Warning",
            "reason": "OutOfGPUMemory",
            "message": "too large",
            "source": {"component": "qwen3vl-operator"},
            "reportingComponent": "qwen3vl-operator",
            "firstTimestamp": "2026-03-01T00:00:00Z",
            "lastTimestamp": "2026-03-01T00:00:00Z",
            "count": 1,
        }

    run(scenario())


def test_the_same_within_ten_minutes_raises_the_count_and_later_is_another_event() -> None:
    async def scenario() -> None:
        kube = FakeKube()
        writer = EventWriter(kube, now=clock)
        for wait, message in ((0, "first"), (60, "second"), (599, "third")):
            await asyncio.sleep(wait)
            await writer.emit(MODEL, type_="Normal", reason="Ready", message=message)
        (event,) = events(kube)
        assert (event["count"], event["message"]) == (3, "third")
        assert (event["firstTimestamp"], event["lastTimestamp"]) == ("2026-03-01T00:00:00Z", "2026-03-01T00:10:59Z")
        await asyncio.sleep(601)
        await writer.emit(MODEL, type_="Normal", reason="Ready", message="fourth")
        assert [event["count"] for event in events(kube)] == [3, 1]

    run(scenario())


def test_another_type_reason_or_object_is_another_event() -> None:
    async def scenario() -> None:
        kube = FakeKube()
        writer = EventWriter(kube, now=clock)
        await writer.emit(MODEL, type_="Normal", reason="Ready", message="")
        await writer.emit(MODEL, type_="Warning", reason="Ready", message="")
        await writer.emit(MODEL, type_="Normal", reason="Starting", message="")
        await writer.emit(samples.body("n"), type_="Normal", reason="Ready", message="")
        await writer.emit(samples.body("m", uid="made-again"), type_="Normal", reason="Ready", message="")
        assert [event["count"] for event in events(kube)] == [1] * 5

    run(scenario())


def test_what_is_said_at_once_by_two_is_one_event_that_counts_two() -> None:
    async def scenario() -> None:
        kube = FakeKube()
        writer = EventWriter(kube, now=clock)
        both = [writer.emit(MODEL, type_="Normal", reason="Ready", message=word) for word in ("a", "b")]
        await asyncio.gather(*both)
        (event,) = events(kube)
        assert event["count"] == 2

    run(scenario())


def test_an_event_that_expired_meanwhile_is_made_again() -> None:
    async def scenario() -> None:
        kube = FakeKube()
        writer = EventWriter(kube, now=clock)
        await writer.emit(MODEL, type_="Normal", reason="Ready", message="first")
        (event,) = events(kube)
        kube.lose(EVENTS, "robots", event["metadata"]["name"])
        await writer.emit(MODEL, type_="Normal", reason="Ready", message="second")
        (event,) = events(kube)
        assert (event["count"], event["message"]) == (1, "second")
        await writer.emit(MODEL, type_="Normal", reason="Ready", message="third")
        assert events(kube)[0]["count"] == 2

    run(scenario())


@pytest.mark.parametrize("answer_is_lost", [False, True])
def test_a_failure_is_logged_and_the_next_try_makes_the_event(
    answer_is_lost: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        kube = FakeKube()
        kube.fail_at, kube.after_effect = 1, answer_is_lost
        writer = EventWriter(kube, now=clock)
        await writer.emit(MODEL, type_="Normal", reason="Ready", message="first")
        await asyncio.sleep(5)
        await writer.emit(MODEL, type_="Normal", reason="Ready", message="second")
        (event,) = events(kube)
        assert (event["count"], event["message"]) == (1, "second")

    run(scenario())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "an Event (Ready) cannot be written, 0 others could not since the last such line: injected"
    ]


def test_an_apiserver_that_takes_no_event_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    class Forbidding(FakeKube):
        async def create(self, *_: Any) -> bool:
            raise ApiError(403, "events is forbidden")

    async def scenario() -> None:
        writer = EventWriter(Forbidding(), now=clock)
        for _ in range(120):
            await writer.emit(MODEL, type_="Normal", reason="Ready", message="")
            await asyncio.sleep(1)

    run(scenario())
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 2
    assert "59 others" in lines[1]
    assert lines[1].endswith("events is forbidden")


def test_a_long_message_is_cut() -> None:
    async def scenario() -> None:
        kube = FakeKube()
        await EventWriter(kube, now=clock).emit(MODEL, type_="Normal", reason="Ready", message="x" * 5000)
        assert len(events(kube)[0]["message"]) == 1024

    run(scenario())


def test_what_it_remembers_is_bounded() -> None:
    async def scenario() -> None:
        writer = EventWriter(FakeKube(), now=clock)
        for number in range(event_writer.REMEMBERED + 100):
            await writer.emit(samples.body(f"m-{number}"), type_="Normal", reason="Ready", message="")
        assert len(writer._said) == event_writer.REMEMBERED
        await asyncio.sleep(601)
        await writer.emit(MODEL, type_="Normal", reason="Ready", message="")
        assert len(writer._said) == 1

    run(scenario())


@pytest.mark.parametrize("name", ["m", "m" * 253, "m" * 235 + ".-." + "n" * 15])
def test_names_fit_whatever_the_object_is_called_and_differ_with_its_time(name: str) -> None:
    subject = (name, "VisionModel", "robots", "u", "Normal", "Ready")
    made = event_writer._name(subject, "12:00:00")
    assert re.fullmatch(r"[a-z0-9]+\.[0-9a-f]{16}", made)
    assert len(made) <= 253
    assert made == event_writer._name(subject, "12:00:00")
    assert made != event_writer._name(subject, "12:00:01")
