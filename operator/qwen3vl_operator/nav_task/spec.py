"""The NavTask resource as typed values: one walk of one robot by one instruction."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from qwen3vl_common.robots import LONGEST_ROBOT, ROBOT_PATTERN
from qwen3vl_operator.kube.fields import Part, rules


class ModelReference(Part):
    """A VisionModel of the same namespace."""

    name: str = Field(min_length=1, max_length=40, description="Its name.")


class Limits(Part):
    """How fast, how far and how long the robot may walk."""

    linear_meters_per_second: float = Field(default=0.6, ge=0.01, le=3, description="Highest speed, m/s.")
    angular_radians_per_second: float = Field(default=0.8, ge=0.01, le=4, description="Highest turn rate, rad/s.")
    linear_acceleration: float = Field(
        default=0.8, ge=0.01, le=10, description="Speeding up, m/s²; stopping is at once."
    )
    angular_acceleration: float = Field(default=1.5, ge=0.01, le=20, description="Likewise for turning, rad/s².")
    reverse: bool = Field(default=False, description="Whether the robot may drive backwards, where it does not see.")
    blind_meters: float = Field(
        default=0.5, ge=0.05, le=10, description="Longest way since the picture that the present plan was made from, m."
    )
    max_plan_age_seconds: float = Field(
        default=10, ge=0.5, le=60, description="Oldest picture that a plan may have, s."
    )
    timeout_seconds: float = Field(
        default=600, ge=1, le=86_400, description="Time for the whole task from its first frame, pauses included, s."
    )
    max_steps: int = Field(default=500, ge=1, le=100_000, description="Most plans that are begun.")
    robot_silent_seconds: float = Field(
        default=10, ge=1, le=3_600, description="Longest time without a frame, after the first one, s."
    )
    model_lost_seconds: float = Field(
        default=60, ge=1, le=3_600, description="Longest time without an answer of the model that can be used, s."
    )


class Keyframes(Part):
    """Which frames are shown to the model."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.minIntervalSeconds <= self.maxIntervalSeconds",
                "keyframes.minIntervalSeconds is at most keyframes.maxIntervalSeconds",
            )
        )
    )
    threshold: float = Field(default=0.055, ge=0, le=1, description="Change since the last key frame, 0 to 1.")
    min_interval_seconds: float = Field(default=0.2, ge=0.05, le=10, description="Least time between two, s.")
    max_interval_seconds: float = Field(default=2, ge=0.1, le=60, description="Most time between two, s.")


class History(Part):
    """What the model is shown beside the newest frame."""

    frames: int = Field(default=8, ge=0, le=15, description="Earlier key frames.")


class Camera(Part):
    """How the camera looks at the floor: where a plan is drawn in its pictures."""

    height_meters: float = Field(default=0.45, ge=0.05, le=3, description="Above the floor, m.")
    pitch_degrees: float = Field(default=0, ge=-60, le=89, description="Downwards from the horizontal, degrees.")
    horizontal_fov_degrees: float = Field(
        default=90, ge=20, le=170, description="From the left edge of the picture to the right one, degrees."
    )


class Recording(Part):
    """Whether what the robot sees and is told is kept, for people to look at afterwards."""

    enabled: bool = Field(
        default=False,
        description="Keep pictures, the model's words, plans and answers as MCAP files in the VLN API's pod.",
    )


class Prompt(Part):
    """How the model is asked."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.profile != 'pixelGoal'",
                "prompt.profile pixelGoal needs a camera with intrinsics, which spec.camera cannot describe yet: "
                "use waypoints or actions",
            )
        )
    )
    profile: Literal["waypoints", "actions", "pixelGoal"] = Field(
        default="waypoints",
        description="The form of its answers: waypoints in guided JSON; actions in the words of NaVILA and Uni-NaVid "
        "or in arrows.",
    )
    language: Literal["en", "zh"] = Field(default="en", description="Language of the prompt.")


class NavTaskSpec(Part):
    """What is wanted."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "oldSelf.state != 'Stopped' || self.state == 'Stopped'",
                "state Stopped never changes back: make a new NavTask",
            ),
            ("self.robot == oldSelf.robot", "robot cannot be changed: make a new NavTask"),
            ("self.modelRef == oldSelf.modelRef", "modelRef cannot be changed: make a new NavTask"),
        )
    )
    model_ref: ModelReference = Field(description="The model to walk by; its spec.navigation must be there.")
    robot: str = Field(
        min_length=1,
        max_length=LONGEST_ROBOT,
        pattern=ROBOT_PATTERN,
        description="The robot that walks; it has at most one unfinished task.",
    )
    instruction: str = Field(
        min_length=1,
        max_length=2000,
        pattern=r"\S",
        description="Where to, in words; may be changed while the robot walks.",
    )
    state: Literal["Running", "Paused", "Stopped"] = Field(
        default="Running", description="Paused: the robot stands and the time-out runs on; Stopped: the task ends."
    )
    limits: Limits = Field(default=Limits(), description="How fast, how far and how long the robot may walk.")
    keyframes: Keyframes = Field(default=Keyframes(), description="Which frames are shown to the model.")
    history: History = Field(default=History(), description="What the model is shown beside the newest frame.")
    camera: Camera = Field(default=Camera(), description="How the camera looks at the floor.")
    recording: Recording = Field(default=Recording(), description="Whether the task is recorded.")
    prompt: Prompt = Field(default=Prompt(), description="How the model is asked.")
    ttl_seconds_after_finished: int | None = Field(
        default=None, ge=0, le=31_536_000, description="Delete the NavTask this long after its end; absent: never."
    )


def task_id(name: str, uid: str) -> str:
    """The id in the VLN API of the NavTask of that name and uid."""
    return f"{name}-{uid[:8]}"


class NavTask(BaseModel):
    """A parsed NavTask: identity and spec."""

    model_config = ConfigDict(frozen=True)
    name: str
    namespace: str
    uid: str
    generation: int
    created: str
    spec: NavTaskSpec

    @property
    def task_id(self) -> str:
        """See `task_id`."""
        return task_id(self.name, self.uid)

    @property
    def precedence(self) -> tuple[str, str]:
        """Sorts the oldest first: that one has a robot that two tasks claim."""
        return self.created, self.uid


def parse_task(body: dict[str, Any]) -> NavTask:
    """The typed view of a NavTask object.

    Raises:
        pydantic.ValidationError: the spec breaks the schema (an older or hand-changed CRD let it through).
    """
    metadata = body["metadata"]
    return NavTask(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created=metadata.get("creationTimestamp", ""),
        spec=NavTaskSpec.model_validate({} if body.get("spec") is None else body["spec"]),
    )
