"""The edge's end of a real worker."""

import asyncio
import contextlib
import os
import signal
from dataclasses import replace

import pytest
from tests.support.polling import until
from tests.support.processes import PYTHONPATH

from qwen3vl_vln.edge.link import WorkerLink

from .samples import WORKER

STARTED_SECONDS = 30


async def test_a_worker_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    link = WorkerLink(replace(WORKER, slots=4), on_message=lambda message: None, tasks=list)
    link.process.hung_seconds = 10.0
    now = asyncio.get_running_loop().time
    running = asyncio.create_task(link.run())
    try:
        await until(lambda: not link.silent(now()), STARTED_SECONDS)
        hung, link.process.hung_seconds = link.process.pid, 0.5
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        await until(lambda: link.restarts == 1, STARTED_SECONDS)
        link.process.hung_seconds = 10.0
        await until(lambda: link.process.pid not in (None, hung) and not link.silent(now()), STARTED_SECONDS)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
