"""Who may write to a task: one writer at a time, whose lease follows its frames.

A writer is a controller by name; each start of its program is another run of it. What was asked or planned for one run
is not driven by the next: nobody knows where the robot was carried meanwhile."""

import math
from dataclasses import dataclass

from qwen3vl_vln.errors import LeaseBusyError

QUIET_SECONDS = 2.0
"""After this long without a frame another writer may take the lease."""
QUIET_RUN_SECONDS = 0.5
"""The same for another run of one writer, whose connection is still open: most likely its program was killed."""


@dataclass(slots=True)
class Lease:
    """The writer of a task; `epoch` is raised by each grant.

    Attributes:
        run: of that writer; empty where it does not tell its runs apart.
        closed: its connection has ended.
    """

    epoch: int = 0
    writer: str | None = None
    run: str = ""
    closed: bool = False
    used_at: float = 0.0
    framed_at: float = -math.inf

    def grant(self, writer: str, now: float, *, run: str = "", takeover: bool = False) -> int:
        """Give the lease to a writer; its new epoch.

        Raises:
            LeaseBusyError: another writer's frames came less than 2 s ago, or those of another run of the same one
                less than 0.5 s and its connection is open.
        """
        if self.writer is not None and not takeover and not self.of(writer, run):
            if self.writer != writer and now - self.used_at < QUIET_SECONDS:
                wait = f"wait until it is silent for {QUIET_SECONDS:g} s"
                raise LeaseBusyError(f"writer {self.writer!r} drives this task; ask for takeover, or {wait}")
            if self.writer == writer and not self.closed and now - self.framed_at < QUIET_RUN_SECONDS:
                wait = f"wait until it is closed, or silent for {QUIET_RUN_SECONDS:g} s"
                other = f"another run of writer {self.writer!r}"
                raise LeaseBusyError(f"{other} drives this task; ask for takeover, or {wait}")
        self.writer, self.run, self.used_at = writer, run, now
        self.framed_at, self.closed = -math.inf, False
        self.epoch += 1
        return self.epoch

    def of(self, writer: str, run: str) -> bool:
        """Whether this very run of the writer has the lease, or had it last."""
        return (self.writer, self.run) == (writer, run)

    def holds(self, writer: str, epoch: int | None, now: float, *, run: str = "") -> bool:
        """Whether a frame of this writer counts; it then keeps the lease alive."""
        if not self.of(writer, run) or (epoch is not None and epoch != self.epoch):
            return False
        self.used_at = self.framed_at = now
        return True

    def quiet(self, now: float) -> bool:
        """Whether its writer has sent no frame for so long that others may have it."""
        return self.writer is not None and now - self.used_at >= QUIET_SECONDS

    def waited(self, now: float) -> None:
        """Its writer has waited for an answer until now: that was no silence."""
        self.used_at = max(self.used_at, now)

    def drop(self) -> int:
        """Nobody has the lease any more; its new epoch."""
        self.writer, self.run, self.closed = None, "", False
        self.epoch += 1
        return self.epoch

    def close(self, epoch: int | None) -> None:
        """The connection that was granted this epoch has ended."""
        if epoch == self.epoch:
            self.closed = True
