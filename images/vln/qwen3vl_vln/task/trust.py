"""Whether a robot's odometry is believed: what was found against it, and what it takes to drive on. Pure."""

import math
from dataclasses import dataclass

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.motion.agreement import Finding, OdometryFault

LASTING = (OdometryFault.MIRRORED, OdometryFault.AXES)
"""Nothing that the robot does makes these good: its program is mended, and says so with another origin or a new run."""


@dataclass(slots=True)
class Trust:
    """What stands between plans and the robot. Times in seconds on a monotonic clock.

    Attributes:
        why: what was found last, as a sentence for people; empty if nothing.
    """

    why: str = ""
    _reason: Reason | None = None
    _origin: int = 0
    _found_at: float = -math.inf
    _lasting: bool = False

    def found(self, finding: Finding, origin: int, now: float) -> Reason:
        """Something contradicts the odometry of that origin."""
        self.why, self._reason = finding.why, Reason(finding.fault.value)
        self._origin, self._found_at, self._lasting = origin, now, finding.fault in LASTING
        return self._reason

    def lasts(self, origin: int) -> Reason | None:
        """What forbids all plans, if anything does."""
        return self._reason if self._lasting and origin == self._origin else None

    def forbids(self, origin: int, seen_at: float) -> Reason | None:
        """What forbids a plan by an image of that time, if anything does."""
        if self._lasting:
            return self.lasts(origin)
        return self._reason if seen_at <= self._found_at else None
