"""The table of figures at the end of a run."""

import pytest
from tests.support.figures import Figure, Figures


@pytest.mark.parametrize(
    ("value", "goal", "at_least", "verdict"),
    [
        (1.9, 2, False, "met"),
        (2.1, 2, False, "missed"),
        (2100, 2000, True, "met"),
        (1900, 2000, True, "missed"),
        (5, None, False, ""),
    ],
)
def test_verdict(value: float, goal: float | None, at_least: bool, verdict: str) -> None:
    assert Figure("figure", value, "s", goal, at_least).verdict == verdict


def test_table_lists_every_figure_with_its_goal() -> None:
    figures = Figures()
    figures("drift repaired after", 0.4321, "s", goal=2)
    figures("throughput", 12345.6, "requests/s", goal=2000, at_least=True)
    head, first, second = figures.table()
    assert head.split() == ["measured", "goal", "unit", "figure"]
    assert first.split() == ["0.432", "<=", "2", "s", "met", "drift", "repaired", "after"]
    assert second.split() == ["12,346", ">=", "2,000", "requests/s", "met", "throughput"]


def test_nothing_recorded_prints_nothing() -> None:
    assert Figures().table() == []
