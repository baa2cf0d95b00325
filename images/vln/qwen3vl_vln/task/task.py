"""One task from its first frame to its verdict: the only place that decides whether a robot moves.

Whoever has to do with a task tells it what happened; nobody else writes its attributes."""

from qwen3vl_common.navigation.states import Reason, State, Verdict
from qwen3vl_vln.motion.plan_follower import PlanFollower
from qwen3vl_vln.task.camera_monitor import CameraMonitor
from qwen3vl_vln.task.deadlines import overdue
from qwen3vl_vln.task.evaluate import Facts, evaluate, explained
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.plan_execution import LEASE_CHANGED, Ended
from qwen3vl_vln.task.robot_messages import RobotMessages
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.worker_messages import WorkerMessages


class Task(RobotMessages, WorkerMessages):
    """See the module; what it is told by its robot and by the worker stands beside. Times as in `TaskState`."""

    __slots__ = ()

    # What clients want ------------------------------------------------------------------------------------------

    def edit(self, settings: Settings) -> None:
        """Take other settings. Another instruction drops the plan and everything that belongs to the old text."""
        changed = settings.instruction != self.settings.instruction
        self.settings = settings
        self._end(self.execution.bound(settings.limits))
        if changed:
            self.environment, self.progress, self.action = "", 0.0, ""
            self._begin_anew()

    def owned_by(self, owner: Owner) -> None:
        """Its Kubernetes object is of this generation now."""
        self.owner = owner

    def continues(self, elapsed_seconds: float, steps: int, now: float) -> None:
        """It was begun under an earlier process, which came so far."""
        self.started, self.last_frame_at, self.steps = now - elapsed_seconds, now, steps

    def pause(self) -> None:
        """Stand until `resume`."""
        if not self.paused and self.verdict is None:
            self.paused = True
            self._begin_anew()

    def resume(self) -> None:
        """Go on, by what the model says about a new image."""
        if self.paused and self.verdict is None:
            self.paused = False
            self._begin_anew()

    def stop(self, now: float, wall: float, message: str = "stopped by a request") -> None:
        """Stop for good; once more is no error."""
        self._finish(Verdict.CANCELLED, message, now, wall)

    def abandon(self, message: str, now: float, wall: float) -> None:
        """End a task whose robot has never come."""
        self._finish(Verdict.ROBOT_SILENT, message, now, wall)

    def granted(self, lease_epoch: int, *, other: bool) -> None:
        """Another writer has the robot, or the same one anew: its plan was made for what was before.

        Args:
            other: not the one that had it; what was asked about that one's images is void too.
        """
        self.lease_epoch = lease_epoch
        self._last_sequence = -1
        other = other and self.verdict is None
        ended = self.execution.new_writer(other=other)
        if other:
            self._begin_anew()
        self._end(ended)

    def other_robot(self, lease_epoch: int) -> None:
        """The task is of another robot: nothing that is known of the former one is true of it."""
        self.granted(lease_epoch, other=True)
        self.execution.new_robot()
        self.camera_monitor = CameraMonitor(number=self.camera_monitor.number + 1)
        self.last_frame_at = None
        self._emergency, self._flag = False, None
        self._left = LEASE_CHANGED

    # What follows -----------------------------------------------------------------------------------------------

    def expire(self, now: float, wall: float) -> None:
        """End what is over by the clock."""
        if self.verdict is not None or self.started is None:
            return
        self._end(self.execution.expire(now))
        limits, last = self.settings.limits, self.last_frame_at
        if (over := overdue(limits, self.calls, now, started=self.started, last_frame_at=last)) is not None:
            self._finish(*over, now, wall)

    def velocities(self, now: float, wall: float, *, waited: bool = False) -> tuple[State, Reason, float, float]:
        """State and velocities of the answer that goes out now; counts them as commanded.

        Args:
            waited: the client has waited for this very plan, so that its image may be the newest for long.
        """
        v = w = 0.0
        execution = self.execution
        self._end(execution.expire(now))
        state, reason = self._judge(now, waited=waited)
        if state is State.MOVING and execution.follower is not None:
            v, w = execution.follow(self.settings.limits, now)
            if (v or w) and not self._count_step(execution.follower, now, wall):
                v = w = 0.0
            else:
                self._end(execution.finish())
            state, reason = self._judge(now, waited=waited)
        execution.command(v, w, now)
        self.goal.on_command(v, w, execution.reckoning, now)
        return state, reason, v, w

    def state(self, now: float) -> tuple[State, Reason]:
        """The state at this moment, without an answer."""
        return self._judge(now)

    def _judge(self, now: float, *, waited: bool = False) -> tuple[State, Reason]:
        follower, distrust = self.execution.follower, self.execution.distrust
        facts = Facts(
            verdict=self.verdict,
            worker_silent=self.worker_silent,
            camera_monitor=self.camera_monitor,
            calls=self.calls,
            paused=self.paused,
            flag=self._flag,
            plan_from=None if follower is None else follower.started_at,
            left=self._left if distrust is None else Ended(State.HOLD, distrust),
            hopeless=self.pace.too_slow(self.settings.limits.max_plan_age_seconds),
        )
        return evaluate(facts, now, waited=waited)

    def explain(self, state: State, reason: Reason) -> str:
        """One sentence for people, where there is more to say than the reason."""
        most = self.settings.limits.max_plan_age_seconds
        return explained(
            state,
            reason,
            message=self.message,
            model_error=self.calls.last_error,
            stuck=self.execution.stuck,
            odometry=self.execution.trust.why,
            pace=self.pace.explained(most) if reason is Reason.PLAN_TOO_OLD else "",
            note=self._note,
            age=self.camera_monitor.age,
        ) or ("" if self.verdict is not None else self.warnings.get("link", ""))

    def _count_step(self, follower: PlanFollower, now: float, wall: float) -> bool:
        if follower.begun:
            return True
        limit = self.settings.limits.max_steps
        if self.steps >= limit:
            self._finish(Verdict.STEP_LIMIT, f"{limit} steps were made", now, wall)
            return False
        follower.begun = True
        self.steps += 1
        self.last_step = {
            "index": self.steps,
            "action": self.action,
            "frame_age_ms": round((now - follower.started_at) * 1000),
            "latency_ms": round(follower.model_seconds * 1000),
            "at": wall,
        }
        return True
