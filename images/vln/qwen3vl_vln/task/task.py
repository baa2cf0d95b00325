"""One task from its first frame to its verdict: the only place that decides whether a robot moves.

Whoever has to do with a task tells it what happened; nobody else writes its attributes."""

from dataclasses import dataclass, field, replace
from typing import Any

from qwen3vl_common.navigation.states import Phase, Reason, State, Verdict
from qwen3vl_vln.motion.plan_follower import PlanFollower
from qwen3vl_vln.task.calls import Calls, FramePose
from qwen3vl_vln.task.camera_monitor import ASIDE_SECONDS, CameraMonitor
from qwen3vl_vln.task.counts import Counts
from qwen3vl_vln.task.deadlines import overdue
from qwen3vl_vln.task.evaluate import Facts, evaluate, explained
from qwen3vl_vln.task.events import Frame, Owner, Result
from qwen3vl_vln.task.frame_flags import flag_of
from qwen3vl_vln.task.goal import GoalJudge
from qwen3vl_vln.task.pace import Pace
from qwen3vl_vln.task.plan_execution import LEASE_CHANGED, Ended, PlanExecution
from qwen3vl_vln.task.round_trips import Trips
from qwen3vl_vln.task.settings import Settings

NO_PLAN = {"stop": Reason.STOP_RESULT, "hold": Reason.HOLD_RESULT, "goal": Reason.GOAL_CANDIDATE}
"""By the model's outcome; any other one is no valid result."""


