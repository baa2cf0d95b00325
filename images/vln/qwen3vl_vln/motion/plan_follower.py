"""Follows one plan of one key frame: anchored where its image was taken, bounded in age, in blind metres and in
what the robot may still do before it hears from us again."""

import math
from dataclasses import dataclass

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.motion.dead_reckoning import HOLD_SECONDS, DeadReckoning, Fix
from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.motion.plan import Plan, Steer, braking
from qwen3vl_vln.waypoint import Waypoint

GRACE_SECONDS = 0.5
"""Beyond model latency and driving time, before a plan is out of date."""
SPENT_METRES, SPENT_RADIANS = 0.02, 0.02
BLIND_RADIANS = 1.6
"""Further from the heading of its image no robot is turned: it would walk into what the image does not show."""


@dataclass(frozen=True, slots=True)
class _Adopted:
    """What a plan was adopted with: the heading in its own frame, what was commanded by then, radians it may turn."""

    yaw: float
    commanded_yaw: float
    commanded_radians: float
    budget: float


@dataclass(slots=True)
class PlanFollower:
    """A plan being driven.

    Attributes:
        plan_id: names it in answers; unique over restarts.
        started_at: receipt of the key frame, seconds on the server's monotonic clock.
        captured: the client's own time stamp of that frame.
        validity_seconds: for how long after `started_at` it may be driven.
        begun: some of it was driven.
    """

    plan_id: str
    plan: Plan
    anchor: Fix
    started_at: float
    captured: float | None
    model_seconds: float
    validity_seconds: float
    begun: bool = False
    blind: bool = False
    _budget: float | None = None
    _adopted: _Adopted | None = None

    def adopt(self, reckoning: DeadReckoning) -> None:
        """The plan begins now: leave behind what is driven already, and reckon what the rest may turn."""
        pose, coming, _ = reckoning.since(self.anchor)
        self.plan.advance(pose, coming.yaw)
        self._budget = self.plan.turn_budget(coming)

    def follow(
        self, reckoning: DeadReckoning, limits: Limits, *, elapsed: float, horizon_seconds: float
    ) -> tuple[float, float]:
        """Velocities for the next answer, (0, 0) when nothing is left to drive.

        Args:
            elapsed: seconds since the answer before, for the ramps.
            horizon_seconds: for which the robot may follow this answer; velocity times horizon stays within the plan.
        """
        pose, coming, metres = reckoning.since(self.anchor)
        adopted = self._adopted or self._begin(coming, reckoning)
        commanded_yaw = adopted.yaw + reckoning.commanded_pose.yaw - adopted.commanded_yaw
        self.plan.advance(pose, commanded_yaw)
        if self.plan.consumed:
            return 0.0, 0.0
        steer = self.plan.steer(coming, commanded_yaw, limits, horizon_seconds)
        budget = adopted.budget - (reckoning.commanded_radians - adopted.commanded_radians)
        right, left = reckoning.turned(self.anchor)
        room = BLIND_RADIANS - left if steer.w > 0 else BLIND_RADIANS + right
        if steer.radians is not None:
            return 0.0, self._turn(
                steer, reckoning, limits, elapsed=elapsed, horizon_seconds=horizon_seconds, budget=budget, room=room
            )
        blind_left = limits.blind_meters - metres
        rest = max(0.0, min(steer.metres, blind_left, self.plan.metres - metres))
        if rest <= SPENT_METRES and steer.metres > rest:
            self.blind = blind_left <= SPENT_METRES
            if not self.blind:
                self.plan.skip_drives()
            return 0.0, 0.0
        v = _within(
            steer.v, limits.linear_meters_per_second, braking(rest, limits.linear_acceleration, horizon_seconds)
        )
        w = _within(steer.w, limits.angular_radians_per_second, max(0.0, min(budget, room)) / horizon_seconds)
        ramped_v = _ramped(v, reckoning.commanded_v, limits.linear_acceleration * elapsed)
        # A slower start keeps the curve: both fall in proportion.
        if v:
            w *= min(1.0, max(0.3, abs(ramped_v / v)))
        return ramped_v, _ramped(w, reckoning.commanded_w, limits.angular_acceleration * elapsed)

    def _begin(self, coming: Pose, reckoning: DeadReckoning) -> _Adopted:
        # The command before counts until this answer, and not under this plan.
        if self._budget is None:
            self.adopt(reckoning)
        self._adopted = _Adopted(
            coming.yaw, reckoning.commanded_pose.yaw, reckoning.commanded_radians, self._budget or 0.0
        )
        return self._adopted

    def _turn(
        self,
        steer: Steer,
        reckoning: DeadReckoning,
        limits: Limits,
        *,
        elapsed: float,
        horizon_seconds: float,
        budget: float,
        room: float,
    ) -> float:
        rest = max(0.0, min(budget, room))
        if rest <= SPENT_RADIANS and (steer.radians or 0.0) > rest:
            self.blind = room <= SPENT_RADIANS
            self.plan.end()
            return 0.0
        most = braking(rest, limits.angular_acceleration, horizon_seconds)
        w = _within(steer.w, limits.angular_radians_per_second, most)
        return _ramped(w, reckoning.commanded_w, limits.angular_acceleration * elapsed)

    def rest(self, reckoning: DeadReckoning) -> list[Waypoint]:
        """What is not driven yet, in the robot's frame of now."""
        pose, _, _ = reckoning.since(self.anchor)
        return self.plan.rest(pose)


def validity_seconds(
    plan: Plan, limits: Limits, latency_seconds: float, horizon_seconds: float = HOLD_SECONDS
) -> float:
    """For how long after the receipt of its key frame a plan may be driven.

    Args:
        horizon_seconds: seconds for which the robot may follow an answer.
    """
    return min(limits.max_plan_age_seconds, latency_seconds + plan.seconds(limits, horizon_seconds) + GRACE_SECONDS)


def _within(value: float, limit: float, other: float) -> float:
    return math.copysign(min(abs(value), limit, other), value)


def _ramped(wished: float, commanded: float, step: float) -> float:
    """Towards a higher speed at most `step` from what was commanded before; towards zero at once."""
    before = commanded if commanded * wished > 0 else 0.0
    return math.copysign(min(abs(wished), abs(before) + step), wished) if wished else 0.0
