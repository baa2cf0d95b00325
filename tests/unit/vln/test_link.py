"""The edge's end of a real worker."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable

import pytest

from qwen3vl_vln.edge.link import WorkerLink, WorkerOptions


async def until(met: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if met():
                return
            await asyncio.sleep(0.02)


async def test_a_worker_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    options = WorkerOptions("sim", "http://127.0.0.1:9/v1", 4, 30.0, "info", 4, 1 << 20)
    link = WorkerLink(options, heard=lambda message: None, tasks=list, hung_seconds=10.0)
    now = asyncio.get_running_loop().time
    running = asyncio.create_task(link.run())
    try:
        await until(lambda: not link.silent(now()))
        hung, link.hung_seconds = link.pid, 0.5
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        await until(lambda: link.restarts == 1)
        link.hung_seconds = 10.0
        await until(lambda: link.pid not in (None, hung) and not link.silent(now()))
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
