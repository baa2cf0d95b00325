"""What a plan needs to be driven: where the robot is, whether its odometry is believed, whether it comes anywhere, and
for how long it follows an answer. Pure.

It ends plans and says what ended them; what a task does about that is not known here."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_common.navigation.states import Reason, State
from qwen3vl_vln.motion.agreement import Finding, OdometryFault
from qwen3vl_vln.motion.dead_reckoning import DeadReckoning
from qwen3vl_vln.motion.plan import Plan
from qwen3vl_vln.motion.plan_follower import PlanFollower, validity_seconds
from qwen3vl_vln.task.calls import FramePose
from qwen3vl_vln.task.command_horizon import CommandHorizon
from qwen3vl_vln.task.events import Frame, Result
from qwen3vl_vln.task.stuck import StuckDetector
from qwen3vl_vln.task.trust import Trust
from qwen3vl_vln.waypoint import Waypoint

NOT_BACKWARDS = "the plan drives backwards, which limits.reverse does not allow"


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended a plan, or forbade one: state and reason of the answers until the next one begins.

    Attributes:
        message: one sentence for people; None where there is nothing to say beyond the reason.
    """

    state: State
    reason: Reason
    message: str | None = None


STUCK = Ended(State.HOLD, Reason.STUCK)
EXPIRED = Ended(State.STALE, Reason.PLAN_EXPIRED)
TOO_OLD = Ended(State.STALE, Reason.PLAN_TOO_OLD)
CONSUMED = Ended(State.HOLD, Reason.PLAN_CONSUMED)
BLIND = Ended(State.HOLD, Reason.BLIND_LIMIT)
BACKWARDS = Ended(State.HOLD, Reason.INVALID_RESULT, NOT_BACKWARDS)
LEASE_CHANGED = Ended(State.HOLD, Reason.LEASE_CHANGED)


