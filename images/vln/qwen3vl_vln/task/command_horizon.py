"""How long an answer is driven: until the next one comes, or until the robot's own watchdog ends it. Pure."""

from collections import deque
from dataclasses import dataclass, field

from qwen3vl_vln.motion.dead_reckoning import HOLD_SECONDS

LEAST_SECONDS = 1.0
"""The least between two frames that is reckoned with where nobody else ends a command: any program may stall."""
INTERVALS = 5


@dataclass(slots=True)
class CommandHorizon:
    """The frames of one robot.

    Attributes:
        watchdog: the robot stands by itself where no answer comes.
    """

    watchdog: bool = False
    _intervals: deque[float] = field(default_factory=lambda: deque(maxlen=INTERVALS))

    def frame(self, since_seconds: float | None, *, watchdog: bool) -> None:
        """A frame came, so many seconds after the one before it; None for the first."""
        self.watchdog = watchdog
        if since_seconds is not None:
            self._intervals.append(since_seconds)

    @property
    def command_horizon_seconds(self) -> float:
        """How long an answer may be driven at the most, as far as is known beforehand."""
        if self.watchdog:
            return HOLD_SECONDS
        return max([LEAST_SECONDS, *self._intervals])

    @property
    def hold_seconds(self) -> float:
        """How long the newest answer counts as driven where no other follows."""
        return self.command_horizon_seconds

    def clear(self) -> None:
        """Forget what was measured: another program drives."""
        self._intervals.clear()
