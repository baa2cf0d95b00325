"""Whether an answer may still be driven. Pure: time is an argument, in seconds on a clock that also counts sleep.

An answer is as old as the frame it belongs to, counted from when that frame was sent. Everything else is zero."""

import math
from dataclasses import dataclass, field
from typing import Any

FRESH_SECONDS = 0.25
UNANSWERED_MOST = 2
SILENT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Command:
    """What the base should do now.

    Attributes:
        linear_mps: forward, m/s.
        angular_rps: counter-clockwise, rad/s.
        state, reason: of the answer that it comes from, or why there is none.
        fresh: it may be driven; else both velocities are zero.
    """

    linear_mps: float = 0.0
    angular_rps: float = 0.0
    state: str = "waiting"
    reason: str = "no_answer"
    fresh: bool = False


STAND = Command()


@dataclass
class Freshness:
    """Remembers what was sent and what was answered on one connection.

    Attributes:
        boot_id: of the server; plans of another one are not driven.
    """

    boot_id: str = ""
    _sent: dict[int, float] = field(default_factory=dict)
    _answer: dict[str, Any] | None = None
    _answer_sent_at: float = -math.inf
    _heard_at: float = -math.inf

    def sent(self, sequence: int, now: float) -> None:
        """A frame or tick went out."""
        self._sent[sequence] = now
        if len(self._sent) == 1:
            self._heard_at = max(self._heard_at, now)

    def may_send(self) -> bool:
        """Whether few enough are unanswered; else the newest waits."""
        return len(self._sent) < UNANSWERED_MOST

    def silent(self, now: float) -> bool:
        """Something was sent and nothing was heard for too long: connect again."""
        return bool(self._sent) and now - self._heard_at > SILENT_SECONDS

    def answered(self, body: dict[str, Any], now: float) -> bool:
        """Take an answer; whether it belongs to a frame of ours and is the newest."""
        self._heard_at = now
        sent_at = self._sent.pop(body.get("seq", -1), None)
        if sent_at is None:
            return False
        # Answers come in order, so that older frames will have none.
        for sequence in [number for number, at in self._sent.items() if at < sent_at]:
            del self._sent[sequence]
        if sent_at < self._answer_sent_at:
            return False
        self._answer, self._answer_sent_at = body, sent_at
        return True

    def command(self, now: float) -> Command:
        """What may be driven at this moment."""
        body = self._answer
        if body is None:
            return STAND
        state, reason = str(body.get("state")), str(body.get("reason"))
        age = now - self._answer_sent_at
        if state != "moving":
            return Command(state=state, reason=reason, fresh=0 <= age <= FRESH_SECONDS)
        valid = min(FRESH_SECONDS, float(body.get("valid_ms") or 0) / 1000)
        if not 0 <= age <= valid:
            return Command(state="stale", reason="answer_too_old")
        if not str(body.get("plan_id")).startswith(f"{self.boot_id}-"):
            return Command(state="hold", reason="other_server")
        v, w = _velocity(body.get("linear_vel")), _velocity(body.get("angular_vel"))
        if v is None or w is None:
            return Command(state="error", reason="bad_answer")
        return Command(v, w, state, reason, fresh=True)


def _velocity(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None
