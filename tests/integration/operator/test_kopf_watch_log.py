"""kopf itself on a real apiserver: what becomes of its watches is counted by namespace and told once a minute."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kopf
import pytest
from tests.integration.operator.api import Namespace, eventually, proxy
from tests.integration.operator.conftest import model, operator_kubeconfig

from localkube.testing import ApiServer
from qwen3vl_operator.kopf_watch_log import LOGGER, WatchLog

NOT_OURS = "not-ours"


def watching(seen: asyncio.Event) -> kopf.OperatorRegistry:
    """Watches VisionModels as the operator does, and retries soon."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def _(settings: kopf.OperatorSettings, **__: Any) -> None:
        settings.scanning.disabled = True
        settings.posting.enabled = False
        settings.networking.error_backoffs = [0.1] * 1000

    @kopf.on.login(registry=registry)
    async def _(**arguments: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**arguments)

    @kopf.on.event("qwen3vl.io", "v1alpha1", "visionmodels", registry=registry)
    async def _(**_: Any) -> None:
        seen.set()

    return registry


async def until(what: Callable[[], bool]) -> None:
    await asyncio.to_thread(eventually, what, 20)


async def test_a_forbidden_namespace_and_a_cut_connection_are_counted_and_told_once(
    server: ApiServer,
    namespace: Namespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    restarts: list[str] = []
    log, seen, stop = WatchLog(restarts.append), asyncio.Event(), asyncio.Event()
    namespace.create("visionmodels", model())
    with proxy(server.url) as line:
        kubeconfig = operator_kubeconfig(server, namespace, tmp_path / "kubeconfig", line.url)
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        log.install()
        operator = asyncio.create_task(
            kopf.operator(
                registry=watching(seen), namespaces=[namespace.name, NOT_OURS], standalone=True, stop_flag=stop
            )
        )
        try:
            await until(lambda: restarts.count(NOT_OURS) > 3 and seen.is_set())
            assert namespace.name not in restarts, "the other one is well"
            line.cut()
            await until(lambda: restarts.count(namespace.name) > 3)
            assert not operator.done()
        finally:
            stop.set()
            await asyncio.wait_for(operator, 20)
            log.remove()
    lines = [record for record in caplog.records if record.name == LOGGER]
    assert {record.levelno for record in lines} == {logging.WARNING}
    forbidden, cut = (record.getMessage() for record in lines)
    assert forbidden.startswith(
        f"watching visionmodels in namespace {NOT_OURS} fails, and is tried again: visionmodels"
    )
    assert "forbidden" in forbidden
    assert cut.startswith(f"watching visionmodels in namespace {namespace.name} fails, and is tried again: ")
