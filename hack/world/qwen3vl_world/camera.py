"""What the robot's camera sees: one ray per column for walls and boxes, the ground plane per pixel for the floor.

Faster than real time on one core, because everything that does not depend on the pose is made once: directions, depths
per row, textures of all faces in one atlas, noise."""

import math

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from qwen3vl_world.disc import faces_around
from qwen3vl_world.plan import Building, Colour, Place, Pose, Segment
from qwen3vl_world.textures import FLOOR_PIXELS_PER_METRE, Atlas, floor_texture

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

WIDTH, HEIGHT = 640, 480
FOCAL = WIDTH / 2
"""Pixels; half the width makes a horizontal field of view of 90 degrees."""
CAMERA_METRES = 0.45
HORIZON = HEIGHT / 2
NEAR = 0.05
DISC_SIDES, DISC_HEIGHT = 10, 1.3
DISC_COLOUR: Colour = (92, 60, 58)
_FARTHEST = 100.0
NOISE_DEVIATION = 3.0
_POOL_SIDE = 192
_FAR_ROWS = 40
"""Rows below the horizon whose floor is further than 3.6 m and would shimmer from a sharp texture."""


class Camera:
    """Looks horizontally from `CAMERA_METRES` above the floor. Noise and textures follow from the seed."""

    def __init__(self, building: Building, seed: int = 0, *, quality: int = 85) -> None:
        self._quality = quality
        faces = building.faces
        self._walking = slice(len(faces), len(faces) + (DISC_SIDES if building.crossing else 0))
        if building.crossing:
            sides = faces_around(building.crossing.at(building.crossing.begin_metres), DISC_SIDES)
            faces = (*faces, *(Segment(*side, DISC_HEIGHT, DISC_COLOUR) for side in sides))
        self._atlas = Atlas(building, faces, seed)
        self._x1 = np.array([face.x1 for face in faces], np.float32)
        self._y1 = np.array([face.y1 for face in faces], np.float32)
        self._ex = np.array([face.x2 - face.x1 for face in faces], np.float32)
        self._ey = np.array([face.y2 - face.y1 for face in faces], np.float32)
        self._length = np.hypot(self._ex, self._ey)
        self._height = np.array([face.height for face in faces], np.float32)
        self._walls = len(building.walls)
        self._corner = building.bounds[:2]
        self._floor, self._far_floor = floor_texture(building, seed)
        columns = np.arange(WIDTH, dtype=np.float32)
        self._side = ((WIDTH - 1) / 2 - columns) / np.float32(FOCAL)
        self._above = ((HORIZON - 0.5) - np.arange(HEIGHT, dtype=np.float32))[:, None] / np.float32(FOCAL)
        rows = np.arange(HEIGHT // 2, dtype=np.float32)[:, None] + np.float32(0.5)
        self._ahead = np.float32(CAMERA_METRES * FOCAL) / rows
        self._left = self._ahead * self._side[None, :]
        rng = np.random.default_rng(seed)
        pool = rng.normal(0, NOISE_DEVIATION, (HEIGHT + _POOL_SIDE, WIDTH + _POOL_SIDE, 3))
        self._noise = np.clip(pool, -30, 30).astype(np.int8)
        self._seed = seed

    def jpeg(self, pose: Pose, disc: Place | None = None, *, number: int = 0) -> bytes:
        """The picture at a pose, encoded; see `pixels`."""
        pixels = self.pixels(pose, disc, number=number)
        return bytes(simplejpeg.encode_jpeg(pixels, self._quality, "BGR", colorsubsampling="420", fastdct=True))

    def pixels(self, pose: Pose, disc: Place | None = None, *, number: int = 0) -> Pixels:
        """The picture at a pose: height x width x 3, blue-green-red.

        Args:
            disc: where what walks is now; without it, where it begins.
            number: pictures of different numbers have different noise.
        """
        if disc is not None:
            self._x1[self._walking], self._y1[self._walking], x2, y2 = np.array(faces_around(disc, DISC_SIDES)).T
            self._ex[self._walking] = x2 - self._x1[self._walking]
            self._ey[self._walking] = y2 - self._y1[self._walking]
        picture = self._still(pose)
        top, left = np.random.default_rng((self._seed, number)).integers(0, _POOL_SIDE, 2)
        noise = self._noise[top : top + HEIGHT, left : left + WIDTH]
        return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)

    def _still(self, pose: Pose) -> Pixels:
        depths, along = self._cast(pose)
        nearest, map_x, map_y = self._upright(depths, along)
        # Rows of the lower half that are all floor need no wall, and rows that are all wall no floor.
        foot = np.float32(CAMERA_METRES * FOCAL) / nearest - np.float32(0.5)
        ground = min(HEIGHT // 2, max(0, math.ceil(float(foot.min()))))
        walls = HEIGHT // 2 + min(HEIGHT // 2, math.floor(float(foot.max())) + 1)
        picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        picture[:walls] = cv2.remap(
            self._atlas.pixels, map_x[:walls], map_y[:walls], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        rows = np.arange(ground, HEIGHT // 2, dtype=np.float32)[:, None]
        is_floor = (rows > foot[None, :]).view(np.uint8)
        cv2.copyTo(self._ground(pose, ground), is_floor, picture[HEIGHT // 2 + ground :])
        return picture

    def _cast(self, pose: Pose) -> tuple[Floats, Floats]:
        """Depth (along the optical axis) of every face in every column, infinite where not hit; and metres along it."""
        cos, sin = np.float32(math.cos(pose.yaw)), np.float32(math.sin(pose.yaw))
        ray_x = (cos - sin * self._side)[:, None]
        ray_y = (sin + cos * self._side)[:, None]
        from_x, from_y = self._x1 - np.float32(pose.x), self._y1 - np.float32(pose.y)
        cross = ray_x * self._ey - ray_y * self._ex
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = (from_x * self._ey - from_y * self._ex) / cross
            share = (from_x * ray_y - from_y * ray_x) / cross
            hit = (share >= -1e-4) & (share <= 1 + 1e-4) & (depth > NEAR)
        along = np.asarray(np.clip(share, 0, 1) * self._length, np.float32)
        return np.where(hit, depth, np.float32(np.inf)), along

    def _upright(self, depths: Floats, along: Floats) -> tuple[Floats, Floats, Floats]:
        """The nearest depth in each column, and where in the atlas each pixel above the floor comes from."""
        every = np.arange(WIDTH)
        face = depths[:, : self._walls].argmin(axis=1)
        wall = np.minimum(depths[every, face], np.float32(_FARTHEST))
        nearest = wall.copy()
        map_x = np.broadcast_to(self._atlas.column(face, along[every, face]), (HEIGHT, WIDTH)).copy()
        map_y = self._atlas.row(self._above * wall + np.float32(CAMERA_METRES))
        boxes = depths[:, self._walls :]
        seen = np.flatnonzero((boxes < wall[:, None]).any(axis=0))
        # The farther face first, so that the nearer ones are drawn over it; faces of boxes never cross.
        for number in sorted(seen, key=lambda one: -float(boxes[:, one].min())):
            self._over(int(number) + self._walls, depths, along, nearest, map_x, map_y)
        return nearest, map_x, map_y

    def _over(self, face: int, depths: Floats, along: Floats, nearest: Floats, map_x: Floats, map_y: Floats) -> None:
        """Draw a low face over what is behind it."""
        columns = np.flatnonzero(depths[:, face] < nearest)
        if not columns.size:
            return
        shown = slice(int(columns[0]), int(columns[-1]) + 1)
        depth = np.where(depths[shown, face] < nearest[shown], depths[shown, face], np.float32(_FARTHEST))
        top = math.floor(HORIZON - FOCAL * (float(self._height[face]) - CAMERA_METRES) / float(depth.min()))
        top = max(0, top)
        height = self._above[top:] * depth + np.float32(CAMERA_METRES)
        mask = (height <= self._height[face]) & (depth < _FARTHEST)
        source = self._atlas.column(np.full(depth.size, face), along[shown, face])
        np.copyto(map_x[top:, shown], source[None, :], where=mask)
        np.copyto(map_y[top:, shown], self._atlas.row(height), where=mask)
        np.minimum(nearest[shown], depth, out=nearest[shown])

    def _ground(self, pose: Pose, first: int) -> Pixels:
        """The floor in the lower half from row `first` on."""
        cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
        scale = FLOOR_PIXELS_PER_METRE
        ahead, left = self._ahead[first:], self._left[first:]
        at_x, at_y = (
            np.float32(scale * (here - least)) for here, least in zip((pose.x, pose.y), self._corner, strict=True)
        )
        map_x = left * np.float32(-sin * scale) + (ahead * np.float32(cos * scale) + at_x)
        map_y = left * np.float32(cos * scale) + (ahead * np.float32(sin * scale) + at_y)
        ground = np.empty((HEIGHT // 2 - first, WIDTH, 3), np.uint8)
        far = max(0, _FAR_ROWS - first)
        for texture, rows in ((self._far_floor, slice(0, far)), (self._floor, slice(far, None))):
            if ground[rows].size:
                ground[rows] = cv2.remap(
                    texture, map_x[rows], map_y[rows], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
                )
        return ground
