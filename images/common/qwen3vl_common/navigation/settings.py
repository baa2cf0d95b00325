"""What may be set about a task, with defaults, bounds and the rules between fields. Pure.

The NavTask's schema, bodies of requests and the objects by which the VLN API drives are these models. A rule stands
twice in one place: in CEL for the apiserver, and in Python for all else."""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from qwen3vl_common.navigation.wrong import RULE, parsed
from qwen3vl_common.parts import Part, rules
from qwen3vl_common.robots import LONGEST_ROBOT, ROBOT_PATTERN
from qwen3vl_common.special_tokens import SPECIAL_TOKENS, special_token

LONGEST_INSTRUCTION = 2000


def _whole(value: Any) -> Any:
    """JSON knows one kind of numbers: 8.0 is a whole one."""
    return int(value) if isinstance(value, float) and math.isfinite(value) and value == int(value) else value


Number = Annotated[float, Strict(), AllowInfNan(False)]
Whole = Annotated[int, Strict(), BeforeValidator(_whole)]
Flag = Annotated[bool, Strict()]
Profile = Literal["waypoints", "actions"]
Language = Literal["en", "zh"]
WantedState = Literal["Running", "Paused", "Stopped"]

LinearSpeed = Annotated[Number, Field(ge=0.01, le=3)]
TurnRate = Annotated[Number, Field(ge=0.01, le=4)]
BlindMeters = Annotated[Number, Field(ge=0.05, le=10)]
PlanAge = Annotated[Number, Field(ge=0.5, le=60)]
Threshold = Annotated[Number, Field(ge=0, le=1)]
HistoryFrames = Annotated[int, Strict(), Field(ge=0, le=15), BeforeValidator(_whole)]
RobotName = Annotated[str, Field(min_length=1, max_length=LONGEST_ROBOT, pattern=ROBOT_PATTERN)]


def _without_marks(value: str) -> str:
    token = special_token(value)
    if token is not None:
        raise PydanticCustomError(RULE, "{said}", {"said": NO_MARKS.format(token)})
    return value


NO_MARKS = "is a sentence, without marks of the model such as {}"
Instruction = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_INSTRUCTION,
        pattern=r"\S",
        json_schema_extra=rules(
            (
                f"!{json.dumps(SPECIAL_TOKENS)}.exists(token, self.contains(token))",
                NO_MARKS.format(SPECIAL_TOKENS[0]),
            )
        ),
    ),
    AfterValidator(_without_marks),
]

NO_PIXEL_GOAL = (
    "pixelGoal needs a camera with intrinsics, which spec.camera cannot describe yet: use waypoints or actions"
)


