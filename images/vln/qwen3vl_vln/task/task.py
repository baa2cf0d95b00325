"""One task from its first frame to its verdict: the only place that decides whether a robot moves."""

from dataclasses import dataclass, field, replace
from typing import Any

from qwen3vl_common.navigation.settings import Camera, History, Keyframes, Limits
from qwen3vl_common.navigation.states import Phase, Reason, State, Verdict
from qwen3vl_vln.motion.agreement import Finding, OdometryFault
from qwen3vl_vln.motion.drive import Drive, validity_seconds
from qwen3vl_vln.motion.plan import Plan
from qwen3vl_vln.motion.reckoning import DeadReckoning
from qwen3vl_vln.task.calls import Calls, FramePose
from qwen3vl_vln.task.camera_monitor import ASIDE_SECONDS, CameraMonitor
from qwen3vl_vln.task.command_horizon import CommandHorizon
from qwen3vl_vln.task.evaluate import Facts, evaluate, explained
from qwen3vl_vln.task.events import Frame, Owner, Result
from qwen3vl_vln.task.goal import GoalJudge
from qwen3vl_vln.task.pace import Pace
from qwen3vl_vln.task.round_trips import Trips
from qwen3vl_vln.task.stuck import StuckDetector
from qwen3vl_vln.task.trust import Trust
from qwen3vl_vln.waypoint import Waypoint

NOT_BACKWARDS = "the plan drives backwards, which limits.reverse does not allow"


@dataclass(frozen=True)
class Settings:
    """What a client may set about a task; an edit makes new ones.

    Attributes:
        limits: those that are held.
        wanted: those that were asked for, where ceilings bound them.
    """

    robot: str
    instruction: str
    limits: Limits = field(default_factory=Limits)
    keyframes: Keyframes = field(default_factory=Keyframes)
    history: History = field(default_factory=History)
    camera: Camera = field(default_factory=Camera)
    recording: bool = False
    visualize: bool = False
    profile: str = "waypoints"
    language: str = "en"
    wanted: Limits | None = None


@dataclass(slots=True)
class Counts:
    """What a task has counted."""

    frames: int = 0
    images: int = 0
    analysed: int = 0
    dropped: int = 0
    deadline_misses: int = 0
    model_errors: int = 0
    old_sequences: int = 0
    late_results: int = 0