@dataclass(slots=True)
class PlanExecution:
    """The plans of one task, one at a time. Times are seconds on a monotonic clock.

    Attributes:
        name: what the ids of its plans begin with.
        follower: of the plan that is being driven; None without one.
        reckoning: where the robot is.
        horizon: how long it follows an answer.
    """

    name: str
    follower: PlanFollower | None = None
    reckoning: DeadReckoning = field(default_factory=DeadReckoning)
    stuck: StuckDetector = field(default_factory=StuckDetector)
    trust: Trust = field(default_factory=Trust)
    horizon: CommandHorizon = field(default_factory=CommandHorizon)
    _answered_at: float | None = None
    _begun: int = 0

    # Beginning and ending ---------------------------------------------------------------------------------------

    def may_begin(self, seen: FramePose, limits: Limits, now: float) -> bool:
        """Whether a plan by this image is not too late, and the robot not stuck."""
        return not (self.stuck.holds(now) or _too_old(seen, limits, now))

    def begin(self, result: Result, seen: FramePose, limits: Limits, now: float) -> Ended | None:
        """Put the plan of a result in the place of the one before; what forbids it, if anything does.

        Args:
            seen: the image that it was made by.
        """
        self.reckoning.advance(now)
        self.stuck.observe(self.reckoning)
        if self.stuck.holds(now) or self.stuck.planned(result.waypoints, now):
            return self._end(STUCK)
        if _forbidden(result.waypoints, limits):
            return self._end(BACKWARDS)
        if (doubt := self.trust.forbids(self.reckoning.origin, seen.received_at)) is not None:
            return self._end(Ended(State.HOLD, doubt))
        if _too_old(seen, limits, now):
            return self._end(TOO_OLD)
        plan = Plan(result.waypoints)
        self._begun += 1
        horizon_seconds = self.horizon.command_horizon_seconds
        self.follower = PlanFollower(
            plan_id=f"{self.name}-{self._begun}",
            plan=plan,
            anchor=seen.fix,
            started_at=seen.received_at,
            captured=seen.captured,
            model_seconds=result.model_seconds,
            validity_seconds=validity_seconds(plan, limits, now - seen.received_at, horizon_seconds),
        )
        self.follower.adopt(self.reckoning)
        return None

    def confirm(self, model_seconds: float) -> None:
        """The whole answer of the model is there, and says what the plan under way was begun by."""
        if self.follower is not None:
            self.follower.model_seconds = model_seconds

    def drop(self) -> bool:
        """End the plan under way; whether there was one."""
        had, self.follower = self.follower is not None, None
        return had

    def begin_anew(self) -> None:
        """Drop the plan; what the robot did in vain before counts no more."""
        self.follower = None
        self.stuck = StuckDetector()

    def new_writer(self, *, other: bool) -> Ended | None:
        """Another program drives, or the same one anew; what ended the plan, if there was one.

        Args:
            other: not the one that drove before.
        """
        self.horizon.clear()
        # Also the same writer may have been started anew, and count from another place by the same number.
        self.reckoning.forget()
        if other:
            self.trust = Trust()
        return LEASE_CHANGED if self.drop() else None

    def new_robot(self) -> None:
        """Another robot drives, which has had no answer yet."""
        self._answered_at = None

    def bound(self, limits: Limits) -> Ended | None:
        """Hold the plan under way to other limits; what ended it, if they do not allow it."""
        if self.follower is None:
            return None
        self.follower.validity_seconds = min(self.follower.validity_seconds, limits.max_plan_age_seconds)
        return self._end(BACKWARDS) if _forbidden(self.follower.plan.waypoints, limits) else None

    def expire(self, now: float) -> Ended | None:
        """End the plan when it is over by the clock."""
        follower = self.follower
        if follower is None or now - follower.started_at < follower.validity_seconds:
            return None
        return self._end(EXPIRED)

    def _end(self, ended: Ended) -> Ended:
        self.follower = None
        return ended

    # What is seen of the robot ----------------------------------------------------------------------------------

    def observe(self, frame: Frame, limits: Limits) -> Ended | None:
        """Take the odometry of a frame; what ended the plan, if odometry and commands contradict each other."""
        now = frame.received_at
        self.reckoning.advance(now)
        finding = self.reckoning.observe(
            frame.odometry, captured=frame.captured, at=frame.taken_at, limits=limits, late=frame.delayed
        )
        return None if finding is None else self._distrust(finding, now)

    def _distrust(self, finding: Finding, now: float) -> Ended:
        # Nobody knows which of them is wrong, odometry or plan.
        reason = self.trust.found(finding, self.reckoning.origin, now)
        self.stuck.observe(self.reckoning)
        halted = finding.fault is OdometryFault.NOT_MOVING
        if halted and self.stuck.not_moving(self.reckoning.odometry_metres, finding.why, now):
            return self._end(STUCK)
        return self._end(Ended(State.HOLD, reason))

    def on_decoded(self, now: float, *, changed: bool) -> Ended | None:
        """An image was compared with the last that differed; what ended the plan, if the robot gets nowhere."""
        self.stuck.observe(self.reckoning)
        return self._end(STUCK) if self.stuck.on_decoded(changed=changed, now=now) else None

    @property
    def moving(self) -> bool:
        """Whether the newest answer drives the robot by a plan."""
        return self.follower is not None and bool(self.reckoning.commanded_v or self.reckoning.commanded_w)

    @property
    def distrust(self) -> Reason | None:
        """What forbids all plans of this robot until its odometry is mended, if anything does."""
        return self.trust.lasts(self.reckoning.origin)

    # Velocities -------------------------------------------------------------------------------------------------

    def follow(self, limits: Limits, now: float) -> tuple[float, float]:
        """The velocities by which the plan goes on, m/s and rad/s; both 0 without one and at its end."""
        if self.follower is None:
            return 0.0, 0.0
        horizon_seconds = self.horizon.command_horizon_seconds
        elapsed = 0.0 if self._answered_at is None else max(0.0, min(now - self._answered_at, horizon_seconds))
        self.reckoning.advance(now)
        return self.follower.follow(self.reckoning, limits, elapsed=elapsed, horizon_seconds=horizon_seconds)

    def finish(self) -> Ended | None:
        """End a plan that `follow` has found to be driven as far as may be."""
        if self.follower is None or not (self.follower.plan.consumed or self.follower.blind):
            return None
        return self._end(BLIND if self.follower.blind else CONSUMED)

    def command(self, v: float, w: float, now: float) -> None:
        """These velocities go out, and count as driven for as long as the robot follows them."""
        self._answered_at = now
        self.reckoning.hold_seconds = self.horizon.hold_seconds
        self.reckoning.command(v, w, now)

    def rest(self) -> list[Waypoint]:
        """What is not driven yet, in the robot's frame of now."""
        return [] if self.follower is None else self.follower.rest(self.reckoning)


def _too_old(seen: FramePose, limits: Limits, now: float) -> bool:
    return now - seen.received_at >= limits.max_plan_age_seconds


def _forbidden(waypoints: Sequence[Waypoint], limits: Limits) -> bool:
    # By the limits of now: the worker read the answer by those that it knew.
    return not limits.reverse and any(point.dx < 0.0 for point in waypoints)
