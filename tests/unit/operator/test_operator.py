"""How the parts of the operator's process hear of one another: events, LISTs, probes."""

import asyncio
import base64
from typing import Any

import pytest
from tests.support.virtual_time import run
from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube
from tests.unit.operator.nav_task.samples_nav import nav_body

from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.kube.namespaces import Health
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.operator import STALLED_SECONDS, Operator, Options

KEY = Key("robots", "m")


async def no_watch(seen: Any, namespaces: list[str]) -> None:
    await asyncio.Event().wait()


def build(*things: tuple[api.Resource, Object]) -> tuple[Operator, FakeKube]:
    """An operator whose parts are there and do not run."""
    options = Options(namespaces=("robots", "others"), release_namespace="robots", settings=samples.SETTINGS)
    operator, kube = Operator(options, now=lambda: samples.NOW, watch=no_watch), FakeKube()
    for resource, thing in things:
        kube.put(resource, thing)
    operator._build(kube)
    operator.internal.value = samples.INTERNAL_SECRET
    return operator, kube


def serve(operator: Operator, namespace: str = "robots") -> None:
    place = operator.namespaces.by_name[namespace]
    place.health, place.lists = Health.HEALTHY, 1


def versioned(thing: Object, version: int) -> Object:
    return {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(version)}}


def test_a_long_backlog_that_moves_is_alive_and_a_pass_that_never_ends_is_not() -> None:
    async def scenario() -> None:
        operator, _ = build()
        for number in range(5_000):
            operator.queue.add(Key("robots", f"m{number}"))
        moves = True

        async def handle(_: Key) -> None:
            await asyncio.sleep(1 if moves else 1e6)

        workers = [asyncio.create_task(operator.queue.work(handle)) for _ in range(2)]
        await asyncio.sleep(1_000)
        assert operator.queue.oldest_seconds > STALLED_SECONDS
        assert operator.why_not_live() is None, "it is only long"
        moves = False
        await asyncio.sleep(STALLED_SECONDS - 5)
        assert operator.why_not_live() is None
        await asyncio.sleep(20)
        assert "no pass has ended" in (operator.why_not_live() or "")
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    run(scenario())


def test_nothing_due_is_alive_for_ever_and_so_is_waiting_for_the_apiserver() -> None:
    async def scenario() -> None:
        operator, _ = build()
        await asyncio.sleep(1e6)
        assert operator.why_not_live() is None
        assert operator.why_not_ready() == "waiting for the apiserver"
        operator.waiting_for = None
        assert "namespace robots: not read yet" in (operator.why_not_ready() or "")
        serve(operator)
        assert operator.why_not_ready() is None

    run(scenario())


def test_an_ended_part_is_told_by_the_probe() -> None:
    async def scenario() -> None:
        operator, _ = build()
        ended = asyncio.create_task(asyncio.sleep(0))
        operator._tasks.append(ended)
        await ended
        assert operator.why_not_live() == "a part of the operator ended"

    run(scenario())


def test_a_key_of_a_namespace_that_cannot_be_served_costs_no_call_and_comes_again_with_it() -> None:
    async def scenario() -> None:
        operator, kube = build((api.VISION_MODELS, samples.body("m")))
        assert await operator._handlers["VisionModel"](KEY) is None
        assert kube.calls == 0
        kube.fill(operator.store)
        serve(operator)
        operator._listed("robots", [], True)
        assert KEY in operator.queue.keys
        assert not operator.rollouts.may_begin(Key("robots", "other"), ("2026", "x"), 0), "m was not looked at yet"

    run(scenario())


def test_an_event_puts_the_keys_on_the_queue_that_it_concerns_and_an_old_one_none() -> None:
    async def scenario() -> None:
        operator, _ = build()
        model = versioned(samples.body("m"), 5)
        operator._seen(api.VISION_MODELS, "ADDED", model)
        assert KEY in operator.queue.keys
        count = len(operator.queue.keys)
        operator._seen(api.VISION_MODELS, "MODIFIED", versioned(samples.body("m"), 4))
        operator._seen(api.VISION_MODELS, None, model)
        assert len(operator.queue.keys) == count

    run(scenario())


def test_a_status_that_the_operator_wrote_concerns_the_tasks_of_the_model_though_its_watch_event_is_no_news() -> None:
    async def scenario() -> None:
        operator, kube = build((api.VISION_MODELS, samples.body("m")), (api.NAV_TASKS, nav_body()))
        kube.fill(operator.store)
        serve(operator)
        await operator._handlers["VisionModel"](KEY)
        written = kube.objects["visionmodels", "robots", "m"]
        assert written["status"]["conditions"]
        operator._seen(api.VISION_MODELS, "MODIFIED", written)
        kinds = {key.kind for key in operator.queue.keys}
        assert task_key("robots", "walk") in operator.queue.keys
        assert KEY not in operator.queue.keys, f"its own pass is over: {kinds}"

    run(scenario())


