"""Robots for tests of motion, on a virtual clock: how they follow what they are told, and what their odometry says."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_vln.motion.dead_reckoning import HOLD_SECONDS, Odometry
from qwen3vl_vln.motion.geometry import Pose

from .samples import Walk

Point = tuple[float, float, float]


def straight(pose: Pose, seconds: float) -> Pose:
    """Odometry that is right."""
    return pose


def frozen(pose: Pose, seconds: float) -> Pose:
    return Pose()


def mirrored(pose: Pose, seconds: float) -> Pose:
    return Pose(pose.x, -pose.y, -pose.yaw)


def mirrored_yaw(pose: Pose, seconds: float) -> Pose:
    return Pose(pose.x, pose.y, -pose.yaw)


def swapped(pose: Pose, seconds: float) -> Pose:
    return Pose(pose.y, pose.x, pose.yaw)


def scaled(share: float) -> Callable[[Pose, float], Pose]:
    return lambda pose, seconds: Pose(share * pose.x, share * pose.y, share * pose.yaw)


def jumped(after: float, by: Pose) -> Callable[[Pose, float], Pose]:
    """Right, and from some second on from another origin."""
    return lambda pose, seconds: pose if seconds < after else Pose(pose.x + by.x, pose.y + by.y, pose.yaw + by.yaw)


@dataclass
class Robot:
    """A robot, its program and its model. The robot does what it was told some time before; its body sways.

    Attributes:
        latency: seconds that the model takes for each picture; it is asked about one at a time.
        odometry: what becomes of the true pose, by the seconds since the start.
        odometry_hz: how often that is measured; between, the program repeats it.
        picture_age: of every third frame, the others are ticks.
        metres, radians: what it was told in all, as a body with this program follows it.
    """

    walk: Walk
    plans: list[list[Point]]
    latency: float = 0.3
    hz: float = 30.0
    odometry: Callable[[Pose, float], Pose] = straight
    odometry_hz: float = 30.0
    dead_seconds: float = 0.1
    picture_age: float = 0.05
    sway_metres: float = 0.0
    sway_radians: float = 0.0
    sway_hz: float = 1.7
    pose: Pose = field(default_factory=Pose)
    metres: float = 0.0
    radians: float = 0.0
    answers: list[dict[str, Any]] = field(default_factory=list)
    _told: deque[tuple[float, float, float]] = field(default_factory=deque)
    _samples: list[tuple[float, Pose]] = field(default_factory=list)
    _key: tuple[float, int] | None = None
    _command: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        self.start = self.walk.now
        self._plans = iter(self.plans)

    def run(self, seconds: float) -> "Robot":
        """Let time pass."""
        for _ in range(round(seconds * self.hz)):
            self.step(1.0 / self.hz)
        return self

    def step(self, gap: float) -> dict[str, Any]:
        """The next frame, so many seconds after the one before it; its answer."""
        v, w = self._command
        follows = min(gap, HOLD_SECONDS) if self.walk.watchdog else gap
        self.metres, self.radians = self.metres + abs(v) * follows, self.radians + abs(w) * follows
        self._told.append((self.walk.now + self.dead_seconds, v, w))
        if follows < gap:
            self._told.append((self.walk.now + self.dead_seconds + follows, 0.0, 0.0))
        self.walk.now += gap
        self._move(gap)
        image = self.walk.pictures % 3 == 0
        age = self.picture_age if image else 0.005
        taken = self.walk.now - age
        body = self.walk.frame(
            **({} if image else {"image": None}),
            captured=taken - 500.0,
            age_seconds=age,
            odometry=Odometry(self._measured(taken), 1),
        )
        if image and self._key is None and self.walk.offered:
            self._key = self.walk.now, self.walk.key
        self.walk.task.expire(self.walk.now, self.walk.wall)
        self._command = body["linear_vel"], body["angular_vel"]
        self.answers.append(body)
        self._model()
        return body

    def _move(self, gap: float) -> None:
        start, end = self.walk.now - gap, self.walk.now
        every = 1.0 / self.odometry_hz
        if not self._samples:
            self._sample(start)
        while start < end - 1e-9:
            while len(self._told) > 1 and self._told[1][0] <= start + 1e-9:
                self._told.popleft()
            due, v, w = self._told[0]
            # Odometry is measured in its own time, whenever frames come.
            measured = self._samples[-1][0] + every
            until = min(end, measured, *([self._told[1][0]] if len(self._told) > 1 else []))
            if due > start + 1e-9:
                v, w, until = 0.0, 0.0, min(until, due)
            self.pose = self.pose.driven(v, w, until - start)
            start = until
            if start >= measured - 1e-9:
                self._sample(start)

    def _sample(self, at: float) -> None:
        phase = math.tau * self.sway_hz * (at - self.start)
        aside = self.sway_metres * math.sin(phase)
        swaying = self.pose.after(0.0, aside, self.sway_radians * math.cos(0.8 * phase))
        self._samples.append((at, self.odometry(swaying, at - self.start)))

    def _measured(self, taken: float) -> Pose:
        return next((pose for at, pose in reversed(self._samples) if at <= taken + 1e-9), self._samples[0][1])

    def _model(self) -> None:
        if self._key is None or self.walk.now < self._key[0] + self.latency:
            return
        points = next(self._plans, None)
        if points is not None and self.walk.task.verdict is None:
            self.walk.result("plan", *points, frame=self._key[1], model_seconds=self.latency)
        self._key = None

    @property
    def reasons(self) -> set[str]:
        """Of all answers."""
        return {body["reason"] for body in self.answers}


def length(points: list[Point]) -> float:
    """Metres of a plan."""
    return sum(math.hypot(dx, dy) for dx, dy, _ in points)


def budget(points: list[Point], heading: float = 0.0) -> float:
    """Radians that a plan may turn a robot that stands where its picture was taken.

    Args:
        heading: of the robot when the plan is adopted, seen from its picture.
    """
    yaw = turns = 0.0
    for index, (dx, dy, dtheta) in enumerate(points):
        drives = math.hypot(dx, dy) > 1e-6
        if drives:
            turns += abs(math.remainder(yaw + math.atan2(dy, dx) - heading, math.tau))
            heading = yaw + math.atan2(dy, dx)
        yaw += dtheta
        following = points[index + 1] if index + 1 < len(points) else None
        if not drives and abs(dtheta) > 1e-6:
            turns += abs(yaw - heading)
            heading = yaw
        elif drives and (following is None or math.hypot(*following[:2]) <= 1e-6):
            turns += abs(math.remainder(yaw - heading, math.tau))
            heading = yaw
    return turns + 0.1 + 0.4 * length(points)
