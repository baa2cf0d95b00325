"""The path of a plan: legs that are driven straight and turned in place, in the frame of its start."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qwen3vl_vln.motion.geometry import Pose, unwrapped
from qwen3vl_vln.waypoint import Waypoint


@dataclass(frozen=True, slots=True)
class DriveLeg:
    """A straight line that is driven.

    Attributes:
        heading: of the robot on it, radians; against its direction where it is driven backwards.
        metres: its length.
        sign: 1 forward, -1 backward.
        waypoint: the number of the waypoint that it leads to.
    """

    start: Pose
    end: Pose
    heading: float
    metres: float
    sign: float
    waypoint: int

    def along(self, pose: Pose) -> float:
        """Metres from its start to the point of it that is nearest to a pose; negative before it."""
        dx, dy = self.end.x - self.start.x, self.end.y - self.start.y
        return ((pose.x - self.start.x) * dx + (pose.y - self.start.y) * dy) / self.metres

    def cross_track(self, pose: Pose) -> float:
        """Metres that a pose is to the left of it, seen in its direction."""
        dx, dy = self.end.x - self.start.x, self.end.y - self.start.y
        return (dx * (pose.y - self.start.y) - dy * (pose.x - self.start.x)) / self.metres


@dataclass(frozen=True, slots=True)
class TurnLeg:
    """A turn in place.

    Attributes:
        heading: in which it ends, radians.
        planned: the angle of a turn of its own; 0 for one that only ends a drive.
        waypoint: the number of the waypoint that it belongs to.
    """

    heading: float
    planned: float
    waypoint: int

    def left(self, yaw: float) -> float:
        """Radians that a robot with this yaw has still to turn."""
        # Only what was planned as a turn of its own may be more than half a round.
        return self.heading - yaw if self.planned else self.heading - unwrapped(yaw, self.heading)


Leg = DriveLeg | TurnLeg


def legs(waypoints: Sequence[Waypoint]) -> list[Leg]:
    """The path of a plan. A bearing is followed, then `dtheta` is turned."""
    path: list[Leg] = []
    pose = Pose()
    for index, point in enumerate(waypoints):
        metres = math.hypot(point.dx, point.dy)
        end = pose.after(point.dx, point.dy, point.dtheta)
        if metres > 1e-6:
            sign = -1.0 if point.dx < 0 else 1.0
            heading = pose.yaw + math.atan2(sign * point.dy, sign * point.dx)
            path.append(DriveLeg(pose, end, heading, metres, sign, index))
            following = waypoints[index + 1] if index + 1 < len(waypoints) else None
            # Where the robot drives on, the bearing of the next leg takes the place of the turn.
            if following is None or math.hypot(following.dx, following.dy) <= 1e-6:
                path.append(TurnLeg(end.yaw, 0.0, index))
        elif abs(point.dtheta) > 1e-6:
            path.append(TurnLeg(end.yaw, point.dtheta, index))
        pose = end
    return path
