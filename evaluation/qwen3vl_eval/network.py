"""A network of one direction: late, in order, and not everything arrives. Pure but for its random numbers."""

import random
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Conditions:
    """What the network between robot and server is like.

    Attributes:
        delay_seconds: of a message each way, without the jitter.
        jitter_seconds: the mean of what is added, exponentially distributed.
        frame_loss: share of the robot's messages that never arrive.
        answer_loss: share of the answers that never arrive.
    """

    delay_seconds: float = 0.01
    jitter_seconds: float = 0.002
    frame_loss: float = 0.0
    answer_loss: float = 0.0


@dataclass
class Way:
    """One direction of one connection."""

    delay_seconds: float
    jitter_seconds: float
    loss: float
    rng: random.Random
    _last: float = field(default=0.0)

    def arrival(self, now: float) -> float | None:
        """When a message sent now arrives, never before an earlier one; None when it is lost."""
        late = self.rng.expovariate(1.0 / self.jitter_seconds) if self.jitter_seconds else 0.0
        if self.rng.random() < self.loss:
            return None
        self._last = max(self._last, now + self.delay_seconds + late)
        return self._last
