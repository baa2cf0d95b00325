"""What a robot may do, and when its task ends: the numbers of a NavTask, with their defaults and bounds.

Defaults and bounds stand here for the VLN API and, equal, in the NavTask's schema; a test compares the two."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


class OutOfBoundsError(ValueError):
    """A number is missing its type or its bounds.

    Attributes:
        param: the field, as the client wrote it.
    """

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"{param} {message}")
        self.param = param


def _number(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class _Numbers:
    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: str) -> Self:
        """The values given, in camel case, over the defaults.

        Raises:
            OutOfBoundsError: an unknown name, a wrong type, a number out of bounds.
        """
        fields = {_camel(f.name): f for f in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - set(fields)):
            raise OutOfBoundsError(f"{path}.{unknown[0]}", f"is not known; known are {', '.join(sorted(fields))}")
        return cls(**{fields[name].name: _checked(fields[name], value, path) for name, value in values.items()})

    def as_json(self) -> dict[str, Any]:
        """All values, in camel case."""
        return {_camel(f.name): getattr(self, f.name) for f in dataclasses.fields(self)}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _checked(known: Any, value: Any, path: str) -> Any:
    where = f"{path}.{_camel(known.name)}"
    if isinstance(known.default, bool):
        if not isinstance(value, bool):
            raise OutOfBoundsError(where, "is true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise OutOfBoundsError(where, "is a number")
    low, high = known.metadata["low"], known.metadata["high"]
    if not low <= value <= high:
        raise OutOfBoundsError(where, f"is {value:g}; allowed is {low:g} to {high:g}")
    if isinstance(known.default, int):
        if value != int(value):
            raise OutOfBoundsError(where, "is a whole number")
        return int(value)
    return float(value)


@dataclass(frozen=True)
class Limits(_Numbers):
    """Velocities in m/s and rad/s, accelerations per second, lengths in metres, times in seconds."""

    linear_meters_per_second: float = _number(0.6, 0.01, 3.0)
    angular_radians_per_second: float = _number(0.8, 0.01, 4.0)
    linear_acceleration: float = _number(0.8, 0.01, 10.0)
    angular_acceleration: float = _number(1.5, 0.01, 20.0)
    reverse: bool = False
    blind_meters: float = _number(0.5, 0.05, 10.0)
    max_plan_age_seconds: float = _number(10.0, 0.5, 60.0)
    timeout_seconds: float = _number(600.0, 1.0, 86400.0)
    max_steps: int = _number(500, 1, 100000)
    robot_silent_seconds: float = _number(10.0, 1.0, 3600.0)
    model_lost_seconds: float = _number(60.0, 1.0, 3600.0)


@dataclass(frozen=True)
class Keyframes(_Numbers):
    """Which frames the model sees: how different they must be (0 to 1), at least and at most how often (seconds)."""

    threshold: float = _number(0.055, 0.0, 1.0)
    min_interval_seconds: float = _number(0.2, 0.05, 10.0)
    max_interval_seconds: float = _number(2.0, 0.1, 60.0)


@dataclass(frozen=True)
class History(_Numbers):
    """How many earlier key frames the model sees beside the newest."""

    frames: int = _number(8, 0, 15)


@dataclass(frozen=True)
class Camera(_Numbers):
    """How the camera looks at the floor: metres above it, degrees downwards, degrees from left edge to right edge."""

    height_meters: float = _number(0.45, 0.05, 3.0)
    pitch_degrees: float = _number(0.0, -60.0, 89.0)
    horizontal_fov_degrees: float = _number(90.0, 20.0, 170.0)
