"""What is known of one task, and how its plans and itself end. What happens is told to the classes above."""

from dataclasses import dataclass, field, replace
from typing import Any

from qwen3vl_common.navigation.states import Phase, Reason, State, Verdict
from qwen3vl_vln.motion.plan_follower import PlanFollower
from qwen3vl_vln.task.calls import Calls
from qwen3vl_vln.task.camera_monitor import CameraMonitor
from qwen3vl_vln.task.counts import Counts
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.goal import GoalJudge
from qwen3vl_vln.task.pace import Pace
from qwen3vl_vln.task.plan_execution import Ended, PlanExecution
from qwen3vl_vln.task.round_trips import Trips
from qwen3vl_vln.task.settings import Settings


@dataclass(slots=True)
class TaskState:
    """See the module. Times are seconds on a monotonic clock; `created_at` and `finished_at` are Unix times."""

    task_id: str
    boot_id: str
    settings: Settings
    created_at: float
    owner: Owner | None = None
    epoch: int = 1
    lease_epoch: int = 0
    paused: bool = False
    verdict: Verdict | None = None
    message: str = ""
    finished_at: float | None = None
    started: float | None = None
    ended: float | None = None
    restarted: bool = False
    steps: int = 0
    worker_silent: bool = False
    counts: Counts = field(default_factory=Counts)
    action: str = ""
    environment: str = ""
    progress: float = 0.0
    last_step: dict[str, Any] | None = None
    recording_error: str | None = None
    execution: PlanExecution = field(init=False)
    goal: GoalJudge = field(default_factory=GoalJudge)
    camera_monitor: CameraMonitor = field(default_factory=CameraMonitor)
    calls: Calls = field(default_factory=Calls)
    pace: Pace = field(default_factory=Pace)
    last_frame_at: float | None = None
    untimed: bool = False
    link: Trips | None = None
    warnings: dict[str, str] = field(default_factory=dict)
    _note: str = ""
    _left: Ended | None = None
    _last_sequence: int = -1
    _flag: Reason | None = None
    _emergency: bool = False

    def __post_init__(self) -> None:
        self.execution = PlanExecution(f"{self.boot_id}-{self.task_id}")
        if self.restarted:
            self._left = Ended(State.HOLD, Reason.RESTARTED)

    @property
    def phase(self) -> Phase:
        """How far it has come."""
        if self.verdict is not None:
            return Phase.FINISHED
        if self.paused:
            return Phase.PAUSED
        return Phase.RUNNING if self.started is not None else Phase.WAITING_FOR_ROBOT

    @property
    def follower(self) -> PlanFollower | None:
        """Of the plan that is being driven; None without one."""
        return self.execution.follower

    def warn(self, about: str, sentence: str) -> bool:
        """Something is to be told to people; whether that is news."""
        if not sentence or self.warnings.get(about) == sentence:
            return False
        self.warnings[about] = sentence
        return True

    def camera_fault(self, reason: Reason) -> None:
        """The camera shows nothing to walk by; the plan is dropped."""
        self.counts.dropped += 1
        self.camera_monitor.fault = reason
        if self.execution.drop():
            self._left = Ended(State.HOLD, reason)

    def _begin_anew(self) -> None:
        self.epoch += 1
        self.calls.clear()
        self.execution.begin_anew()
        self.goal = replace(self.goal, candidate=False, stops=0)
        self._left = None
        self.message = ""

    def _hold(self, reason: Reason) -> None:
        self.execution.drop()
        self._left = Ended(State.HOLD, reason)

    def _end(self, ended: Ended | None) -> None:
        if ended is not None:
            self._left = ended
            self.message = self.message if ended.message is None else ended.message

    def _finish(self, verdict: Verdict, message: str, now: float, wall: float) -> None:
        if self.verdict is None:
            self._begin_anew()
            self.verdict, self.message = verdict, message
            self.finished_at, self.ended = wall, now
            self.camera_monitor.close()
