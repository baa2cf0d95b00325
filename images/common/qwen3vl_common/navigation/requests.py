"""Bodies of requests about tasks: what a client asks for, what the operator asserts. Pure.

Fields of the older protocol's `config` that mean a setting of today have their names in `OLDER`."""

from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from qwen3vl_common.navigation.record import Owner
from qwen3vl_common.navigation.settings import (
    HistoryFrames,
    Instruction,
    Number,
    Parts,
    RobotName,
    Threshold,
    Walk,
    WantedState,
    Whole,
)
from qwen3vl_common.parts import Part

OLDER = {"keyframe_threshold": ("keyframes", "threshold"), "history_frames": ("history", "frames")}
"""The part and the setting that a field of the older protocol's `config` means."""
MOST_RESUMED = 1_000_000_000


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})


class CreationConfig(Parts):
    """How the walk is to be; all of it may be left out."""

    robot: RobotName | None = Field(default=None, description="The robot that walks; absent: it is called as the task.")
    keyframe_threshold: Threshold | None = Field(
        default=None, alias="keyframe_threshold", description="The older protocol's keyframes.threshold."
    )
    history_frames: HistoryFrames | None = Field(
        default=None, alias="history_frames", description="The older protocol's history.frames."
    )
    enable_visualization: Any = Field(
        default=None,
        alias="enable_visualization",
        description="true: answers have `visualized_frame`, the older protocol's picture with the plan in it.",
    )


class CreateTask(Part):
    """The body of `POST /vln/task/create`."""

    model_config = _example(
        {
            "instruction": "Walk to the red door.",
            "config": {"robot": "go2-01", "limits": {"linearMetersPerSecond": 0.4}, "recording": {"enabled": True}},
        }
    )
    instruction: Instruction = Field(description="Where to, in words.")
    config: CreationConfig = CreationConfig()


class ChangeTask(Part):
    """The body of `PATCH /vln/task/{id}`: one field at least; what is absent stays."""

    model_config = _example({"instruction": "Walk to the blue door.", "state": "Paused"})
    instruction: Instruction | None = Field(default=None, description="Another instruction; the plan is dropped.")
    state: WantedState | None = Field(default=None, description="As of a NavTask.")

    @field_validator("instruction", "state", mode="before")
    @classmethod
    def _no_null(cls, value: Any) -> Any:
        if value is None:
            raise PydanticCustomError("null", "is absent or has a value")
        return value


class Resume(Part):
    """How far a task had come that a new VLN API goes on with: seconds since its first frame, and steps."""

    elapsed_seconds: Number = Field(default=0, ge=0, le=MOST_RESUMED)
    steps: Whole = Field(default=0, ge=0, le=MOST_RESUMED)

    @classmethod
    def bounded(cls, elapsed_seconds: float, steps: int) -> Self:
        """What a record or a status says, within bounds: an odd number keeps no task from being asserted."""
        return cls(
            elapsed_seconds=max(0, min(elapsed_seconds, MOST_RESUMED)), steps=max(0, min(int(steps), MOST_RESUMED))
        )


class _Owned(Part):
    # A base of its own: of several mistakes the first field's is told, in the order of bases.
    owner: Owner


class AssertTask(Walk, _Owned):
    """The body of the operator's `PUT /vln/task/{id}`: all of a NavTask that the VLN API acts on."""

    model_config = _example(
        {
            "owner": {"uid": "0123abcd-0000-4000-8000-000000000001", "namespace": "robots", "name": "walk"}
            | {"generation": 1},
            "robot": "go2-01",
            "instruction": "Walk to the red door.",
            "state": "Running",
        }
    )
    resume: Resume | None = None
