"""Waiting for what offers no event: look again and again; at a deadline the test fails and says what was seen."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
PAUSE_SECONDS = 0.01
PROGRAM_PAUSE_SECONDS = 0.05
"""Without an event loop it is mostly a program that is asked."""


def _late(seconds: float, what: str, show: Callable[[], str]) -> str:
    return f"not within {seconds:g} s: {what} {show()}".rstrip()


@overload
async def until(
    look: Callable[[], Awaitable[T]], seconds: float = ..., what: str = ..., show: Callable[[], str] = ...
) -> T: ...


@overload
async def until(look: Callable[[], T], seconds: float = ..., what: str = ..., show: Callable[[], str] = ...) -> T: ...


async def until(
    look: Callable[[], Any], seconds: float = 10, what: str = "it holds", show: Callable[[], str] = str
) -> Any:
    """The first true result of `look`, which may be a coroutine function.

    Raises:
        AssertionError: none came within so many seconds; with `what` was waited for and what `show` tells then.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            while True:
                seen = look()
                found = await seen if inspect.isawaitable(seen) else seen
                if found:
                    return found
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(_late(seconds, what, show)) from None


def eventually(look: Callable[[], T], seconds: float = 10, what: str = "it holds", show: Callable[[], str] = str) -> T:
    """The same without an event loop.

    Raises:
        AssertionError: as of `until`.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, _late(seconds, what, show)
        time.sleep(PROGRAM_PAUSE_SECONDS)
    return found
