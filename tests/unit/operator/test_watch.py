"""The probe: alive while workers work, an error when one has ended or a key waits too long."""

import asyncio

import kopf
import pytest
from tests.unit.operator import samples
from tests.unit.operator.virtual_time import run

from qwen3vl_operator.key import Key
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
