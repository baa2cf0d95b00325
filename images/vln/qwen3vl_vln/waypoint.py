"""The one value that parser, planner and answers share: a step of a plan."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waypoint:
    """A displacement in the robot frame that is reached after the waypoint before it; it has no duration.

    Attributes:
        dx: forward, metres.
        dy: to the left, metres.
        dtheta: counter-clockwise, radians; turned after the displacement.
    """

    dx: float
    dy: float
    dtheta: float
