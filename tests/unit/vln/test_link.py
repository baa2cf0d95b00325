"""The edge's end of a real worker."""

import asyncio
import contextlib
import os
import signal

import pytest
from tests.support.polling import until
from tests.support.processes import PYTHONPATH

from qwen3vl_vln.edge.link import WorkerLink, WorkerOptions

STARTED_SECONDS = 30


async def test_a_worker_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    options = WorkerOptions("sim", "http://127.0.0.1:9/v1", 4, 30.0, "info", 4, 1 << 20)
    link = WorkerLink(options, on_message=lambda message: None, tasks=list, hung_seconds=10.0)
    now = asyncio.get_running_loop().time
    running = asyncio.create_task(link.run())
    try:
        await until(lambda: not link.silent(now()), STARTED_SECONDS)
        hung, link.hung_seconds = link.pid, 0.5
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        await until(lambda: link.restarts == 1, STARTED_SECONDS)
        link.hung_seconds = 10.0
        await until(lambda: link.pid not in (None, hung) and not link.silent(now()), STARTED_SECONDS)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
