"""How late messages and images come, by differences of two clocks that need not agree. Pure.

Only a robot's own clock knows how old its images are; what is found here is what they lost on the way besides."""

import math
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.task.events import Frame

WINDOW_SECONDS = 60.0
STEP_SECONDS = 0.05
"""The clock of messages that come in order goes back by more than its rounding only where it was set back."""
SETTLED_SECONDS = 1.0
"""A clock that stays behind for this long was set; one message that is behind is only an old one."""
LATE_SECONDS = 0.3
OLDEST_SECONDS = 0.5
"""No older image is looked at."""
WALL_SECONDS = 2.0
UNIX_SECONDS, UNIX_MILLIS = (1e9, 1e10), (1e12, 1e13)
ADVICE = "set the clock or leave timestamp out"


@dataclass
class Least:
    """The least of the last minute."""

    _values: list[tuple[float, float]] = field(default_factory=list)

    def excess(self, at: float, value: float) -> float:
        """Take a value; how far it is above the least."""
        # Kept rising, so that the first is the least: a later, smaller one makes those before it useless.
        while self._values and self._values[-1][1] >= value:
            self._values.pop()
        self._values.append((at, value))
        while self._values[0][0] < at - WINDOW_SECONDS:
            self._values.pop(0)
        return value - self._values[0][1]


@dataclass
class _Series:
    """Messages of one kind: how long each was under way, compared with the quickest."""

    note: str = ""
    _least: Least = field(default_factory=Least)
    _sent: float = -math.inf
    _stepped: tuple[float, float, Least] | None = None

    def of(self, received_at: float, sent: float) -> float:
        under_way, back = received_at - sent, self._sent - sent
        self._sent = sent
        delay = self._least.excess(received_at, under_way)
        if back > STEP_SECONDS:
            self._stepped = received_at, back, Least()
            self.note = f"the capture clock went back by {back:.2f} s"
        if self._stepped is None:
            return delay
        since, by, anew = self._stepped
        again = anew.excess(received_at, under_way)
        if delay <= LATE_SECONDS:
            self._stepped, self.note = None, ""
        elif received_at - since >= SETTLED_SECONDS:
            self._least, self._stepped = anew, None
            self.note = f"the capture clock was set back by {by:.2f} s; delays are compared anew"
            return again
        return delay


class Delay:
    """How much longer than its quickest a message of this connection was under way; no two clocks need to agree.

    Attributes:
        note: what was found about the capture clock last, as a sentence for people.
    """

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self.note = ""

    def of(self, received_at: float, sent: float, kind: str = "") -> float:
        """Seconds beyond the least of the last minute.

        Args:
            sent: when it was sent, by the robot's clock.
            kind: messages whose times cannot be compared have a minimum each.
        """
        series = self._series.setdefault(kind, _Series())
        delay = series.of(received_at, sent)
        self.note = series.note
        return delay


@dataclass(frozen=True, slots=True)
class Dated:
    """What a time stamp says about its image.

    Attributes:
        captured: the stamp as it came, to be echoed.
        age: seconds from capture to receipt, as far as it can be told.
        untimed: it says nothing.
        refused, note: why it cannot be believed.
    """

    captured: float | None = None
    age: float = 0.0
    untimed: bool = False
    refused: Reason | None = None
    note: str = ""

    def frame(self, received_at: float, **more: Any) -> Frame:
        """The frame of that image."""
        return Frame(
            received_at,
            captured=self.captured,
            age_seconds=self.age,
            untimed=self.untimed,
            refused=self.refused,
            note=self.note,
            **more,
        )


@dataclass
class Stamps:
    """The time stamps of one writer without the binary protocol."""

    _least: Least = field(default_factory=Least)
    _before: float | None = None

    def read(self, stamp: Any, wall: float, now: float) -> Dated:
        """Judge a frame's `timestamp`.

        Args:
            wall, now: Unix time and seconds on the monotonic clock, at receipt.
        """
        if isinstance(stamp, bool) or not isinstance(stamp, int | float) or not math.isfinite(stamp):
            return Dated(untimed=True)
        captured = float(stamp)
        unix = unix_seconds(captured)
        if unix is None:
            return Dated(captured, untimed=True)
        difference, back = wall - unix, 0.0 if self._before is None else self._before - unix
        self._before = unix
        if abs(difference) > WALL_SECONDS:
            side = "behind" if difference > 0 else "ahead of"
            note = f"timestamp is {abs(difference):.2f} s {side} this server's clock: {ADVICE}"
            return Dated(captured, refused=Reason.FRAME_OLD, note=note)
        if back > 0:
            # Whatever set the clock back, what was compared with it before says nothing now.
            self._least = Least()
            note = f"timestamp is {back:.2f} s before that of the frame before it: {ADVICE}"
            return Dated(captured, refused=Reason.FRAME_OLD, note=note)
        age = self._least.excess(now, difference)
        refused = Reason.PICTURE_TOO_OLD if age > OLDEST_SECONDS else None
        return Dated(captured, age=age, refused=refused)


def unix_seconds(stamp: float) -> float | None:
    """A time stamp in seconds since 1970, where it is one in seconds or milliseconds; else None."""
    if UNIX_SECONDS[0] < stamp < UNIX_SECONDS[1]:
        return stamp
    return stamp / 1000 if UNIX_MILLIS[0] < stamp < UNIX_MILLIS[1] else None
