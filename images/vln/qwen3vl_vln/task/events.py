"""What happens to a task: frames from its robot, results from its model."""

from dataclasses import dataclass

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.motion.dead_reckoning import Odometry
from qwen3vl_vln.waypoint import Waypoint


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a robot: an image, or a tick that only asks for the next answer.

    Attributes:
        received_at: seconds on the server's monotonic clock.
        sequence: the client's number, None for clients without.
        captured: the client's own time stamp in seconds, echoed; poses are ordered by it.
        age_seconds: of the image and of the pose, or of the image withheld, at its receipt, as far as is known.
        image: JPEG bytes, None for a tick.
        odometry: None without; `odometry_bad` when it was sent and is not finite.
        blocked: the robot's own sensors forbid going on.
        emergency_stop: its button is pressed.
        force_key: the model shall see this image.
        delayed: it was long under way.
        untimed: nobody knows that of the image.
        withheld: an image was too old to be sent; this tick stands for it.
        refused, note: why the image is not looked at, and a sentence about it or about the robot's clock.
        size: the image's width and height in pixels.
        fault: why the image cannot be used.
        watchdog: the client stands by itself when an answer is too old.
        camera: number of the robot's camera that took the image.
    """

    received_at: float
    sequence: int | None = None
    captured: float | None = None
    age_seconds: float = 0.0
    image: bytes | None = None
    odometry: Odometry | None = None
    odometry_bad: bool = False
    blocked: bool = False
    emergency_stop: bool = False
    force_key: bool = False
    delayed: bool = False
    untimed: bool = False
    withheld: bool = False
    refused: Reason | None = None
    note: str = ""
    size: tuple[int, int] = (0, 0)
    fault: Reason | None = None
    watchdog: bool = False
    camera: int = 0

    @property
    def taken_at(self) -> float:
        """When image and pose were captured, on the server's monotonic clock, as far as is known."""
        return self.received_at - self.age_seconds


@dataclass(frozen=True, slots=True)
class Result:
    """What the model said about one key frame, parsed.

    Attributes:
        epoch: of the task when the call was made; a result of an older one is discarded.
        frame: number of the key frame within the task.
        outcome: plan, pixel_goal, goal, stop, hold or invalid.
        detail: the parser's reason.
        model_seconds: duration of the call.
    """

    epoch: int
    frame: int
    outcome: str
    detail: str = ""
    waypoints: tuple[Waypoint, ...] = ()
    action: str = ""
    environment: str = ""
    progress: float | None = None
    clamped: bool = False
    model_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Owner:
    """The Kubernetes object that a task belongs to."""

    uid: str
    namespace: str
    name: str
    generation: int