@dataclass
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
    drive: Drive | None = None
    reckoning: DeadReckoning = field(default_factory=DeadReckoning)
    goal: GoalJudge = field(default_factory=GoalJudge)
    stuck: StuckDetector = field(default_factory=StuckDetector)
    trust: Trust = field(default_factory=Trust)
    eyes: CameraMonitor = field(default_factory=CameraMonitor)
    calls: Calls = field(default_factory=Calls)
    pace: Pace = field(default_factory=Pace)
    last_frame_at: float | None = None
    untimed: bool = False
    link: Trips | None = None
    warnings: dict[str, str] = field(default_factory=dict)
    _note: str = ""
    _left: tuple[State, Reason] | None = None
    _last_sequence: int = -1
    _flag: Reason | None = None
    _rhythm: CommandHorizon = field(default_factory=CommandHorizon)
    _emergency: bool = False
    _answered_at: float | None = None
    _plans: int = 0

    def __post_init__(self) -> None:
        if self.restarted:
            self._left = (State.HOLD, Reason.RESTARTED)

    @property
    def phase(self) -> Phase:
        if self.verdict is not None:
            return Phase.FINISHED
        if self.paused:
            return Phase.PAUSED
        return Phase.RUNNING if self.started is not None else Phase.WAITING_FOR_ROBOT

    # What clients want ------------------------------------------------------------------------------------------

    def edit(self, settings: Settings) -> None:
        """Take other settings. Another instruction drops the plan and everything that belongs to the old text."""
        changed = settings.instruction != self.settings.instruction
        self.settings = settings
        if self.drive is not None:
            most = settings.limits.max_plan_age_seconds
            self.drive.validity_seconds = min(self.drive.validity_seconds, most)
            self._forbid(self.drive.plan.waypoints)
        if changed:
            self.environment, self.progress, self.action = "", 0.0, ""
            self._begin_anew()

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
        self._rhythm.clear()
        # Also the same writer may have been started anew, and count from another place by the same number.
        self.reckoning.forget()
        had = self.drive is not None
        if other and self.verdict is None:
            self.trust = Trust()
            self._begin_anew()
        self._drop()
        if had:
            self._left = (State.HOLD, Reason.LEASE_CHANGED)

    def other_robot(self, lease_epoch: int) -> None:
        """The task is of another robot: nothing that is known of the former one is true of it."""
        self.granted(lease_epoch, other=True)
        self.eyes = CameraMonitor(number=self.eyes.number + 1)
        self.last_frame_at = self._answered_at = None
        self._emergency, self._flag = False, None
        self._left = (State.HOLD, Reason.LEASE_CHANGED)

    # What happens -----------------------------------------------------------------------------------------------

    def frame(self, frame: Frame) -> bool:
        """Take a message of the robot; whether its picture may be shown to the model."""
        now = frame.received_at
        self.counts.frames += 1
        if self.verdict is not None:
            return False
        since = None if self.last_frame_at is None else now - self.last_frame_at
        self._rhythm.frame(since, watchdog=frame.watchdog)
        if self.started is None:
            self.started = now
        self.last_frame_at = now
        self._flag = None
        if frame.sequence is not None and frame.sequence <= self._last_sequence:
            self.counts.old_sequences += 1
            self._flag = Reason.OLD_SEQUENCE
            return False
        if frame.sequence is not None:
            self._last_sequence = frame.sequence
        self.reckoning.advance(now)
        finding = self.reckoning.observe(
            frame.odometry, captured=frame.captured, at=frame.taken_at, limits=self.settings.limits, late=frame.delayed
        )
        if finding is not None:
            self._distrust(finding, now)
        if frame.odometry_bad:
            self._drop()
            self._left = self._flag_hold(Reason.BAD_ODOMETRY)
        if frame.emergency_stop:
            if not self._emergency:
                # Nobody knows where a robot is carried to meanwhile.
                self._begin_anew()
            self._left = self._flag_hold(Reason.EMERGENCY_STOP)
        elif frame.blocked:
            self._flag = Reason.BLOCKED
        self._emergency = frame.emergency_stop
        self._dated(frame)
        if frame.delayed:
            self._flag = self._flag or Reason.FRAME_DELAYED
        return self._image(frame, now)

    def linked(self, trips: Trips | None) -> None:
        """How long the way to the robot is; None where nobody has measured."""
        self.link = trips
        if trips is not None and trips.warning:
            self.warnings["link"] = trips.warning
        else:
            self.warnings.pop("link", None)

    def _dated(self, frame: Frame) -> None:
        """How old the frame's picture is, and whether its time can be believed."""
        if frame.note:
            self._note = self.warnings["clock"] = frame.note
        if frame.withheld or frame.refused is Reason.PICTURE_TOO_OLD:
            self.eyes.missed(frame.age_seconds)
        if frame.refused is Reason.FRAME_OLD:
            self._drop()
            self._left = (State.HOLD, Reason.FRAME_OLD)
        if frame.refused is not None:
            self._flag = self._flag or frame.refused
        elif frame.image is None and self.eyes.late:
            self._flag = self._flag or Reason.PICTURE_TOO_OLD

    def _distrust(self, finding: Finding, now: float) -> None:
        """Odometry and plan contradict each other: nobody knows which of them is wrong."""
        reason = self.trust.found(finding, self.reckoning.origin, now)
        self.stuck.observe(self.reckoning)
        halted = finding.fault is OdometryFault.NOT_MOVING
        if halted and self.stuck.not_moving(self.reckoning.odometry_metres, finding.why, now):
            self._hold_stuck()
            return
        self._drop()
        self._left = (State.HOLD, reason)

    def _flag_hold(self, reason: Reason) -> tuple[State, Reason]:
        self._flag = reason
        return State.HOLD, reason

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
        moving = self.drive is not None and bool(self.reckoning.commanded_v or self.reckoning.commanded_w)
        found = self.eyes.see(frame, frame.image, moving=moving)
        if found is Reason.CAMERA_CHANGED:
            # What was planned by the former one's pictures, and asked about them, is void.
            self._begin_anew()
            self._left = (State.HOLD, found)
        elif found is not None:
            self.camera_fault(found)
            # Nobody knows since when: what the model was asked about may be as old.
            self._begin_anew()
            self._left = (State.HOLD, found)
        frozen = self.eyes.fault is Reason.FROZEN_CAMERA
        return not (frozen or frame.delayed or frame.odometry_bad or frame.emergency_stop or self.paused)

    def frame_pose(self, frame: Frame) -> int:
        """Remember where the robot was at this frame, which goes to the model's side; the number to call it by."""
        number = self.counts.frames
        self.calls.remember(
            number,
            FramePose(self.reckoning.fix(odometry=frame.odometry, at=frame.taken_at), frame.taken_at, frame.captured),
        )
        return number

    def camera_fault(self, reason: Reason) -> None:
        """The camera shows nothing to walk by; the plan is dropped."""
        self.counts.dropped += 1
        self.eyes.fault = reason
        if self.drive is not None:
            self._left = (State.HOLD, reason)
        self._drop()

    def costly_picture(self, now: float) -> None:
        """A picture took long to decode: other robots' pictures come first for a while."""
        self.eyes.aside_until = now + ASIDE_SECONDS
        self.camera_fault(Reason.COSTLY_PICTURE)

    def on_decoded(self, now: float, *, changed: bool) -> None:
        """A picture was decoded and compared with the last one that differed."""
        self.counts.analysed += 1
        self.eyes.decoded_ok()
        self.stuck.observe(self.reckoning)
        if self.verdict is None and self.stuck.on_decoded(changed=changed, now=now):
            self._hold_stuck()

    def _hold_stuck(self) -> None:
        self._drop()
        self._left = (State.HOLD, Reason.STUCK)

    def call_began(self, epoch: int, now: float) -> None:
        """The model is asked about a key frame."""
        if epoch == self.epoch:
            self.calls.since = now

    def wants_key_frame(self, now: float) -> bool:
        """Nothing is under way and nothing to drive: the next picture goes to the model, however alike."""
        if self.verdict is not None or self.paused or self.calls.since is not None or self.drive is not None:
            return False
        return self.goal.wants_picture(now) if self.goal.candidate else True

    def warn(self, about: str, text: str) -> None:
        """Say in the record what is not as it should be; an empty text: nothing any more."""
        if text:
            self.warnings[about] = text
        else:
            self.warnings.pop(about, None)

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
            self._drop()
            self._left = (State.HOLD, Reason.INVALID_RESULT)
            self.message = f"the model's answer broke off: {message}"

    def early_plan(self, result: Result, now: float) -> None:
        """Start on the waypoints of an answer that is still being written; `result` must confirm them."""
        seen = self.calls.frame_pose(result.frame)
        if result.epoch != self.epoch or self.verdict is not None or seen is None:
            return
        if self.goal.candidate or self.stuck.holds(now) or self._too_old(seen, now):
            return
        self.reckoning.advance(now)
        if self._take_plan(result, seen, now):
            self.calls.opened = result.frame, result.waypoints

    def result(self, result: Result, now: float, wall: float) -> None:
        """Take what the model said about a key frame."""
        seen = self.calls.frame_pose(result.frame)
        if result.epoch != self.epoch or self.verdict is not None or seen is None:
            self.counts.late_results += 1
            return
        self.calls.answered(result.frame, result.model_seconds)
        self.pace.took(result.model_seconds)
        self.reckoning.advance(now)
        self.environment = result.environment or self.environment
        self.progress = self.progress if result.progress is None else result.progress
        if self.calls.confirmed(result.frame, result.waypoints) and result.outcome == "plan":
            self._confirm(result, now)
            return
        self._drop()
        self.goal.took(result.outcome, now)
        self.message = "" if result.outcome == "plan" else f"the model's answer is {result.outcome}: {result.detail}"
        if result.outcome == "plan":
            self._take_plan(result, seen, now)
        elif result.outcome == "goal":
            if self.goal.confirms(seen.received_at):
                self._finish(Verdict.GOAL_REACHED, "the model saw the goal twice, the second time standing", now, wall)
            else:
                self.goal.propose()
                self._left = (State.HOLD, Reason.GOAL_CANDIDATE)
        elif result.outcome == "stop":
            self._left = (State.HOLD, Reason.STOP_RESULT)
            if self.goal.stopped_for_good:
                self._finish(Verdict.STOPPED_BY_MODEL, "the model said stop five times in a row", now, wall)
        elif result.outcome == "hold":
            self._left = (State.HOLD, Reason.HOLD_RESULT)
        else:
            self._left = (State.HOLD, Reason.INVALID_RESULT)

    def _confirm(self, result: Result, now: float) -> None:
        """The whole answer says what its opening said: that plan goes on, driven in part or wholly."""
        self.goal.took(result.outcome, now)
        self.message, self.action = "", result.action
        if self.drive is not None:
            self.drive.model_seconds = result.model_seconds

    def _forbid(self, waypoints: tuple[Waypoint, ...]) -> bool:
        """Drop a plan that the limits of now do not allow; the worker read it by those that it knew."""
        if self.settings.limits.reverse or all(point.dx >= 0.0 for point in waypoints):
            return False
        self._drop()
        self._left = (State.HOLD, Reason.INVALID_RESULT)
        self.message = NOT_BACKWARDS
        return True

    def _take_plan(self, result: Result, seen: FramePose, now: float) -> bool:
        self.stuck.observe(self.reckoning)
        if self.stuck.holds(now) or self.stuck.planned(result.waypoints, now):
            self._hold_stuck()
            return False
        if self._forbid(result.waypoints):
            return False
        if (doubt := self.trust.forbids(self.reckoning.origin, seen.received_at)) is not None:
            self._drop()
            self._left = (State.HOLD, doubt)
            return False
        latency = now - seen.received_at
        if self._too_old(seen, now):
            self._drop()
            self._left = (State.STALE, Reason.PLAN_TOO_OLD)
            self.counts.deadline_misses += 1
            return False
        plan = Plan(result.waypoints)
        self._plans += 1
        self.action = result.action
        self.drive = Drive(
            plan_id=f"{self.boot_id}-{self.task_id}-{self._plans}",
            plan=plan,
            anchor=seen.fix,
            started_at=seen.received_at,
            captured=seen.captured,
            model_seconds=result.model_seconds,
            validity_seconds=validity_seconds(
                plan, self.settings.limits, latency, self._rhythm.command_horizon_seconds
            ),
        )
        self.drive.adopt(self.reckoning)
        self._left = None
        return True

    def _too_old(self, seen: FramePose, now: float) -> bool:
        return now - seen.received_at >= self.settings.limits.max_plan_age_seconds

    def expire(self, now: float, wall: float) -> None:
        """End what is over by the clock."""
        if self.verdict is not None or self.started is None:
            return
        self._expire_plan(now)
        limits = self.settings.limits
        if now - self.started >= limits.timeout_seconds:
            self._finish(Verdict.DEADLINE_EXCEEDED, f"not done in {limits.timeout_seconds:g} s", now, wall)
        elif self.last_frame_at is not None and now - self.last_frame_at >= limits.robot_silent_seconds:
            self._finish(Verdict.ROBOT_SILENT, f"no frame for {limits.robot_silent_seconds:g} s", now, wall)
        elif self.calls.failing_since is not None and now - self.calls.failing_since >= limits.model_lost_seconds:
            lost = f"the model failed for {limits.model_lost_seconds:g} s: {self.calls.last_error}"
            self._finish(Verdict.MODEL_LOST, lost, now, wall)

    # What follows -----------------------------------------------------------------------------------------------

    def velocities(self, now: float, wall: float, *, waited: bool = False) -> tuple[State, Reason, float, float]:
        """State and velocities of the answer that goes out now; counts them as told.

        Args:
            waited: the client has waited for this very plan, so that its picture may be the newest for long.
        """
        v = w = 0.0
        self.reckoning.hold_seconds = self._rhythm.hold_seconds
        self._expire_plan(now)
        state, reason = self._judge(now, waited=waited)
        if state is State.MOVING and self.drive is not None:
            reach = self._rhythm.command_horizon_seconds
            elapsed = 0.0 if self._answered_at is None else max(0.0, min(now - self._answered_at, reach))
            self.reckoning.advance(now)
            v, w = self.drive.follow(self.reckoning, self.settings.limits, elapsed=elapsed, reach=reach)
            if (v or w) and not self._count_step(now, wall):
                v = w = 0.0
            elif self.drive.plan.consumed or self.drive.blind:
                self._left = (State.HOLD, Reason.BLIND_LIMIT if self.drive.blind else Reason.PLAN_CONSUMED)
                self._drop()
            state, reason = self._judge(now, waited=waited)
        self._answered_at = now
        self.reckoning.command(v, w, now)
        self.goal.on_command(v, w, self.reckoning, now)
        return state, reason, v, w

    def state(self, now: float) -> tuple[State, Reason]:
        """The state at this moment, without an answer."""
        return self._judge(now)

    def _judge(self, now: float, *, waited: bool = False) -> tuple[State, Reason]:
        facts = Facts(
            verdict=self.verdict,
            worker_silent=self.worker_silent,
            eyes=self.eyes,
            calls=self.calls,
            paused=self.paused,
            flag=self._flag,
            plan_from=None if self.drive is None else self.drive.started_at,
            left=self._left_by(),
            hopeless=self.pace.too_slow(self.settings.limits.max_plan_age_seconds),
        )
        return evaluate(facts, now, waited=waited)

    def _left_by(self) -> tuple[State, Reason] | None:
        lasting = self.trust.lasts(self.reckoning.origin)
        return self._left if lasting is None else (State.HOLD, lasting)

    def explain(self, state: State, reason: Reason) -> str:
        """One sentence for people, where there is more to say than the reason."""
        return explained(
            state,
            reason,
            message=self.message,
            model_error=self.calls.last_error,
            stuck=self.stuck,
            odometry=self.trust.why,
            pace=self.pace.explained(self.settings.limits.max_plan_age_seconds)
            if reason is Reason.PLAN_TOO_OLD
            else "",
            note=self._note,
            age=self.eyes.age,
        ) or ("" if self.verdict is not None else self.warnings.get("link", ""))

    def _expire_plan(self, now: float) -> None:
        if self.drive is not None and now - self.drive.started_at >= self.drive.validity_seconds:
            self._drop()
            self._left = (State.STALE, Reason.PLAN_EXPIRED)

    def _count_step(self, now: float, wall: float) -> bool:
        drive = self.drive
        if drive is None or drive.begun:
            return True
        limit = self.settings.limits.max_steps
        if self.steps >= limit:
            self._finish(Verdict.STEP_LIMIT, f"{limit} steps were made", now, wall)
            return False
        drive.begun = True
        self.steps += 1
        self.last_step = {
            "index": self.steps,
            "action": self.action,
            "frame_age_ms": round((now - drive.started_at) * 1000),
            "latency_ms": round(drive.model_seconds * 1000),
            "at": wall,
        }
        return True

    def _begin_anew(self) -> None:
        self.epoch += 1
        self.calls.clear()
        self.stuck = StuckDetector()
        self.goal = replace(self.goal, candidate=False, stops=0)
        self._drop()
        self._left = None
        self.message = ""

    def _drop(self) -> None:
        self.drive = None

    def _finish(self, verdict: Verdict, message: str, now: float, wall: float) -> None:
        if self.verdict is None:
            self._begin_anew()
            self.verdict, self.message = verdict, message
            self.finished_at, self.ended = wall, now
            self.eyes.close()
