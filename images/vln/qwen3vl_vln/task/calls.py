"""The model's calls as a task sees them: where the robot was at each image, what is under way, how it went. Pure."""

from collections import deque
from dataclasses import dataclass, field

from qwen3vl_vln.motion.dead_reckoning import Fix
from qwen3vl_vln.waypoint import Waypoint

SLOW_SECONDS = 1.2
"""From here on a robot is told that the model has not answered yet."""
KEY_FRAMES_REMEMBERED = 1024
"""While the model thinks, images go on: as many as a call of 30 s may see at the highest rate, and more."""
SECONDS_REMEMBERED = 100


@dataclass(frozen=True, slots=True)
class FramePose:
    """Where and when the robot was at a key frame, as old as it was at its receipt; `captured` by its own clock."""

    fix: Fix
    received_at: float
    captured: float | None


@dataclass(slots=True)
class Calls:
    """The calls of one task. Times in seconds on a monotonic clock.

    Attributes:
        since: when the call under way began.
        failures: in a row.
        failing_since: when the first of them was.
        context_too_small: the newest one was, because not even one image fits the model's context.
        last_error: what the newest failure said.
        seconds: durations of the newest calls; the first call of all, a cold one, is left out.
        opened: the image whose answer is being driven by its opening, and those waypoints.
    """

    since: float | None = None
    failures: int = 0
    failing_since: float | None = None
    context_too_small: bool = False
    last_error: str | None = None
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=SECONDS_REMEMBERED))
    opened: tuple[int, tuple[Waypoint, ...]] | None = None
    _seen: dict[int, FramePose] = field(default_factory=dict)
    _warm: bool = False

    def remember(self, number: int, seen: FramePose) -> None:
        """An image goes to the model's side under this number."""
        self._seen[number] = seen
        while len(self._seen) > KEY_FRAMES_REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def frame_pose(self, number: int) -> FramePose | None:
        """The image of that number, while an answer to it can still come."""
        return self._seen.get(number)

    def slow(self, now: float) -> bool:
        """Whether the call under way takes long."""
        return self.since is not None and now - self.since > SLOW_SECONDS

    def failed(self, number: int, message: str, now: float, *, context_too_small: bool = False) -> None:
        """The call about an image failed."""
        self._over(number)
        self.context_too_small = context_too_small
        self.failures += 1
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.last_error = message

    def answered(self, number: int, seconds: float) -> None:
        """The call about an image was answered."""
        self._over(number)
        self.failures, self.failing_since, self.context_too_small = 0, None, False
        if self._warm:
            self.seconds.append(seconds)
        self._warm = True

    def _over(self, number: int) -> None:
        self.since = None
        # Answers come in the order of the questions: no older image will have one.
        for older in [known for known in self._seen if known < number]:
            del self._seen[older]

    def confirmed(self, number: int, waypoints: tuple[Waypoint, ...]) -> bool:
        """Whether an answer ends as it began, by the opening that is being driven; ends the opening."""
        opened, self.opened = self.opened, None
        return opened == (number, waypoints)

    def clear(self) -> None:
        """Forget all that was asked."""
        self.since = self.failing_since = self.opened = None
        self.failures, self.context_too_small = 0, False
        self._seen.clear()
