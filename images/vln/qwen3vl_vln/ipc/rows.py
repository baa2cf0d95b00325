"""Values inside messages: poses by odometry, and rows of what a recorded task answered and planned."""

from dataclasses import dataclass

from qwen3vl_vln.waypoint import Waypoint


@dataclass(frozen=True, slots=True, kw_only=True)
class OdometryPose:
    """Where the robot was by its own odometry.

    Attributes:
        x, y: metres.
        yaw: radians, counter-clockwise.
        origin: number of the odometry's origin; poses of different ones cannot be compared.
    """

    x: float
    y: float
    yaw: float
    origin: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """What a robot was told.

    Attributes:
        at: when, seconds on the monotonic clock.
        frame_id: number of the frame that was answered; `seq`: the robot's own number of it.
        linear_mps: metres per second, forward.
        angular_rps: radians per second, counter-clockwise.
        plan_id: of the plan that was driven; `age_ms`: since its image, milliseconds.
    """

    at: float
    frame_id: int
    seq: int | None
    state: str
    reason: str
    linear_mps: float
    angular_rps: float
    plan_id: str | None
    age_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A plan that began to count.

    Attributes:
        at: when, seconds on the monotonic clock.
        frame: number of its key frame.
        anchor: the robot's pose with that; None without odometry.
        age_seconds: of the key frame, since its receipt.
        model_seconds: duration of the call.
        validity_seconds: from the key frame's receipt on.
        opening: begun while the rest of the answer was still being written.
    """

    at: float
    plan_id: str
    frame: int
    epoch: int
    waypoints: tuple[Waypoint, ...]
    anchor: OdometryPose | None
    age_seconds: float
    model_seconds: float
    validity_seconds: float
    opening: bool
