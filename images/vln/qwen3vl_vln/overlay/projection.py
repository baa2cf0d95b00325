"""From the floor to the image: a pinhole camera that looks down by its pitch. Pure.

Robot frame: x forward, y left, metres. Image: columns to the right, rows downwards, pixel centres at integers."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qwen3vl_common.navigation.settings import Camera

Floats = npt.NDArray[np.float64]
NEAR_METRES = 0.05
"""Nearer than this along the optical axis nothing is projected: there lines run off to infinity."""


@dataclass(frozen=True)
class Projection:
    """A camera above the floor and the image it makes.

    Attributes:
        width, height: of the image, pixels.
    """

    camera: Camera
    width: int
    height: int

    @property
    def focal_pixels(self) -> float:
        """Focal length in pixels; the same for rows and columns."""
        return self.width / 2 / math.tan(math.radians(self.camera.horizontal_fov_degrees) / 2)

    def depths(self, floor: Floats) -> Floats:
        """Metres along the optical axis of points on the floor (n x 2); negative behind the camera."""
        pitch = math.radians(self.camera.pitch_degrees)
        return np.asarray(floor[:, 0] * math.cos(pitch) + self.camera.height_meters * math.sin(pitch))

    def pixels(self, floor: Floats) -> Floats:
        """Columns and rows (n x 2) of points on the floor (n x 2), which may lie outside the image.

        Every point must be at least `NEAR_METRES` deep; see `clipped`.
        """
        pitch = math.radians(self.camera.pitch_degrees)
        depth = self.depths(floor)
        down = self.camera.height_meters * math.cos(pitch) - floor[:, 0] * math.sin(pitch)
        columns = (self.width - 1) / 2 - self.focal_pixels * floor[:, 1] / depth
        rows = (self.height - 1) / 2 + self.focal_pixels * down / depth
        return np.stack((columns, rows), axis=1)

    def clipped(self, floor: Floats) -> Floats:
        """What of a convex polygon on the floor (n x 2) lies in front of the camera; empty when nothing does."""
        beyond = self.depths(floor) - NEAR_METRES
        if (beyond >= 0).all():
            return floor
        kept: list[Floats] = []
        for here in range(len(floor)):
            after = (here + 1) % len(floor)
            if beyond[here] >= 0:
                kept.append(floor[here])
            if (beyond[here] >= 0) != (beyond[after] >= 0):
                share = beyond[here] / (beyond[here] - beyond[after])
                kept.append(floor[here] + share * (floor[after] - floor[here]))
        return np.array(kept, float).reshape(-1, 2)