class SettingsPart(Part):
    """A part of what may be set, which is also read and written alone."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: str) -> Self:
        """The values given, in camelCase, over the defaults.

        Raises:
            WrongFieldError: an unknown name, a wrong type, a number out of bounds, a rule that is broken.
        """
        return parsed(cls, values, path)

    def as_json(self) -> dict[str, Any]:
        """All values, in camelCase."""
        return self.model_dump(by_alias=True)


class Limits(SettingsPart):
    """How fast, how far and how long the robot may walk."""

    linear_meters_per_second: LinearSpeed = Field(default=0.6, description="Highest speed, m/s.")
    angular_radians_per_second: TurnRate = Field(default=0.8, description="Highest turn rate, rad/s.")
    linear_acceleration: Number = Field(
        default=0.8, ge=0.01, le=10, description="Speeding up, m/s²; stopping is at once."
    )
    angular_acceleration: Number = Field(default=1.5, ge=0.01, le=20, description="Likewise for turning, rad/s².")
    reverse: Flag = Field(default=False, description="Whether the robot may drive backwards, where it does not see.")
    blind_meters: BlindMeters = Field(
        default=0.5, description="Longest way since the picture that the present plan was made from, m."
    )
    max_plan_age_seconds: PlanAge = Field(default=10, description="Oldest picture that a plan may have, s.")
    timeout_seconds: Number = Field(
        default=600, ge=1, le=86_400, description="Time for the whole task from its first frame, pauses included, s."
    )
    max_steps: Whole = Field(default=500, ge=1, le=100_000, description="Most plans that are begun.")
    robot_silent_seconds: Number = Field(
        default=10, ge=1, le=3_600, description="Longest time without a frame, after the first one, s."
    )
    model_lost_seconds: Number = Field(
        default=60, ge=1, le=3_600, description="Longest time without an answer of the model that can be used, s."
    )


class Keyframes(SettingsPart):
    """Which frames are shown to the model."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.minIntervalSeconds <= self.maxIntervalSeconds",
                "keyframes.minIntervalSeconds is at most keyframes.maxIntervalSeconds",
            )
        )
    )
    threshold: Threshold = Field(default=0.055, description="Change since the last key frame, 0 to 1.")
    min_interval_seconds: Number = Field(default=0.2, ge=0.05, le=10, description="Least time between two, s.")
    max_interval_seconds: Number = Field(default=2, ge=0.1, le=60, description="Most time between two, s.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_interval_seconds > self.max_interval_seconds:
            least, most = self.min_interval_seconds, self.max_interval_seconds
            said = f"is at most maxIntervalSeconds: {least:g} is more than {most:g}"
            raise PydanticCustomError(RULE, "{said}", {"said": said, "field": "minIntervalSeconds"})
        return self


class History(SettingsPart):
    """What the model is shown beside the newest frame."""

    frames: HistoryFrames = Field(default=8, description="Earlier key frames.")


class Camera(SettingsPart):
    """How the camera looks at the floor: where a plan is drawn in its pictures."""

    height_meters: Number = Field(default=0.45, ge=0.05, le=3, description="Above the floor, m.")
    pitch_degrees: Number = Field(default=0, ge=-60, le=89, description="Downwards from the horizontal, degrees.")
    horizontal_fov_degrees: Number = Field(
        default=90, ge=20, le=170, description="From the left edge of the picture to the right one, degrees."
    )


class Recording(SettingsPart):
    """Whether what the robot sees and is told is kept, for people to look at afterwards."""

    enabled: Flag = Field(
        default=False,
        description="Keep pictures, the model's words, plans and answers as MCAP files in the VLN API's pod.",
    )


class Prompt(SettingsPart):
    """How the model is asked."""

    model_config = ConfigDict(
        json_schema_extra=rules(("self.profile != 'pixelGoal'", f"prompt.profile {NO_PIXEL_GOAL}"))
    )
    # The schema names the profile to come, so that who asks for it is told why not.
    profile: Profile = Field(
        default="waypoints",
        description="The form of its answers: waypoints in guided JSON; actions in the words of NaVILA and Uni-NaVid "
        "or in arrows.",
        json_schema_extra={"enum": ["waypoints", "actions", "pixelGoal"]},
    )
    language: Language = Field(default="en", description="Language of the prompt.")

    @field_validator("profile", mode="before")
    @classmethod
    def _no_pixel_goal(cls, value: Any) -> Any:
        if value == "pixelGoal":
            raise PydanticCustomError(RULE, "{said}", {"said": NO_PIXEL_GOAL})
        return value


class Parts(Part):
    """All settings that may be left out, each with its defaults."""

    limits: Limits = Field(default=Limits(), description="How fast, how far and how long the robot may walk.")
    keyframes: Keyframes = Field(default=Keyframes(), description="Which frames are shown to the model.")
    history: History = Field(default=History(), description="What the model is shown beside the newest frame.")
    camera: Camera = Field(default=Camera(), description="How the camera looks at the floor.")
    recording: Recording = Field(default=Recording(), description="Whether the task is recorded.")
    prompt: Prompt = Field(default=Prompt(), description="How the model is asked.")


class _Walk(Part):
    robot: RobotName = Field(description="The robot that walks; it has at most one unfinished task.")
    instruction: Instruction = Field(description="Where to, in words; may be changed while the robot walks.")
    state: WantedState = Field(
        default="Running", description="Paused: the robot stands and the time-out runs on; Stopped: the task ends."
    )


class Walk(Parts, _Walk):
    """All that a NavTask says about a walk and the VLN API acts on."""
