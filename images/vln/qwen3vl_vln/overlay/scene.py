"""What is said about one image: values that the edge knows and the worker draws."""

from dataclasses import dataclass, field

from qwen3vl_common.navigation.settings import Camera
from qwen3vl_vln.waypoint import Waypoint


@dataclass(frozen=True)
class Scene:
    """A task at the moment of an image.

    Attributes:
        rest: what is not driven yet of the plan, in the robot's frame.
        v, w: what the robot was told, m/s and rad/s.
        state, reason: as in answers.
        plan_age_seconds: since the receipt of the plan's image; None without a plan.
        picture_age_seconds: since the receipt of this image.
        progress: 0 to 1.
        at: the time of day, to be shown as it is.
    """

    camera: Camera = field(default_factory=Camera)
    rest: tuple[Waypoint, ...] = ()
    v: float = 0.0
    w: float = 0.0
    state: str = "waiting"
    reason: str = "waiting_for_frame"
    plan_age_seconds: float | None = None
    picture_age_seconds: float = 0.0
    progress: float = 0.0
    instruction: str = ""
    environment: str = ""
    message: str = ""
    at: str = ""
