"""What is read of others' Events, on virtual time: seldom enough, about what is wanted, and told when it is new."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.virtual_time import run
from tests.unit.operator.fake_kube import FakeKube
from tests.unit.operator.kube.workers import now

from qwen3vl_operator.kube.client import ApiError
from qwen3vl_operator.kube.event_reader import EventReader
from qwen3vl_operator.kube.notes import Note, newest
from qwen3vl_operator.kube.resources import CLAIMS, EVENTS, PODS, Object, Resource


def event(number: int, uid: str, message: str = "", namespace: str = "robots") -> Object:
    return {
        "kind": "Event",
        "metadata": {"name": f"event-{number}", "namespace": namespace},
        "involvedObject": {"uid": uid},
        "reason": "FailedMount",
        "message": message or f"message {number}",
        "lastTimestamp": f"2026-03-01T12:{number // 60:02}:{number % 60:02}Z",
    }


class Kube(FakeKube):
    """Remembers when what was asked for; namespaces in `hanging` never answer, those in `forbidden` say no."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[float, str]] = []
        self.hanging: set[str] = set()
        self.forbidden: set[str] = set()

    async def list(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        self.asked.append((now(), fields))
        if namespace in self.hanging:
            await asyncio.sleep(100_000)
        if namespace in self.forbidden:
            raise ApiError(403, "events is forbidden")
        return await super().list(resource, namespace, labels=labels, fields=fields)

    async def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        self.asked.append((now(), f"{resource.kind} {name}"))
        return await super().get(resource, namespace, name)


@contextlib.asynccontextmanager
async def reading(kube: Kube) -> AsyncIterator[tuple[EventReader[str], list[tuple[float, str]]]]:
    """A reader that runs, and when it notified which key."""
    told: list[tuple[float, str]] = []
    reader: EventReader[str] = EventReader(kube, notify=lambda key: told.append((now(), key)))
    task = asyncio.create_task(reader.run())
    try:
        yield reader, told
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_what_is_said_about_a_wanted_object_is_read_and_told_once() -> None:
    async def scenario() -> None:
        kube = Kube()
        kube.put(EVENTS, event(1, "pod-uid"))
        kube.put(EVENTS, event(2, "other"))
        async with reading(kube) as (reader, told):
            assert reader.notes("Pod", "robots", "m-engine-0") == ()
            reader.want("model m", PODS, "robots", "m-engine-0", "pod-uid")
            reader.want("model n", PODS, "robots", "m-engine-0", "pod-uid")
            await asyncio.sleep(50)
            assert reader.notes("Pod", "robots", "m-engine-0") == (
                Note("FailedMount", "message 1", "2026-03-01T12:00:01Z"),
            )
            assert told == [(0, "model m"), (0, "model n")]
            kube.put(EVENTS, event(3, "pod-uid"))
            await asyncio.sleep(50)
            assert [note.message for note in reader.notes("Pod", "robots", "m-engine-0")] == ["message 1", "message 3"]
            assert told[2:] == [(60, "model m"), (60, "model n")]

    run(scenario())


def test_an_object_is_listed_once_in_20_seconds_however_often_it_is_wanted() -> None:
    async def scenario() -> None:
        kube = Kube()
        async with reading(kube) as (reader, _):
            for _ in range(1000):
                reader.want("m", PODS, "robots", "m-engine-0", "pod-uid")
                await asyncio.sleep(0.1)
        assert [round(time) for time, _ in kube.asked] == [0, 20, 40, 60, 80]

    run(scenario())


def test_all_objects_together_are_listed_five_times_a_second_and_each_has_its_turn() -> None:
    async def scenario() -> None:
        kube = Kube()
        async with reading(kube) as (reader, _):
            for _ in range(10):
                for number in range(300):
                    reader.want("m", PODS, f"namespace-{number % 3}", f"pod-{number}", f"uid-{number}.")
                await asyncio.sleep(30)
        asked = Counter(int(time) for time, _ in kube.asked)
        assert max(asked.values()) <= 6
        assert 1400 <= len(kube.asked) <= 1501
        turns = Counter(fields for _, fields in kube.asked)
        assert len(turns) == 300
        assert min(turns.values()) >= 4

    run(scenario())


def test_what_nobody_wanted_for_five_minutes_is_forgotten() -> None:
    async def scenario() -> None:
        kube = Kube()
        kube.put(EVENTS, event(1, "pod-uid"))
        async with reading(kube) as (reader, told):
            reader.want("m", PODS, "robots", "m-engine-0", "pod-uid")
            await asyncio.sleep(100)
            reader.want("n", PODS, "robots", "m-engine-0", "pod-uid")
            await asyncio.sleep(260)
            kube.put(EVENTS, event(2, "pod-uid"))
            await asyncio.sleep(30)
            assert [key for _, key in told] == ["m", "n"], "the first key had been forgotten by then"
            await asyncio.sleep(60)
            asked = len(kube.asked)
            await asyncio.sleep(1000)
            assert len(kube.asked) == asked
            assert reader.notes("Pod", "robots", "m-engine-0") == ()
            assert not reader._watched
            reader.want("m", PODS, "robots", "m-engine-0", "pod-uid")
            await asyncio.sleep(1)
            assert len(reader.notes("Pod", "robots", "m-engine-0")) == 2

    run(scenario())


def test_the_uid_of_an_object_that_is_not_ours_is_asked_for() -> None:
    async def scenario() -> None:
        kube = Kube()
        async with reading(kube) as (reader, told):
            reader.want("m", CLAIMS, "robots", "weights", None)
            await asyncio.sleep(10)
            assert reader.notes("PersistentVolumeClaim", "robots", "weights") == ()
            claim = kube.put(CLAIMS, {"metadata": {"name": "weights", "namespace": "robots"}})
            kube.put(EVENTS, event(1, claim["metadata"]["uid"], 'storageclass "fast" not found'))
            await asyncio.sleep(20)
            (note,) = reader.notes("PersistentVolumeClaim", "robots", "weights")
            assert note.message == 'storageclass "fast" not found'
            assert [key for _, key in told] == ["m", "m"], "at the first look, and when there was news"

    run(scenario())


def test_another_object_of_the_same_name_is_read_at_once_and_the_old_ones_news_are_gone() -> None:
    async def scenario() -> None:
        kube = Kube()
        kube.put(EVENTS, event(1, "first-uid"))
        async with reading(kube) as (reader, told):
            reader.want("m", PODS, "robots", "m-engine-0", "first-uid")
            await asyncio.sleep(5)
            reader.want("m", PODS, "robots", "m-engine-0", "second-uid")
            assert reader.notes("Pod", "robots", "m-engine-0") == ()
            kube.put(EVENTS, event(2, "second-uid"))
            await asyncio.sleep(1)
            assert [note.message for note in reader.notes("Pod", "robots", "m-engine-0")] == ["message 2"]
            assert told == [(0, "m"), (5, "m")]

    run(scenario())


def test_events_that_expire_are_no_news() -> None:
    async def scenario() -> None:
        kube = Kube()
        for number in (1, 2):
            kube.put(EVENTS, event(number, "pod-uid"))
        async with reading(kube) as (reader, told):
            reader.want("m", PODS, "robots", "m-engine-0", "pod-uid")
            await asyncio.sleep(5)
            kube.lose(EVENTS, "robots", "event-1")
            await asyncio.sleep(30)
            assert [note.message for note in reader.notes("Pod", "robots", "m-engine-0")] == ["message 2"]
            assert len(told) == 1

    run(scenario())


def test_a_namespace_whose_events_cannot_be_had_is_not_felt_by_another(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        kube = Kube()
        kube.hanging, kube.forbidden = {"hangs"}, {"forbidden"}
        kube.put(EVENTS, event(1, "good-uid"))
        async with reading(kube) as (reader, told):
            for number in range(20):
                reader.want("a", PODS, "hangs", f"pod-{number}", f"hangs-{number}")
                reader.want("b", PODS, "forbidden", f"pod-{number}", f"forbidden-{number}")
            await asyncio.sleep(100)
            reader.want("c", PODS, "robots", "m-engine-0", "good-uid")
            await asyncio.sleep(2)
            assert [at for at, key in told if key == "c"] == [100]
            assert {key for _, key in told} == {"a", "b", "c"}, "who waits hears that nothing can be read"
            await asyncio.sleep(18)
            kube.hanging.clear()
            kube.forbidden.clear()
            kube.put(EVENTS, event(2, "hangs-3", namespace="hangs"))
            await asyncio.sleep(60)
            assert reader.notes("Pod", "hangs", "pod-3"), "it is tried again"

    run(scenario())
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 4, "one a minute for each of the two namespaces"
    assert any("forbidden cannot be read: events is forbidden" in line for line in lines)
    assert any("hangs cannot be read: TimeoutError" in line for line in lines)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"lastTimestamp": "2026-03-01T12:00:05Z", "firstTimestamp": "2026-03-01T12:00:00Z"}, "2026-03-01T12:00:05Z"),
        ({"lastTimestamp": None, "eventTime": "2026-03-01T12:00:01.5Z"}, "2026-03-01T12:00:01.5Z"),
        (
            {"eventTime": "2026-03-01T12:00:01Z", "series": {"lastObservedTime": "2026-03-01T12:09:00Z"}},
            "2026-03-01T12:09:00Z",
        ),
        ({"metadata": {"creationTimestamp": "2026-03-01T12:00:00Z"}}, "2026-03-01T12:00:00Z"),
    ],
)
def test_the_time_of_either_generation_of_events_is_that_of_its_newest_occurrence(
    times: dict[str, Any], expected: str
) -> None:
    (note,) = newest([{"metadata": {}, "reason": "Scheduled", "message": "", **times}])
    assert note.time == expected


def test_the_newest_20_are_kept_oldest_first() -> None:
    notes = newest([event(number, "u") for number in (5, *range(40, 5, -1))])
    assert [note.message for note in notes] == [f"message {number}" for number in range(21, 41)]
