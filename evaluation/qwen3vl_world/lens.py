"""How a camera is mounted and what light there is. Pure.

The simulator's policy knows one camera: 0.45 m above the floor, level, 90 degrees wide, white light. Everything else is
for finding out what happens when that is not so."""

import math
import random
from dataclasses import dataclass

LIGHTS: dict[str, tuple[float, float, float]] = {
    "white": (1.0, 1.0, 1.0),
    "dim": (0.45, 0.45, 0.45),
    "bright": (1.4, 1.4, 1.4),
    "warm": (0.65, 0.9, 1.15),
    "cold": (1.15, 1.0, 0.75),
}
"""By how much blue, green and red of a picture are multiplied."""
MIN_HEIGHT_METRES, MAX_HEIGHT_METRES = 0.1, 2.0
MAX_PITCH_DEGREES = 30.0
MIN_FOV_DEGREES, MAX_FOV_DEGREES = 40.0, 120.0


@dataclass(frozen=True)
class Lens:
    """A camera.

    Attributes:
        height_metres: above the floor, 0.1 to 2.
        pitch_degrees: downwards, -30 to 30.
        fov_degrees: from the left edge to the right edge, 40 to 120.
        light: one of `LIGHTS`.

    Raises:
        ValueError: one of them is out of its bounds.
    """

    height_metres: float = 0.45
    pitch_degrees: float = 0.0
    fov_degrees: float = 90.0
    light: str = "white"

    def __post_init__(self) -> None:
        if not MIN_HEIGHT_METRES <= self.height_metres <= MAX_HEIGHT_METRES:
            raise ValueError(f"a camera is {MIN_HEIGHT_METRES} to {MAX_HEIGHT_METRES} m above the floor")
        if not abs(self.pitch_degrees) <= MAX_PITCH_DEGREES:
            raise ValueError(f"a camera is pitched by -{MAX_PITCH_DEGREES:g} to {MAX_PITCH_DEGREES:g} degrees")
        if not MIN_FOV_DEGREES <= self.fov_degrees <= MAX_FOV_DEGREES:
            raise ValueError(f"a camera sees {MIN_FOV_DEGREES:g} to {MAX_FOV_DEGREES:g} degrees")
        if self.light not in LIGHTS:
            raise ValueError(f"the light is one of {', '.join(LIGHTS)}")

    def focal_pixels(self, width: int) -> float:
        """Focal length for pictures of this width; 320 for 640 and 90 degrees."""
        return width / 2 / math.tan(math.radians(self.fov_degrees) / 2) if self.fov_degrees != 90.0 else width / 2


USUAL = Lens()


def drawn(rng: random.Random) -> Lens:
    """Another camera than the usual one, as robots have them."""
    return Lens(
        height_metres=round(rng.uniform(0.25, 0.75), 2),
        pitch_degrees=round(rng.uniform(-5.0, 12.0), 1),
        fov_degrees=round(rng.uniform(70.0, 110.0)),
        light=rng.choice(sorted(LIGHTS)),
    )
