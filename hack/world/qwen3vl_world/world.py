"""Building, robot and camera together. `now` is always an argument: on a virtual clock a walk repeats bit for bit."""

import bisect
from dataclasses import dataclass, field

from qwen3vl_world.camera import Camera
from qwen3vl_world.plan import Building, Pose
from qwen3vl_world.robot import Reading, Robot

CAMERA_SECONDS = 0.06
"""From the moment that a picture shows until it can be sent."""


@dataclass
class World:
    """One robot that walks through a building.

    Args:
        seed: of textures and noise.
        scale, drift: errors of the odometry, see `Robot`.
    """

    building: Building
    seed: int = 0
    scale: float = 1.0
    drift: float = 0.0
    _times: list[float] = field(default_factory=list)
    _moments: list[tuple[Pose, Reading]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.robot = Robot(self.building, self.building.start, scale=self.scale, drift=self.drift)
        self._camera = Camera(self.building, self.seed)
        self._remember()

    def step(self, now: float) -> None:
        """Let time pass."""
        while self.robot.now < now - 1e-9:
            self.robot.step(min(now, self.robot.now + 0.01))
            self._remember()

    def _remember(self) -> None:
        self._times.append(self.robot.now)
        self._moments.append((self.robot.pose, self.robot.odometry))
        if len(self._times) > 400:
            del self._times[:200], self._moments[:200]

    def _at(self, time: float) -> tuple[Pose, Reading]:
        return self._moments[max(0, bisect.bisect_right(self._times, time) - 1)]

    def command(self, now: float, v: float, w: float) -> None:
        """Tell the base velocities, m/s and rad/s."""
        self.step(now)
        self.robot.command(now, v, w)

    def frame(self, now: float) -> tuple[bytes, float]:
        """The newest picture that is there at `now`, as JPEG, and the time that it shows."""
        shown = max(0.0, now - CAMERA_SECONDS)
        return self._camera.jpeg(self._at(shown)[0]), shown

    def odometry(self, now: float) -> Reading:
        """The odometry of the newest picture's time."""
        return self._at(max(0.0, now - CAMERA_SECONDS))[1]

    @property
    def pose(self) -> Pose:
        """Where the robot truly is."""
        return self.robot.pose

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
