"""Building, robot, camera and what walks there, together. `now` is always an argument.

The world lives in ticks of equal length: what happens follows from what the robot was told and when, bit for bit,
however often anyone looks."""

from collections import deque
from dataclasses import dataclass, field

from qwen3vl_world.camera import Camera
from qwen3vl_world.disc import Disc
from qwen3vl_world.lens import USUAL, Lens
from qwen3vl_world.plan import Building, Place, Pose
from qwen3vl_world.robot import STEP_SECONDS, Reading, Robot

CAMERA_SECONDS = 0.06
"""From the moment that a picture shows until it can be sent."""
REMEMBERED_SECONDS = 15.0


@dataclass(frozen=True)
class Moment:
    """One tick as it was.

    Attributes:
        driven_metres: by the robot, until then.
        disc: where the middle of what walks was.
    """

    tick: int
    pose: Pose
    reading: Reading
    driven_metres: float
    disc: Place | None


@dataclass
class World:
    """One robot that walks through a building.

    Args:
        seed: of textures and noise.
        scale, drift: errors of the odometry, see `Robot`.
        lens: the robot's camera.
        yields: whether what walks there looks out for the robot.
    """

    building: Building
    seed: int = 0
    scale: float = 1.0
    drift: float = 0.0
    lens: Lens = USUAL
    yields: bool = True
    _moments: deque[Moment] = field(default_factory=lambda: deque(maxlen=round(REMEMBERED_SECONDS / STEP_SECONDS)))
    _camera: Camera | None = None

    def __post_init__(self) -> None:
        self.robot = Robot(self.building, self.building.start, scale=self.scale, drift=self.drift)
        self._disc = Disc(self.building.crossing, yields=self.yields) if self.building.crossing else None
        self._remember()

    def step(self, now: float) -> None:
        """Let all whole ticks up to `now` pass."""
        while (self.robot.ticks + 1) * STEP_SECONDS <= now + 1e-9:
            if self._disc is not None:
                self._disc.tick(STEP_SECONDS, self.robot.pose)
            self.robot.tick(self.disc)
            self._remember()

    def _remember(self) -> None:
        robot, disc = self.robot, self._disc
        place = None if disc is None else disc.place
        self._moments.append(Moment(robot.ticks, robot.pose, robot.odometry, robot.driven_metres, place))

    def at(self, time: float) -> Moment:
        """How it was at a time; the oldest that is remembered when that is longer ago."""
        newest = self._moments[-1].tick
        back = newest - int((time + 1e-9) / STEP_SECONDS)
        return self._moments[-1 - min(len(self._moments) - 1, max(0, back))]

    def command(self, now: float, v: float, w: float) -> None:
        """Tell the base velocities, m/s and rad/s."""
        self.step(now)
        self.robot.command(now, v, w)

    def shot(self, now: float) -> Moment:
        """What the newest picture that is there at `now` shows."""
        return self.at(max(0.0, now - CAMERA_SECONDS))

    def draw(self, moment: Moment) -> bytes:
        """The picture of a moment, as JPEG."""
        if self._camera is None:
            self._camera = Camera(self.building, self.seed, lens=self.lens)
        return self._camera.jpeg(moment.pose, moment.disc, number=moment.tick)

    def frame(self, now: float) -> tuple[bytes, float]:
        """The newest picture that is there at `now`, as JPEG, and the time that it shows."""
        return self.draw(self.shot(now)), max(0.0, now - CAMERA_SECONDS)

    def odometry(self, now: float) -> Reading:
        """The odometry of the newest picture's time."""
        return self.shot(now).reading

    @property
    def pose(self) -> Pose:
        """Where the robot truly is."""
        return self.robot.pose

    @property
    def disc(self) -> Place | None:
        """Where the middle of what walks is."""
        return None if self._disc is None else self._disc.place

    @property
    def path_length(self) -> float:
        """Metres truly driven."""
        return self.robot.driven_metres

    @property
    def collisions(self) -> int:
        """Times that it ran into something."""
        return self.robot.collisions

    @property
    def path(self) -> list[tuple[float, Pose]]:
        """Where it was, with times."""
        return self.robot.path
