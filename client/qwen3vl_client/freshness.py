"""Whether an answer may still be driven. Pure: time is an argument, in seconds on a clock that also counts sleep.

An answer is as old as the frame it belongs to, counted from when that frame was sent. Everything else is zero."""

import math
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_client.states import (
    ANSWER_TOO_OLD,
    BAD_ANSWER,
    ERROR,
    HOLD,
    MOVING,
    NO_ANSWER,
    NO_IMAGE,
    OTHER_SERVER,
    STALE,
    WAITING,
)

FRESH_SECONDS = 0.25
IMAGES_UNANSWERED, TICKS_UNANSWERED = 2, 8
"""More images would only queue up on a slow link; ticks are small, and on a long one they keep the answers coming."""
SILENT_SECONDS = 0.5
IMAGE_SECONDS = 1.0
"""After this long without an image sent nothing is driven: nobody has looked."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the base should do now.

    Attributes:
        linear_mps: forward, m/s.
        angular_rps: counter-clockwise, rad/s.
        state, reason: of the answer that it comes from, or why there is none.
        fresh: it may be driven; else both velocities are zero.
        message: one sentence for people, where there is more to say than the reason.
    """

    linear_mps: float = 0.0
    angular_rps: float = 0.0
    state: str = WAITING
    reason: str = NO_ANSWER
    fresh: bool = False
    message: str = ""


STAND = Command()


@dataclass
class Freshness:
    """Remembers what was sent and what was answered on one connection.

    One thread writes; `command` may be called from any, since what it reads is replaced whole.

    Attributes:
        boot_id: of the server, as soon as it has said so; plans of another one are not driven.
        unanswered: frames and ticks that will have no answer any more.
    """

    boot_id: str = ""
    unanswered: int = 0
    _sent: dict[int, tuple[float, bool]] = field(default_factory=dict)
    _newest: tuple[dict[str, Any], float] | None = None
    _heard_at: float = -math.inf
    _image_sent_at: float = -math.inf
    _trusted_from: float = -math.inf

    def sent(self, sequence: int, now: float, *, image: bool = True) -> None:
        """A frame went out, or without an image a tick."""
        self._sent[sequence] = now, image
        if image:
            self._image_sent_at = now
        if len(self._sent) == 1:
            self._heard_at = max(self._heard_at, now)

    def may_send(self, *, image: bool = True) -> bool:
        """Whether few enough of this kind are unanswered; else the newest waits."""
        most = IMAGES_UNANSWERED if image else TICKS_UNANSWERED
        return sum(kind is image for _, kind in self._sent.values()) < most

    def silent(self, now: float) -> bool:
        """Something was sent and nothing was heard of it for too long: connect again."""
        return bool(self._sent) and now - self._heard_at > SILENT_SECONDS

    def answered(self, body: dict[str, Any], now: float) -> float | None:
        """Take an answer; seconds since its frame was sent, or None where it belongs to none that waits for one."""
        sequence = body.get("seq")
        sent = self._sent.pop(sequence, None) if isinstance(sequence, int) else None
        if sent is None:
            return None
        sent_at, _ = sent
        self._heard_at = now
        # Answers come in order, so that older frames will have none.
        for older in [number for number, (at, _) in self._sent.items() if at < sent_at]:
            del self._sent[older]
            self.unanswered += 1
        if self._newest is None or sent_at >= self._newest[1]:
            self._newest = body, sent_at
        return now - sent_at

    def ended(self) -> None:
        """The connection is over: what waits for an answer will have none."""
        self.unanswered += len(self._sent)
        self._sent.clear()

    def distrust(self, now: float) -> None:
        """Drive no answer to what was sent before now: the server did not know then what the robot knows."""
        self._trusted_from = now

    def unseen(self, now: float) -> bool:
        """No image was sent for too long."""
        return not 0 <= now - self._image_sent_at <= IMAGE_SECONDS

    def command(self, now: float) -> Command:
        """What may be driven at this moment. Never raises, whatever the server said."""
        if self._newest is None:
            return STAND
        body, sent_at = self._newest
        state, reason = str(body.get("state")), str(body.get("reason"))
        age = now - sent_at
        if state != MOVING:
            return Command(state=state, reason=reason, fresh=0 <= age <= FRESH_SECONDS)
        valid = min(FRESH_SECONDS, (_number(body.get("valid_ms")) or 0.0) / 1000)
        if not 0 <= age <= valid:
            return Command(state=STALE, reason=ANSWER_TOO_OLD)
        if sent_at < self._trusted_from:
            return Command(state=HOLD, reason=ANSWER_TOO_OLD)
        if self.unseen(now):
            return Command(state=STALE, reason=NO_IMAGE)
        if not self.boot_id or not str(body.get("plan_id")).startswith(f"{self.boot_id}-"):
            return Command(state=HOLD, reason=OTHER_SERVER)
        v, w = _number(body.get("linear_vel")), _number(body.get("angular_vel"))
        if v is None or w is None:
            return Command(state=ERROR, reason=BAD_ANSWER)
        return Command(v, w, state, reason, fresh=True)


def _number(value: Any) -> float | None:
    """A finite number, or None: JSON also carries NaN, and integers too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
