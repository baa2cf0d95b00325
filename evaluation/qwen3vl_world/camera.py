"""What the robot's camera sees: one ray per column for walls and boxes, the ground plane per pixel for the floor.

Faster than real time on one core, because everything that does not depend on the pose is made once: directions, depths
per row, textures of all faces in one atlas, noise."""

import math

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from qwen3vl_world.disc import faces_around
from qwen3vl_world.lens import LIGHTS, USUAL, Lens
from qwen3vl_world.plan import Building, Colour, Place, Pose, Segment
from qwen3vl_world.textures import FLOOR_PIXELS_PER_METRE, Atlas, floor_texture

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

WIDTH, HEIGHT = 640, 480
NEAR = 0.05
DISC_SIDES, DISC_HEIGHT = 10, 1.3
DISC_COLOUR: Colour = (92, 60, 58)
_FARTHEST = 100.0
NOISE_DEVIATION = 3.0
_POOL_SIDE = 192
_FAR_FLOOR_METRES = 3.6
"""Floor that is further than this would shimmer from a sharp texture."""


class Camera:
    """Noise and textures follow from the seed.

    All is drawn as a level camera sees it, large enough for what a pitched one sees of that: the picture, turned (a
    homography).
    """

    def __init__(self, building: Building, seed: int = 0, *, quality: int = 85, lens: Lens = USUAL) -> None:
        self._quality = quality
        self._metres = lens.height_metres
        self._focal = lens.focal_pixels(WIDTH)
        self._turn = _Turn(self._focal, math.radians(lens.pitch_degrees)) if lens.pitch_degrees else None
        self._columns, self._horizon, self._below = (
            (WIDTH, HEIGHT // 2, HEIGHT // 2) if self._turn is None else self._turn.level_size
        )
        self._rows = self._horizon + self._below
        self._far_rows = round(self._metres * self._focal / _FAR_FLOOR_METRES)
        self._gains = None if lens.light == "white" else np.array(LIGHTS[lens.light], np.float32)
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
        columns = np.arange(self._columns, dtype=np.float32)
        self._side = ((self._columns - 1) / 2 - columns) / np.float32(self._focal)
        self._above = ((self._horizon - 0.5) - np.arange(self._rows, dtype=np.float32))[:, None] / np.float32(
            self._focal
        )
        rows = np.arange(self._below, dtype=np.float32)[:, None] + np.float32(0.5)
        self._ahead = np.float32(self._metres * self._focal) / rows
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
        if self._turn is not None:
            picture = self._turn.seen(picture)
        if self._gains is not None:
            picture = np.asarray(np.clip(picture * self._gains, 0, 255), np.uint8)
        top, left = np.random.default_rng((self._seed, number)).integers(0, _POOL_SIDE, 2)
        noise = self._noise[top : top + HEIGHT, left : left + WIDTH]
        return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)

    def _still(self, pose: Pose) -> Pixels:
        depths, along = self._cast(pose)
        nearest, map_x, map_y = self._upright(depths, along)
        # Rows of the lower half that are all floor need no wall, and rows that are all wall no floor.
        foot = np.float32(self._metres * self._focal) / nearest - np.float32(0.5)
        ground = min(self._below, max(0, math.ceil(float(foot.min()))))
        walls = self._horizon + min(self._below, math.floor(float(foot.max())) + 1)
        picture = np.empty((self._rows, self._columns, 3), np.uint8)
        picture[:walls] = cv2.remap(
            self._atlas.pixels, map_x[:walls], map_y[:walls], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        rows = np.arange(ground, self._below, dtype=np.float32)[:, None]
        is_floor = (rows > foot[None, :]).view(np.uint8)
        cv2.copyTo(self._ground(pose, ground), is_floor, picture[self._horizon + ground :])
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
        every = np.arange(self._columns)
        face = depths[:, : self._walls].argmin(axis=1)
        wall = np.minimum(depths[every, face], np.float32(_FARTHEST))
        nearest = wall.copy()
        map_x = np.broadcast_to(self._atlas.column(face, along[every, face]), (self._rows, self._columns)).copy()
        map_y = self._atlas.row(self._above * wall + np.float32(self._metres))
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
        top = math.floor(self._horizon - self._focal * (float(self._height[face]) - self._metres) / float(depth.min()))
        top = max(0, top)
        height = self._above[top:] * depth + np.float32(self._metres)
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
        ground = np.empty((self._below - first, self._columns, 3), np.uint8)
        far = max(0, self._far_rows - first)
        for texture, rows in ((self._far_floor, slice(0, far)), (self._floor, slice(far, None))):
            if ground[rows].size:
                ground[rows] = cv2.remap(
                    texture, map_x[rows], map_y[rows], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
                )
        return ground


class _Turn:
    """From the picture of a level camera to that of one which is pitched downwards, radians, at the same place."""

    def __init__(self, focal: float, pitch: float) -> None:
        cos, sin = math.cos(pitch), math.sin(pitch)
        right, down = (WIDTH / 2) / focal, (HEIGHT / 2) / focal
        ahead = cos - abs(sin) * down
        if ahead <= 0.15:
            raise ValueError("a camera that is pitched so much and sees so much would see behind itself")
        edges = [(sin + edge * cos) / (cos - edge * sin) for edge in (-down, down)]
        columns = 2 * math.ceil(focal * right / ahead)
        above, below = (max(2, math.ceil(focal * most) + 1) for most in (-edges[0], edges[1]))
        self.level_size = columns, above, below
        # From a pixel of the turned picture to its direction (right, down, ahead), level, and to the level picture.
        turned = np.array(
            [[1 / focal, 0, -(WIDTH - 1) / 2 / focal], [0, 1 / focal, -(HEIGHT - 1) / 2 / focal], [0, 0, 1]]
        )
        rotation = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
        level = np.array([[focal, 0, (columns - 1) / 2], [0, focal, above - 0.5], [0, 0, 1]])
        self._map = level @ rotation @ turned

    def seen(self, level: Pixels) -> Pixels:
        """What the turned camera sees."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        turned = cv2.warpPerspective(level, self._map, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(turned, np.uint8)
