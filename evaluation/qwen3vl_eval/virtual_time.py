"""An event loop whose time leaps to whatever is due next: a minute of waiting takes no time, and repeats."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple, Unpack

Outcome = TypeVar("Outcome")
Given = TypeVarTuple("Given")


class _Leaping(selectors.SelectSelector):
    """Takes what is there from outside; instead of waiting it moves the clock.

    Args:
        patience_seconds: real time for what is on its way through the kernel, before a leap.
    """

    def __init__(self, patience_seconds: float) -> None:
        super().__init__()
        self.now = 0.0
        self._patience_seconds = patience_seconds

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if ready := super().select(0):
            return ready
        leaps = timeout is None or timeout > self._patience_seconds > 0
        if leaps and (ready := super().select(self._patience_seconds)):
            return ready
        if timeout is None:
            raise RuntimeError("everything waits and nothing is due: on a virtual clock that is for ever")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Begins at 0 s. What would run in a thread runs at once.

    Args:
        patience_seconds: real time that a leap waits for sockets; 0 where there are none.
    """

    def __init__(self, patience_seconds: float = 0.0) -> None:
        self._leaping = _Leaping(patience_seconds)
        super().__init__(self._leaping)

    def time(self) -> float:
        """Seconds since it began."""
        return self._leaping.now

    def run_in_executor(
        self, executor: Any, func: Callable[[Unpack[Given]], Outcome], *args: *Given
    ) -> "asyncio.Future[Outcome]":
        """Call it now."""
        done: asyncio.Future[Outcome] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told, as with a thread
            done.set_exception(error)
        return done


def run(coroutine: Coroutine[Any, Any, Outcome], patience_seconds: float = 0.0) -> Outcome:
    """Run to the end on a virtual clock."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(patience_seconds)) as runner:
        return runner.run(coroutine)
