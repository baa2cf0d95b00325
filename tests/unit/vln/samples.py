"""Frames, results and a clock for tests of tasks."""

from dataclasses import dataclass, field
from typing import Any

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.edge.link import WorkerLink
from qwen3vl_vln.edge.metrics import Metrics
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.ipc.to_edge import CallResult
from qwen3vl_vln.ipc.to_worker import WorkerSettings
from qwen3vl_vln.task.answer import answer
from qwen3vl_vln.task.events import Frame, Result
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.task import Task
from qwen3vl_vln.waypoint import Waypoint

WALL = 1_700_000_000.0
BOOT = "b00710ad"


@dataclass
class Walk:
    """One task on a virtual clock, driven as a robot with a watchdog would."""

    limits: Limits = field(default_factory=Limits)
    watchdog: bool = True
    restarted: bool = False
    now: float = 1000.0
    pictures: int = 0
    key: int = 0

    def __post_init__(self) -> None:
        settings = Settings(robot="go2", instruction="Walk to the red door.", limits=self.limits)
        self.task = Task("t-1", BOOT, settings, WALL, restarted=self.restarted)

    @property
    def wall(self) -> float:
        return WALL + self.now

    def frame(self, **given: Any) -> dict[str, Any]:
        """A frame with a new picture and its answer; `key` remembers it for `result`."""
        self.pictures += 1
        more: dict[str, Any] = {"image": b"picture %d" % self.pictures, "sequence": self.pictures}
        more |= {"watchdog": self.watchdog} | given
        frame = Frame(self.now, **more)
        self.offered = self.task.frame(frame)
        if self.offered:
            self.key = self.task.frame_pose(frame)
        return answer(self.task, self.now, self.wall, sequence=frame.sequence)

    def run(self, seconds: float, hz: float = 30.0, **more: Any) -> list[dict[str, Any]]:
        """Frames for some time; the answers."""
        answers = []
        for _ in range(round(seconds * hz)):
            self.now += 1 / hz
            answers.append(self.frame(**more))
            self.task.expire(self.now, self.wall)
        return answers

    def result(self, outcome: str = "plan", *points: tuple[float, float, float], **more: Any) -> None:
        """The model's answer to the newest key frame."""
        waypoints = tuple(Waypoint(*point) for point in points)
        more = {"epoch": self.task.epoch, "frame": self.key, "model_seconds": 0.3} | more
        self.task.result(Result(outcome=outcome, waypoints=waypoints, **more), self.now, self.wall)

    def early_plan(self, *points: tuple[float, float, float]) -> None:
        """The waypoints of that answer, which is still being written."""
        waypoints = tuple(Waypoint(*point) for point in points)
        result = Result(self.task.epoch, self.key, "plan", waypoints=waypoints, model_seconds=0.2)
        self.task.early_plan(result, self.now)

    def fail(self, *, deadline: bool = False) -> None:
        """The model does not answer."""
        self.task.failed(self.task.epoch, self.key, "HTTP 503 model_unavailable", self.now, deadline=deadline)


FORWARD = (0.5, 0.0, 0.0)


WORKER = WorkerSettings(
    model_name="sim",
    gateway_url="http://127.0.0.1:9/v1",
    max_model_calls=4,
    model_timeout_seconds=30.0,
    log_level="info",
    slots=256,
    slot_bytes=1 << 20,
)


def navigation_without_worker() -> Navigation:
    """What this process can be asked, with a worker that was never started."""
    return Navigation(WorkerLink(WORKER, on_message=lambda message: None, tasks=list), Metrics())


def call_result(task: Task, frame: int, outcome: str, *points: tuple[float, float, float], **more: Any) -> CallResult:
    """The worker's message about the model's answer to a key frame."""
    given: dict[str, Any] = {"epoch": task.epoch, "detail": "", "action": "", "environment": "", "progress": None}
    given |= {"clamped": False, "seconds": 0.1, "waypoints": tuple(Waypoint(*point) for point in points)} | more
    return CallResult(task_id=task.task_id, frame=frame, outcome=outcome, **given)
