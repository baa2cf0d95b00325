"""A stop that is kept until the server has said that it knows, over as many connections as that takes. Pure."""

from dataclasses import dataclass


@dataclass
class StopLatch:
    """Whether this robot holds because its own program asked it to.

    It holds from the request on, and lets go only when the server greets it with another task than the stopped one.

    Attributes:
        requested, acknowledged: how often a stop was asked for, and up to which of them the server has confirmed.
        task_id: the task that the server stopped.
    """

    requested: int = 0
    acknowledged: int = 0
    task_id: str | None = None

    @property
    def holds(self) -> bool:
        """The robot stands, whatever is answered."""
        return self.requested > 0

    @property
    def pending(self) -> bool:
        """The server has not confirmed yet."""
        return self.requested > self.acknowledged

    @property
    def stop_epoch(self) -> int:
        """What the next greeting says: not 0 asks the server to stop the task before anything else."""
        return self.requested if self.pending else 0

    def request(self) -> None:
        """Stop the task for good."""
        self.requested += 1

    def confirmed(self, task_id: str | None) -> None:
        """The server has latched the stop of this task."""
        self.acknowledged, self.task_id = self.requested, task_id

    def greeted(self, task_id: str | None) -> None:
        """The server names the task of this connection."""
        if self.holds and not self.pending and task_id != self.task_id:
            self.requested = self.acknowledged = 0
            self.task_id = None
