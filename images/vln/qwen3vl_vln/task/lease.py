"""Who may write to a task: one writer at a time, whose lease follows its frames."""

from dataclasses import dataclass

QUIET_SECONDS = 2.0
"""After this long without a frame another writer may take the lease."""


class LeaseBusyError(Exception):
    """Another writer has the task."""

    def __init__(self, writer: str) -> None:
        super().__init__(f"writer {writer!r} drives this task; ask for takeover, or wait until it is silent for 2 s")


@dataclass(slots=True)
class Lease:
    """The writer of a task; `epoch` is raised by each grant."""

    epoch: int = 0
    writer: str | None = None
    used_at: float = 0.0

    def grant(self, writer: str, now: float, *, takeover: bool = False) -> int:
        """Give the lease to a writer; its new epoch.

        Raises:
            LeaseBusyError: another writer's frames came less than 2 s ago.
        """
        if self.writer not in (None, writer) and not takeover and now - self.used_at < QUIET_SECONDS:
            raise LeaseBusyError(self.writer or "")
        self.writer, self.used_at = writer, now
        self.epoch += 1
        return self.epoch

    def holds(self, writer: str, epoch: int | None, now: float) -> bool:
        """Whether a frame of this writer counts; it then keeps the lease alive."""
        if writer != self.writer or (epoch is not None and epoch != self.epoch):
            return False
        self.used_at = now
        return True
