"""When a task is done: one claim of the model is a candidate, only a second one from a standing robot completes it."""

from dataclasses import dataclass

from qwen3vl_vln.motion.dead_reckoning import DeadReckoning

STANDING_SECONDS = 0.5
STILL_MPS, STILL_RPS = 0.03, 0.06
STOPS, STOPS_SECONDS = 5, 10.0


@dataclass(slots=True)
class GoalJudge:
    """Keeps what a verdict about goal and stop needs.

    Attributes:
        candidate: the newest result was a goal.
        stops: results in a row that said stop.
    """

    candidate: bool = False
    stops: int = 0
    _stops_since: float = 0.0
    _stopped_for: float = 0.0
    _standing_since: float | None = None

    def on_command(self, v: float, w: float, reckoning: DeadReckoning, now: float) -> None:
        """The robot was told these velocities; its own measurement, where it has one, also counts."""
        rolling = abs(reckoning.v or 0.0) > STILL_MPS or abs(reckoning.w or 0.0) > STILL_RPS
        if v or w or rolling:
            self._standing_since = None
        elif self._standing_since is None:
            self._standing_since = now

    def took(self, outcome: str, now: float) -> None:
        """A result came."""
        if outcome != "goal":
            self.candidate = False
        if outcome != "stop":
            self.stops = 0
            return
        if not self.stops:
            self._stops_since = now
        self.stops += 1
        self._stopped_for = now - self._stops_since

    @property
    def stopped_for_good(self) -> bool:
        """The model said nothing but stop, often and long enough."""
        return self.stops >= STOPS and self._stopped_for >= STOPS_SECONDS

    def propose(self) -> None:
        """Take a goal result as a candidate."""
        self.candidate = True

    def confirms(self, taken_at: float) -> bool:
        """Whether a goal result for an image of that time completes the task."""
        standing = self._standing_since
        return self.candidate and standing is not None and taken_at >= standing + STANDING_SECONDS

    def wants_image(self, now: float) -> bool:
        """An image taken now could confirm the candidate."""
        return self._standing_since is not None and now >= self._standing_since + STANDING_SECONDS
