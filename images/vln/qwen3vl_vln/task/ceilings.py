"""What no task of this VLN API exceeds, whatever a client or a NavTask asks for. Pure.

The owner of the VisionModel sets it; the operator writes it into a file that is read again when it changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.task.settings import Settings

BOUNDED = {
    "linearMetersPerSecond": "linear_meters_per_second",
    "angularRadiansPerSecond": "angular_radians_per_second",
    "blindMeters": "blind_meters",
    "maxPlanAgeSeconds": "max_plan_age_seconds",
}
"""Fields of `Limits` that have a ceiling, by their names in the file."""


@dataclass(frozen=True)
class Ceilings:
    """The largest values, by the names of `Limits`; what is not there is not bounded."""

    values: Mapping[str, float]

    @classmethod
    def read(cls, content: bytes) -> "Ceilings":
        """Ceilings from the file's JSON object; names of a newer operator are left out.

        Raises:
            ValueError: it is no such object, or a number is none or out of the bounds of that limit.
        """
        found = orjson.loads(content)
        if not isinstance(found, dict):
            raise ValueError("the ceilings are a JSON object")
        given = {name: value for name, value in found.items() if name in BOUNDED}
        limits = Limits.from_json(given, "ceilings")
        return cls({BOUNDED[name]: float(getattr(limits, BOUNDED[name])) for name in given})

    def bound(self, settings: Settings) -> Settings:
        """The settings with limits that are held; `wanted` keeps those that were asked for where that differs."""
        asked = settings.wanted or settings.limits
        changes: dict[str, Any] = {
            name: ceiling for name, ceiling in self.values.items() if getattr(asked, name) > ceiling
        }
        return replace(settings, limits=asked.model_copy(update=changes), wanted=asked if changes else None)


NONE = Ceilings({})


def clamped(settings: Settings) -> dict[str, dict[str, float]]:
    """What was asked for and what is held, by name, where a ceiling made a difference."""
    if settings.wanted is None:
        return {}
    wanted, held = settings.wanted.as_json(), settings.limits.as_json()
    return {name: {"wanted": wanted[name], "held": held[name]} for name in BOUNDED if wanted[name] != held[name]}
