"""The table of faults: what each one did to a robot that was walking. `hack/faults --write` puts it into the docs."""

from dataclasses import dataclass, field
from pathlib import Path

OUT = Path(__file__).resolve().parents[3] / "out" / "fault-matrix.md"
HEAD = (
    "fault",
    "last motion after",
    "at most",
    "stands after",
    "told beyond the plan",
    "the robot is told",
    "and then",
)


@dataclass(frozen=True)
class Row:
    """One fault. Times in seconds from the fault; None where the robot drives on.

    Attributes:
        last_motion: when the last command that is not zero reached the base.
        stands: when the base had braked.
        beyond_metres, beyond_radians: most that was told under one plan beyond what that plan is long and turns.
        told: what the answers, or the client where there are none, say.
        then: what became of the task.
    """

    fault: str
    last_motion: float | None
    bound: float | None
    stands: float | None
    beyond_metres: float
    beyond_radians: float
    told: str
    then: str

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        times = ["drives on" if time is None else f"{time:.2f} s" for time in (self.last_motion, self.bound)]
        stands = "" if self.stands is None else f"{self.stands:.2f} s"
        beyond = f"{self.beyond_metres:.2f} m, {self.beyond_radians:.2f} rad"
        return self.fault, times[0], "" if self.bound is None else times[1], stands, beyond, self.told, self.then


@dataclass
class Matrix:
    """Rows in the order of the tests."""

    rows: list[Row] = field(default_factory=list)

    def text(self) -> str:
        """The table in Markdown."""
        lines = [HEAD, tuple("---" for _ in HEAD), *(row.cells() for row in self.rows)]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)

    def write(self) -> None:
        """Leave it in `out/`."""
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(self.text())
