"""Whether a walk was a success, by the truth that only the world knows."""

import math
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_world.plan import Building, Pose

SUCCESS_METRES = 0.5
STANDING_SECONDS = 1.0
STILL_METRES = 0.01


@dataclass
class Judge:
    """Watches a robot.

    Attributes:
        standing_since: since when it has not moved.
    """

    building: Building
    standing_since: float | None = None
    reached: set[str] = field(default_factory=set)
    _last: Pose | None = None
    _now: float = 0.0

    def look(self, now: float, pose: Pose, state: str) -> None:
        """Note where it is."""
        moved = self._last is None or math.hypot(pose.x - self._last.x, pose.y - self._last.y) > STILL_METRES
        if moved or self._last is None:
            self._last, self.standing_since = pose, now
        self._now = now
        door, metres = self.nearest(pose)
        if metres <= SUCCESS_METRES:
            self.reached.add(door)

    def nearest(self, pose: Pose) -> tuple[str, float]:
        """The door whose goal point is nearest, and how far that is."""
        metres = {door.colour: math.hypot(pose.x - door.goal.x, pose.y - door.goal.y) for door in self.building.doors}
        return min(metres.items(), key=lambda pair: pair[1]) if metres else ("", math.inf)

    def report(self) -> dict[str, Any]:
        """The door that it stands before, "" for none, and how far from its goal point."""
        pose = self._last or self.building.start
        door, metres = self.nearest(pose)
        stands = self.standing_since is not None and self._now - self.standing_since >= STANDING_SECONDS
        return {
            "door": door if metres <= SUCCESS_METRES and stands else "",
            "metres_from_goal_point": round(metres, 3),
            "doors_passed": sorted(self.reached),
        }
