"""Poses in the plane and how they compose. x forward, y left, yaw counter-clockwise; metres and radians."""

import math
from dataclasses import dataclass

STRAIGHT = 1e-9
"""Below this turn, radians, an arc is a straight line."""


@dataclass(frozen=True, slots=True)
class Pose:
    """A place and heading in some frame. The yaw is not wrapped: one whole turn differs from none."""

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0

    def after(self, dx: float, dy: float, dyaw: float) -> "Pose":
        """The pose reached by a displacement given in this pose's own frame."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        return Pose(self.x + cosine * dx - sine * dy, self.y + sine * dx + cosine * dy, self.yaw + dyaw)

    def seen_from(self, origin: "Pose") -> "Pose":
        """This pose in the frame of `origin`."""
        cosine, sine = math.cos(origin.yaw), math.sin(origin.yaw)
        dx, dy = self.x - origin.x, self.y - origin.y
        return Pose(cosine * dx + sine * dy, cosine * dy - sine * dx, self.yaw - origin.yaw)

    def driven(self, v: float, w: float, seconds: float) -> "Pose":
        """The pose after driving with constant velocities (m/s, rad/s), exactly along the arc."""
        turn = w * seconds
        if abs(turn) < STRAIGHT:
            return self.after(v * seconds, 0.0, turn)
        radius = v / w
        return self.after(radius * math.sin(turn), radius * (1.0 - math.cos(turn)), turn)

    def distance(self, other: "Pose") -> float:
        """Metres between the two places."""
        return math.hypot(self.x - other.x, self.y - other.y)


def wrapped(angle: float) -> float:
    """The angle between -π and π, radians."""
    return math.remainder(angle, math.tau)


def unwrapped(angle: float, near: float) -> float:
    """The same heading, written as the number nearest to `near`."""
    return near + wrapped(angle - near)