def test_a_spec_that_changed_while_a_status_was_written_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer has the newer spec, and what the watch says of it afterwards is older or the same."""

    async def scenario() -> None:
        operator, _ = build()
        stopped: list[Key] = []
        monkeypatch.setattr(operator.pool, "stop", stopped.append)  # only what it is told matters here
        for resource, old, new in (
            (api.VISION_MODELS, samples.body("m"), samples.body("m", {"replicas": 0})),
            (api.NAV_TASKS, nav_body(), nav_body(state="Stopped")),
        ):
            operator.store.put(resource, versioned(old, 5))
            new["metadata"]["generation"] = 2
            operator.store.put(resource, versioned(new, 7), live=True)
            operator._seen(resource, "MODIFIED", versioned(new, 6))
            operator._seen(resource, "MODIFIED", versioned(new, 7))
        assert {KEY, task_key("robots", "walk")} <= set(operator.queue.keys)
        assert stopped == [task_key("robots", "walk")]

    run(scenario())


def test_a_stop_waits_for_no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        operator, _ = build()
        stopped: list[Key] = []
        monkeypatch.setattr(operator.pool, "stop", stopped.append)  # only what it is told matters here
        operator._seen(api.NAV_TASKS, "ADDED", versioned(nav_body(), 5))
        assert stopped == []
        operator._seen(api.NAV_TASKS, "MODIFIED", versioned(nav_body(state="Stopped"), 6))
        assert stopped == [task_key("robots", "walk")]
        operator._seen(api.NAV_TASKS, "DELETED", versioned(nav_body(), 7))
        assert stopped == [task_key("robots", "walk")] * 2

    run(scenario())


def test_a_name_that_comes_free_concerns_the_others_that_want_it_in_whatever_namespace() -> None:
    async def scenario() -> None:
        operator, _ = build()
        shared = samples.SIMULATOR | {"servedName": "shared"}
        operator._seen(api.VISION_MODELS, "ADDED", versioned(samples.body("m", shared), 1))
        other = versioned(samples.body("o", shared, namespace="others"), 2)
        operator._seen(api.VISION_MODELS, "ADDED", other)

        async def handle(_: Key) -> None:
            return None

        worker = asyncio.create_task(operator.queue.work(handle))
        await asyncio.sleep(1)
        assert not operator.queue.keys
        operator._seen(api.VISION_MODELS, "DELETED", versioned(samples.body("m", shared), 3))
        assert {KEY, Key("others", "o")} <= set(operator.queue.keys)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    run(scenario())


def test_an_internal_secret_that_is_restored_after_hours_is_taken_over_within_half_a_minute() -> None:
    async def scenario() -> None:
        operator, kube = build()
        operator.internal.value = None
        data = {"key": base64.b64encode(b"spoilt").decode()}
        secret = {"metadata": {"name": "qwen3vl-internal", "namespace": "robots"}, "data": data}
        kube.put(api.SECRETS, secret)
        operator.queue.add(Key("robots", "qwen3vl-internal", "InternalSecret"))

        async def handle(key: Key) -> float | None:
            return await operator._handlers[key.kind](key)

        worker = asyncio.create_task(operator.queue.work(handle))
        await asyncio.sleep(3_600)
        before = kube.calls
        await asyncio.sleep(3_600)
        assert kube.calls - before >= 3_600 // 31, "no back-off makes it seldom"
        assert operator.internal.value is None
        secret["data"] = {"key": base64.b64encode(samples.INTERNAL_SECRET).decode()}
        kube.put(api.SECRETS, secret)
        await asyncio.sleep(31)
        assert operator.internal.value == samples.INTERNAL_SECRET
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    run(scenario())


def test_a_model_made_again_unseen_concerns_the_others_that_want_its_name() -> None:
    """A LIST shows the new object in the place of the old one: it is the younger one now."""

    async def scenario() -> None:
        operator, _ = build()
        shared = samples.SIMULATOR | {"servedName": "shared"}
        operator.store.put(api.VISION_MODELS, versioned(samples.body("m", shared), 1))
        operator.store.put(api.VISION_MODELS, versioned(samples.body("o", shared, namespace="others"), 2))
        operator._seen(api.VISION_MODELS, None, versioned(samples.body("m", shared, uid="another"), 3))
        assert Key("others", "o") in operator.queue.keys

    run(scenario())


def test_another_internal_secret_concerns_every_model_and_secret() -> None:
    async def scenario() -> None:
        operator, kube = build((api.VISION_MODELS, samples.body("m")))
        kube.fill(operator.store)
        operator.internal.value = None
        await operator._internal_secret(Key("robots", "qwen3vl-internal", "InternalSecret"))
        waiting = set(operator.queue.keys)
        assert KEY in waiting
        assert {key.kind for key in waiting} == {"VisionModel", "ModelKeys", "RobotKeys"}

    run(scenario())
