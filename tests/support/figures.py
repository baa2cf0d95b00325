"""Measured figures beside their goals. A bound in a test is a time-out of about five times the goal, so a slow machine
fails no test; this table is where a figure that drifts becomes visible."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One measurement. `goal` has the same unit as `value`; None where there is no goal yet."""

    name: str
    value: float
    unit: str
    goal: float | None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no goal."""
        if self.goal is None:
            return ""
        met = self.value >= self.goal if self.at_least else self.value <= self.goal
        return "met" if met else "missed"

    @property
    def goal_text(self) -> str:
        if self.goal is None:
            return "-"
        return f"{'>=' if self.at_least else '<='} {_short(self.goal)}"


@dataclass
class Figures:
    """What a test calls to record a measurement; the lines are printed at the end of the run."""

    recorded: list[Figure] = field(default_factory=list)

    def __call__(
        self, name: str, value: float, unit: str, goal: float | None = None, *, at_least: bool = False
    ) -> None:
        """Record `value`; a goal is an upper bound unless `at_least`."""
        self.recorded.append(Figure(name, value, unit, goal, at_least))

    def table(self) -> list[str]:
        """One line per figure in the order of recording, below a head line; empty when nothing was recorded."""
        if not self.recorded:
            return []
        rows = [("measured", "goal", "unit", "", "figure")]
        rows += [(_short(one.value), one.goal_text, one.unit, one.verdict, one.name) for one in self.recorded]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return [
            "  ".join([row[0].rjust(widths[0]), *(row[n].ljust(widths[n]) for n in (1, 2, 3)), row[4]]) for row in rows
        ]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
