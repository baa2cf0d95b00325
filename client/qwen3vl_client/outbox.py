"""What is to be sent next: one message, the newest. Time is an argument; a lock that is held for microseconds lets any
thread put something in."""

import threading
from dataclasses import dataclass, field, replace

from qwen3vl_client.protocol import Odometry

KEPT_SECONDS = 0.25
"""What has waited longer is not sent any more: the server would take an old picture for a new one."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A frame, or without a picture a tick, that waits to be sent.

    Attributes:
        captured_seconds: when the picture was taken, on the robot's monotonic clock.
        offered_at: when it was handed over.
        force_key, blocked, emergency_stop: see `protocol.message`.
    """

    jpeg: bytes | None
    captured_seconds: float
    offered_at: float
    odometry: Odometry | None = None
    force_key: bool = False
    blocked: bool = False
    emergency_stop: bool = False


@dataclass
class Outbox:
    """The newest letter. No emergency stop is lost because its letter was replaced: its flags go with the next one."""

    _waiting: Letter | None = None
    _due: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, letter: Letter) -> None:
        """Replace what waits, except that a tick does not replace a picture: both ask for the same answer."""
        with self._lock:
            self._due |= {name for name in ("force_key", "blocked", "emergency_stop") if getattr(letter, name)}
            waits = self._fresh(letter.offered_at)
            if letter.jpeg is not None or waits is None or waits.jpeg is None:
                self._waiting = letter

    def take(self, now: float) -> Letter | None:
        """What is to be sent now, or None; it does not wait any more then."""
        with self._lock:
            letter, self._waiting = self._fresh(now), None
            if letter is None:
                return None
            due, self._due = self._due, set()
        return replace(
            letter,
            force_key="force_key" in due,
            blocked="blocked" in due,
            emergency_stop="emergency_stop" in due,
        )

    def _fresh(self, now: float) -> Letter | None:
        waits = self._waiting
        return waits if waits is not None and now - waits.offered_at <= KEPT_SECONDS else None
