"""Waiting until an operator has nothing more to do, by its processor time: no metric is asked, as that is work too."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from hack.bench.operatorbench.operator_process import OperatorProcess

SAMPLE_SECONDS = 0.25
QUIET_SECONDS = 2.0
QUIET_SHARE = 0.05
"""Taking less of a processor than this, it has no passes waiting."""


async def quiet_since(operator: OperatorProcess) -> float:
    """Wait until it has been quiet for two seconds; the monotonic time when that began."""
    since, at, cpu = time.monotonic(), time.monotonic(), operator.cpu_seconds()
    while at - since < QUIET_SECONDS:
        await asyncio.sleep(SAMPLE_SECONDS)
        now, used = time.monotonic(), operator.cpu_seconds()
        # One step of the kernel's clock is always allowed.
        if used - cpu > max(QUIET_SHARE * (now - at), 0.011):
            since = now
        at, cpu = now, used
    return since


async def done_since(operator: OperatorProcess, is_done: Callable[[], Awaitable[bool]]) -> float:
    """Wait until it is quiet and done: quiet alone may be waiting for something."""
    while True:
        since = await quiet_since(operator)
        if await is_done():
            return since
