"""What an operator at rest costs, taken apart into its waves. No I/O; the arithmetic is this module's docstring.

Two windows are looked at, in which nothing is edited. In the first, of 1.2 re-look periods, every key comes up at least
once, and everything is listed at twice that pace. In the second, after a restart with both put off by a day, neither
happens: the idle rest (probes, watches, timers, secrets that are read).

    rest rate        = CPU of the second window / its seconds
    pass             = (CPU of the seconds without a LIST - rest rate x those seconds) / passes in those seconds
    one re-look wave = pass x models
    one LIST wave    = (CPU of the first window - rest rate x its seconds - pass x its passes) / LIST waves in it
    idle share       = rest rate + (one re-look wave + one LIST wave) / 600 s

Passes are counted once for the whole window, because reading the operator's metrics costs what is measured; they are
spread by jitter and taken as even. A second counts as one with a LIST when the apiserver answered a LIST of the
operator's in it, in the one before or in the one after. Without a LIST wave its cost is 0.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

PERIOD_SECONDS = 600.0
"""How often the operator looks again and lists by default."""
WINDOW_PERIODS = 1.2
"""Jitter makes the longest period 1.2 of the named one."""


@dataclass(frozen=True)
class Moment:
    """What was read at one time: seconds, CPU seconds of the operator, LISTs that the apiserver has answered."""

    at: float
    cpu: float
    lists: int


@dataclass(frozen=True)
class IdleCost:
    """What was found, in seconds of CPU: per second, per pass, per LIST wave."""

    rest_rate: float
    per_pass: float
    list_wave: float

    def percent(self, models: int) -> float:
        """Share of one processor over the default period."""
        return 100 * (self.rest_rate + (self.per_pass * models + self.list_wave) / PERIOD_SECONDS)


def idle_cost(moments: Sequence[Moment], *, passes: int, list_waves: int, rest_rate: float) -> IdleCost:
    """Take a window apart.

    Args:
        moments: at least two, in order.
        passes: passes that ended in the window; more than 0.
        list_waves: how often everything was listed in it.
    """
    with_list = _with_list(moments)
    spans = list(itertools.pairwise(moments))
    plain = [span for span, listed in zip(spans, with_list, strict=True) if not listed] or spans
    seconds = sum(after.at - before.at for before, after in plain)
    cpu = sum(after.cpu - before.cpu for before, after in plain)
    window, total = moments[-1].at - moments[0].at, moments[-1].cpu - moments[0].cpu
    per_pass = max(0.0, cpu - rest_rate * seconds) / (passes * seconds / window)
    waves = max(0.0, total - rest_rate * window - per_pass * passes)
    return IdleCost(rest_rate, per_pass, waves / list_waves if list_waves else 0.0)


def _with_list(moments: Sequence[Moment]) -> list[bool]:
    """For each span between two moments, whether a LIST touches it."""
    own = [after.lists > before.lists for before, after in itertools.pairwise(moments)]
    return [any(own[max(0, place - 1) : place + 2]) for place in range(len(own))]
