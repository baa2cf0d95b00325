"""What a model's text means for a robot."""

from dataclasses import dataclass

from qwen3vl_vln.waypoint import Waypoint

PLAN, PIXEL_GOAL, GOAL, STOP, HOLD, INVALID = "plan", "pixel_goal", "goal", "stop", "hold", "invalid"
LONGEST_ACTION, LONGEST_ENVIRONMENT = 64, 500


@dataclass(frozen=True)
class ParseLimits:
    """Bounds of one waypoint and of a plan: metres, radians, and how many.

    Attributes:
        reverse: whether a plan may drive backwards.
    """

    reverse: bool = False
    max_dx: float = 1.0
    max_dy: float = 0.5
    max_dtheta: float = 0.8
    max_waypoints: int = 5

    @property
    def bounds(self) -> tuple[float, float, float]:
        """Of `dx`, `dy` and `dtheta`, either way."""
        return self.max_dx, self.max_dy, self.max_dtheta


@dataclass(frozen=True)
class Parsed:
    """The meaning of a whole text. Only `plan` moves a robot.

    Attributes:
        outcome: plan, pixel_goal, goal, stop, hold or invalid.
        reason: why, as a word for counters.
        clamped: a waypoint was larger than allowed, or there were too many.
        progress: 0 to 1, where the model says it.
        pixel: what a `pixel_goal` points at, 0 to 1000 from left and from top.
    """

    outcome: str
    reason: str
    waypoints: tuple[Waypoint, ...] = ()
    action: str = ""
    environment: str = ""
    progress: float | None = None
    clamped: bool = False
    pixel: tuple[float, float] | None = None


class RefusedError(ValueError):
    """The text is no answer that can be understood; the argument is the reason."""


def readable(text: object, longest: int) -> str:
    """What an answer to a robot may carry of a model's text: nothing but text, short, and no half of a character."""
    return text[:longest].encode("utf-8", "replace").decode() if isinstance(text, str) else ""


def invalid(reason: str) -> Parsed:
    """A text that nothing may follow from."""
    return Parsed(INVALID, reason)
