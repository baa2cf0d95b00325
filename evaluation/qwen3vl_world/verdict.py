"""How a walk is scored: success, declared or not, and the share of the shortest way. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from qwen3vl_world.geodesic import Ways
from qwen3vl_world.judge import STANDING_SECONDS, STILL_METRES, SUCCESS_METRES
from qwen3vl_world.plan import Place, Pose


@dataclass(frozen=True)
class Score:
    """What one walk is worth.

    Attributes:
        success: declared at the goal, where the robot stood for a second.
        oracle: it was at the goal at some time, declared or not.
        false_goal: declared somewhere else.
        spl: share of the shortest way in the driven one; 0 without success.
        metres_from_goal: at the end, along the shortest way.
    """

    success: bool
    oracle: bool
    false_goal: bool
    spl: float
    metres_from_goal: float


@dataclass
class Standard:
    """Watches one robot on its way to one goal point.

    Attributes:
        shortest_metres: from the start to the edge of the disc around the goal point.
    """

    ways: Ways
    start: Place
    goal: Place
    shortest_metres: float = field(init=False)
    _reached: bool = False
    _place: Place = (math.inf, math.inf)
    _standing_since: float = math.inf
    _now: float = 0.0

    def __post_init__(self) -> None:
        self.shortest_metres = max(0.0, self.ways.metres(self.start, self.goal) - SUCCESS_METRES)

    def look(self, now: float, pose: Pose) -> None:
        """Note where the robot truly is."""
        place = (pose.x, pose.y)
        if math.dist(place, self._place) > STILL_METRES:
            self._place, self._standing_since = place, now
            self._reached = self._reached or self._at_goal(place)
        self._now = now

    def _at_goal(self, place: Place) -> bool:
        # A way is never shorter than the straight line.
        return math.dist(place, self.goal) <= SUCCESS_METRES and self.ways.metres(place, self.goal) <= SUCCESS_METRES

    def score(self, *, declared: bool, driven_metres: float) -> Score:
        """The verdict.

        Args:
            declared: the task ended as Complete with GoalReached.
            driven_metres: of the true path.
        """
        there = self._at_goal(self._place)
        stands = self._now - self._standing_since >= STANDING_SECONDS
        success = declared and there and stands
        return Score(
            success=success,
            oracle=success or self._reached or there,
            false_goal=declared and not there,
            spl=spl(success, self.shortest_metres, driven_metres),
            metres_from_goal=self.ways.metres(self._place, self.goal),
        )


def spl(success: bool, shortest_metres: float, driven_metres: float) -> float:
    """Success weighted by path length (Anderson et al. 2018): l / max(p, l), 0 without success."""
    longer = max(shortest_metres, driven_metres)
    return 0.0 if not success else shortest_metres / longer if longer else 1.0


def mean(values: Iterable[float]) -> float:
    """Of no values: 0."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0