@dataclass(slots=True)
class Task:
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
    eyes: CameraMonitor = field(default_factory=CameraMonitor)
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
        """Go on, by what the model says about a new picture."""
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
            other: not the one that had it; what was asked about that one's pictures is void too.
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
        self.eyes = CameraMonitor(number=self.eyes.number + 1)
        self.last_frame_at = None
        self._emergency, self._flag = False, None
        self._left = LEASE_CHANGED

    # What its robot says ----------------------------------------------------------------------------------------

    def frame(self, frame: Frame) -> bool:
        """Take a message of the robot; whether its picture may be shown to the model."""
        now = frame.received_at
        self.counts.frames += 1
        if self.verdict is not None:
            return False
        since = None if self.last_frame_at is None else now - self.last_frame_at
        self.execution.horizon.frame(since, watchdog=frame.watchdog)
        if self.started is None:
            self.started = now
        self.last_frame_at = now
        if frame.sequence is not None:
            if frame.sequence <= self._last_sequence:
                self.counts.old_sequences += 1
                self._flag = Reason.OLD_SEQUENCE
                return False
            self._last_sequence = frame.sequence
        self._end(self.execution.observe(frame, self.settings.limits))
        if frame.odometry_bad:
            self._hold(Reason.BAD_ODOMETRY)
        if frame.emergency_stop:
            if not self._emergency:
                # Nobody knows where a robot is carried to meanwhile.
                self._begin_anew()
            self._left = Ended(State.HOLD, Reason.EMERGENCY_STOP)
        self._emergency = frame.emergency_stop
        if frame.note:
            self._note = self.warnings["clock"] = frame.note
        if frame.withheld or frame.refused is Reason.PICTURE_TOO_OLD:
            self.eyes.missed(frame.age_seconds)
        if frame.refused is Reason.FRAME_OLD:
            self._hold(Reason.FRAME_OLD)
        self._flag = flag_of(frame, pictures_late=self.eyes.late)
        return self._image(frame, now)

    def linked(self, trips: Trips | None) -> None:
        """How long the way to the robot is; None where nobody has measured."""
        self.link = trips
        if trips is not None and trips.warning:
            self.warnings["link"] = trips.warning
        else:
            self.warnings.pop("link", None)

    def warn(self, about: str, sentence: str) -> bool:
        """Something about its robot's program is to be told to people; whether that is news."""
        if not sentence or self.warnings.get(about) == sentence:
            return False
        self.warnings[about] = sentence
        return True

    def _image(self, frame: Frame, now: float) -> bool:
        if frame.refused is not None:
            self.counts.dropped += 1
            return False
        if frame.fault is not None:
            self.camera_fault(frame.fault)
            return False
        if frame.image is None:
            return False
        if now < self.eyes.aside_until:
            self.camera_fault(Reason.COSTLY_PICTURE)
            return False
        self.counts.images += 1
        self.untimed = frame.untimed
        found = self.eyes.see(frame, frame.image, moving=self.execution.moving)
        if found is not None:
            if found is not Reason.CAMERA_CHANGED:
                self.camera_fault(found)
            # By another camera, or since nobody knows when: what was planned by its pictures is void, and what was
            # asked about them.
            self._begin_anew()
            self._left = Ended(State.HOLD, found)
        frozen = self.eyes.fault is Reason.FROZEN_CAMERA
        return not (frozen or frame.delayed or frame.odometry_bad or frame.emergency_stop or self.paused)

    def frame_pose(self, frame: Frame) -> int:
        """Remember where the robot was at this frame, which goes to the model's side; the number to call it by."""
        number = self.counts.frames
        fix = self.execution.reckoning.fix(odometry=frame.odometry, at=frame.taken_at)
        self.calls.remember(number, FramePose(fix, frame.taken_at, frame.captured))
        return number

    # What the worker says ---------------------------------------------------------------------------------------

    def on_worker_silent(self) -> None:
        """The worker does not answer: nobody looks at pictures."""
        self.worker_silent = True
        self.call_lost()

    def on_worker_back(self) -> None:
        """The worker, or the next one, answers again."""
        self.worker_silent = False

    def on_recording(self, error: str | None) -> None:
        """A file of its recording was finished, or the recording was given up."""
        self.recording_error = error

    def camera_fault(self, reason: Reason) -> None:
        """The camera shows nothing to walk by; the plan is dropped."""
        self.counts.dropped += 1
        self.eyes.fault = reason
        if self.execution.drop():
            self._left = Ended(State.HOLD, reason)

    def costly_picture(self, now: float) -> None:
        """A picture took long to decode: other robots' pictures come first for a while."""
        self.eyes.aside_until = now + ASIDE_SECONDS
        self.camera_fault(Reason.COSTLY_PICTURE)

    def on_decoded(self, now: float, *, changed: bool) -> None:
        """A picture was decoded and compared with the last one that differed."""
        self.counts.analysed += 1
        self.eyes.decoded_ok()
        if self.verdict is None:
            self._end(self.execution.on_decoded(now, changed=changed))

    def call_began(self, epoch: int, now: float) -> None:
        """The model is asked about a key frame."""
        if epoch == self.epoch:
            self.calls.since = now

    def wants_key_frame(self, now: float) -> bool:
        """Nothing is under way and nothing to drive: the next picture goes to the model, however alike."""
        if self.verdict is not None or self.paused or self.calls.since is not None or self.follower is not None:
            return False
        return self.goal.wants_picture(now) if self.goal.candidate else True

    def on_context(self, sentence: str) -> None:
        """What of its pictures the model's context does not hold; empty when it holds all."""
        self.warnings.pop("context", None)
        self.warn("context", sentence)

    def failed(
        self, epoch: int, frame: int, message: str, now: float, *, deadline: bool, context_too_small: bool = False
    ) -> None:
        """A call of the model failed or ran out of time. The plan under way stays, for it ends by itself; but not one
        that this very answer had begun with."""
        if epoch != self.epoch or self.verdict is not None:
            return
        if self.calls.opened is not None and self.calls.opened[0] == frame:
            self.call_lost(message)
        self.calls.failed(frame, message, now, context_too_small=context_too_small)
        self.counts.model_errors += 1
        self.counts.deadline_misses += deadline

    def call_lost(self, message: str = "the worker was lost") -> None:
        """Nobody will hear the rest of an answer: a plan that its opening began is dropped."""
        self.calls.since = None
        if self.calls.opened is not None:
            self.calls.opened = None
            self._hold(Reason.INVALID_RESULT)
            self.message = f"the model's answer broke off: {message}"

    def early_plan(self, result: Result, now: float) -> None:
        """Start on the waypoints of an answer that is still being written; `result` must confirm them."""
        seen = self.calls.frame_pose(result.frame)
        if result.epoch != self.epoch or self.verdict is not None or seen is None or self.goal.candidate:
            return
        if self.execution.may_begin(seen, self.settings.limits, now) and self._begin_plan(result, seen, now):
            self.calls.opened = result.frame, result.waypoints

    def result(self, result: Result, now: float, wall: float) -> None:
        """Take what the model said about a key frame."""
        seen, outcome = self.calls.frame_pose(result.frame), result.outcome
        if result.epoch != self.epoch or self.verdict is not None or seen is None:
            self.counts.late_results += 1
            return
        self.calls.answered(result.frame, result.model_seconds)
        self.pace.took(result.model_seconds)
        self.execution.reckoning.advance(now)
        self.environment = result.environment or self.environment
        self.progress = self.progress if result.progress is None else result.progress
        confirmed = self.calls.confirmed(result.frame, result.waypoints) and outcome == "plan"
        self.goal.took(outcome, now)
        self.message = "" if outcome == "plan" else f"the model's answer is {outcome}: {result.detail}"
        if confirmed:
            # It says what its opening said: that plan goes on, driven in part or wholly.
            self.action = result.action
            self.execution.confirm(result.model_seconds)
        elif outcome == "plan":
            self._begin_plan(result, seen, now)
        else:
            self._hold(NO_PLAN.get(outcome, Reason.INVALID_RESULT))
            self._judge_goal(outcome, seen, now, wall)

    def _judge_goal(self, outcome: str, seen: FramePose, now: float, wall: float) -> None:
        if outcome == "goal" and self.goal.confirms(seen.received_at):
            self._finish(Verdict.GOAL_REACHED, "the model saw the goal twice, the second time standing", now, wall)
        elif outcome == "goal":
            self.goal.propose()
        elif outcome == "stop" and self.goal.stopped_for_good:
            self._finish(Verdict.STOPPED_BY_MODEL, "the model said stop five times in a row", now, wall)

    def _begin_plan(self, result: Result, seen: FramePose, now: float) -> bool:
        ended = self.execution.begin(result, seen, self.settings.limits, now)
        if ended is None:
            self.action, self._left = result.action, None
            return True
        self.counts.deadline_misses += ended.reason is Reason.PLAN_TOO_OLD
        self._end(ended)
        return False

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
            waited: the client has waited for this very plan, so that its picture may be the newest for long.
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
            eyes=self.eyes,
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
            age=self.eyes.age,
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
            self.eyes.close()
