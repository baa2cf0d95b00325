"""The probe: alive while workers work, an error when one has ended or a key waits too long."""

import asyncio
from typing import Any

import kopf
import pytest
from tests.unit.operator import samples
from tests.unit.operator.nav_task.samples_nav import nav_body
from tests.unit.operator.virtual_time import run

from qwen3vl_operator.kube.key import Key, task_key
from qwen3vl_operator.kube.queue import Queue
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks
from qwen3vl_operator.nav_task.vln_sync_pool import VlnSyncPool
from qwen3vl_operator.watch import STUCK_SECONDS, Operator

KEY = Key("robots", "m")


def operator() -> Operator:
    return Operator(
        namespaces=("robots",),
        release_namespace="serving",
        server_image="registry.example/server:1",
        server_image_pull_policy="IfNotPresent",
        vln_image="registry.example/vln:1",
        vln_image_pull_policy="IfNotPresent",
        gateway_url="http://gateway/v1",
        owner_deployment=None,
        now=lambda: samples.NOW,
    )


def test_the_probe_answers_figures_while_all_is_well() -> None:
    async def scenario() -> None:
        one = operator()
        one.queue.add(KEY)
        assert await one.check_workers() == {"depth": 1, "oldest_seconds": 0, "failing": 0}

    run(scenario())


def test_the_probe_fails_when_a_key_waits_too_long() -> None:
    async def scenario() -> None:
        one = operator()
        one.queue.add(KEY)
        await asyncio.sleep(STUCK_SECONDS + 1)
        with pytest.raises(kopf.PermanentError, match="waits for 121 s"):
            await one.check_workers()

    run(scenario())


def test_the_probe_fails_when_a_worker_has_ended() -> None:
    async def scenario() -> None:
        one = operator()
        ended = asyncio.create_task(asyncio.sleep(0))
        one._workers.append(ended)
        await ended
        with pytest.raises(kopf.PermanentError, match="1 workers ended"):
            await one.check_workers()

    run(scenario())


def event(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"event": {"type": kind, "object": body}, "body": body}


def finished(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"status": {"phase": "Succeeded"}}


def test_a_robot_that_comes_free_wakes_the_tasks_that_want_it() -> None:
    async def scenario() -> None:
        one = operator()
        for name, robot in (("first", "r1"), ("second", "r1"), ("other", "r2")):
            await one._task_changed(**event("ADDED", nav_body(name, robot=robot)))
        one.queue = Queue()
        await one._task_changed(**event("MODIFIED", finished(nav_body("first", robot="r1"))))
        assert queued(one) == {task_key("robots", "first"), task_key("robots", "second")}
        one.queue = Queue()
        await one._task_changed(**event("MODIFIED", finished(nav_body("first", robot="r1"))))
        assert queued(one) == {task_key("robots", "first")}
        await one._task_changed(**event("ADDED", nav_body("third", robot="r2")))
        one.queue = Queue()
        await one._task_changed(**event("DELETED", nav_body("other", robot="r2")))
        assert queued(one) == {task_key("robots", "other"), task_key("robots", "third")}

    run(scenario())


def test_a_model_that_changes_wakes_its_unfinished_tasks() -> None:
    async def scenario() -> None:
        one = operator()
        await one._task_changed(**event("ADDED", nav_body("walks")))
        await one._task_changed(**event("ADDED", finished(nav_body("ended"))))
        await one._task_changed(**event("ADDED", nav_body("elsewhere", modelRef={"name": "n"})))
        one.queue = Queue()
        await one._model_changed(**event("MODIFIED", samples.body("m")))
        assert queued(one) == {KEY, task_key("robots", "walks")}

    run(scenario())


def test_the_probe_fails_when_a_link_has_ended() -> None:
    async def scenario() -> None:
        one = operator()
        one.links = VlnSyncPool(
            DesiredTasks(), address=lambda *_: "http://vln.invalid", key=lambda *_: "k", notify=one.queue.add
        )
        one.links.serve("robots", "m")
        await one.check_workers()
        one.links._running["robots", "m"].cancel()
        await asyncio.wait({one.links._running["robots", "m"]})
        with pytest.raises(kopf.PermanentError, match="1 workers"):
            await one.check_workers()
        await one.links.close()

    asyncio.run(scenario())


def queued(one: Operator) -> set[Key]:
    return set(one.queue._due)
