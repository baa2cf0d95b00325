"""One plan of one key frame under way: anchored where its picture was taken, bounded in age, in blind metres and in
what the robot may still do before it hears from us again."""

import math
from dataclasses import dataclass

from qwen3vl_vln.motion.limits import Limits
from qwen3vl_vln.motion.plan import Plan, braking
from qwen3vl_vln.motion.reckoning import Fix, Reckoning
from qwen3vl_vln.waypoint import Waypoint

GRACE_SECONDS = 0.5
"""Beyond model latency and driving time, before a plan is out of date."""
SPENT_METRES = 0.02


@dataclass(slots=True)
class Drive:
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

    def follow(self, reckoning: Reckoning, limits: Limits, *, elapsed: float, reach: float) -> tuple[float, float]:
        """Velocities for the next answer, (0, 0) when nothing is left to drive.

        Args:
            elapsed: seconds since the answer before, for the ramps.
            reach: seconds for which the robot may follow this answer; velocity times reach stays within the plan.
        """
        pose, coming, metres = reckoning.since(self.anchor)
        self.plan.advance(pose)
        if self.plan.consumed:
            return 0.0, 0.0
        steer = self.plan.steer(coming, limits, reach)
        blind_left = limits.blind_meters - metres
        left = max(0.0, min(steer.metres, blind_left, self.plan.metres - metres))
        if steer.radians is None and left <= SPENT_METRES and steer.metres > left:
            self.blind = blind_left <= SPENT_METRES
            if not self.blind:
                self.plan.skip_drives()
            return 0.0, 0.0
        v = _within(steer.v, limits.linear_meters_per_second, braking(left, limits.linear_acceleration, reach))
        w = _within(steer.w, limits.angular_radians_per_second, math.inf)
        ramped_v = _ramped(v, reckoning.told_v, limits.linear_acceleration * elapsed)
        # A slower start keeps the curve: both fall in proportion.
        if v and steer.radians is None:
            w *= min(1.0, max(0.3, abs(ramped_v / v)))
        return ramped_v, _ramped(w, reckoning.told_w, limits.angular_acceleration * elapsed)

    def rest(self, reckoning: Reckoning) -> list[Waypoint]:
        """What is not driven yet, in the robot's frame of now."""
        pose, _, _ = reckoning.since(self.anchor)
        return self.plan.rest(pose)


def validity_seconds(plan: Plan, limits: Limits, latency_seconds: float) -> float:
    """For how long after the receipt of its key frame a plan may be driven."""
    return min(limits.max_plan_age_seconds, latency_seconds + plan.seconds(limits) + GRACE_SECONDS)


def _within(value: float, limit: float, other: float) -> float:
    return math.copysign(min(abs(value), limit, other), value)


def _ramped(wished: float, told: float, step: float) -> float:
    """Towards a higher speed at most `step` from what was told before; towards zero at once."""
    before = told if told * wished > 0 else 0.0
    return math.copysign(min(abs(wished), abs(before) + step), wished) if wished else 0.0
