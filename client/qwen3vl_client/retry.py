"""How soon to connect again, by what ended or refused the connection. Pure; the caller adds the jitter."""

from dataclasses import dataclass

NOT_ALLOWED = frozenset({400, 401, 403, 4400, 4401, 4403})
BUSY = frozenset({409, 4409})
LEASE_LOST = 4410
YIELDED = frozenset({429, 4429, LEASE_LOST})
CALM_SECONDS = 60.0
"""A connection that lasted this long was a good one, however it ended."""


@dataclass(frozen=True, slots=True)
class Pause:
    """First and longest pause between two attempts, in seconds; each one is twice the one before."""

    first_seconds: float
    longest_seconds: float

    def after(self, failures: int) -> float:
        """Seconds before the next attempt, after so many failures in a row."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(max(0, failures - 1), 16))


QUICK = Pause(0.05, 2.0)
"""The network, a server that restarts, a task that is not there yet."""
SLOW = Pause(5.0, 60.0)
"""A key is not better a moment later; one that was just put into its Secret needs up to 90 s."""
WAITING = Pause(1.0, 5.0)
"""Another writer drives; its lease is free 2 s after its last frame."""
YIELDING = Pause(2.0, 30.0)
"""Another connection took the task, or too many ask: whoever comes back at once would take it in turns with it."""


@dataclass
class Retry:
    """Counts failures in a row."""

    failures: int = 0

    def next_pause(self, code: int | None, *, answered: bool, lasted_seconds: float) -> float:
        """Seconds until the next attempt.

        Args:
            code: HTTP status or close code, where the server gave one.
            answered: the connection had at least one answer.
            lasted_seconds: how long it was open; 0 where it never was.
        """
        pause = _pause(code)
        good = answered and (pause is QUICK or lasted_seconds >= CALM_SECONDS)
        self.failures = 1 if good else self.failures + 1
        return pause.after(self.failures)


def _pause(code: int | None) -> Pause:
    if code in NOT_ALLOWED:
        return SLOW
    if code in BUSY:
        return WAITING
    return YIELDING if code in YIELDED else QUICK
