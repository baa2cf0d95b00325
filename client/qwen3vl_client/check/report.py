"""What a check found, as a table for people and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Attributes:
        name: what was looked at.
        passed: None where it is told only.
        measured: in `unit`; None where nothing was measured.
        bound: what it is held against, in words.
        note: what to do, or why it was not done.
    """

    name: str
    passed: bool | None
    measured: float | None = None
    unit: str = ""
    bound: str = ""
    note: str = ""


def at_most(name: str, measured: float | None, bound: float, unit: str, note: str = "") -> Finding:
    """A measurement that must not be larger than its bound; nothing measured has not passed."""
    passed = measured is not None and measured <= bound
    return Finding(name, passed, _rounded(measured), unit, f"<= {bound:g}", "" if passed else note)


def between(name: str, measured: float, low: float, high: float, unit: str, note: str = "") -> Finding:
    """A measurement that must lie between two bounds."""
    passed = low <= measured <= high
    return Finding(name, passed, _rounded(measured), unit, f"{low:g} to {high:g}", "" if passed else note)


def not_done(name: str, why: str) -> Finding:
    """A check that could not be made, which counts as not passed."""
    return Finding(name, passed=False, note=f"not done: {why}")


def all_passed(findings: Sequence[Finding]) -> bool:
    """Whether nothing failed and something was checked at all."""
    judged = [finding.passed for finding in findings if finding.passed is not None]
    return bool(judged) and all(judged)


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The same for a program."""
    return {"passed": all_passed(findings), "checks": [asdict(finding) for finding in findings]}


def table(findings: Sequence[Finding]) -> str:
    """Aligned lines; a note follows its line."""
    rows = [("", "measured", "bound", "unit", "check")]
    words = {True: "pass", False: "FAIL", None: "-"}
    for finding in findings:
        measured = "-" if finding.measured is None else f"{finding.measured:g}"
        rows.append((words[finding.passed], measured, finding.bound or "-", finding.unit or "-", finding.name))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*(row[n].ljust(widths[n]) for n in range(4)), row[4]]).rstrip() for row in rows]
    for place, finding in reversed(list(enumerate(findings, start=1))):
        if finding.note:
            lines.insert(place + 1, f"      {finding.note}")
    return "\n".join(lines)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
