"""docs/status.md has every condition and reason with what it means and what helps, and none that is gone."""

import re

import pytest
from tests.unit.operator import samples

from qwen3vl_operator.kube.conditions import ORDER, REASONS, Condition
from qwen3vl_operator.nav_task.conditions import TASK_REASONS

PAGE = (samples.ROOT / "docs/status.md").read_text()
MODELS, TASKS = PAGE.split("# What a NavTask's status says")
Row = tuple[str, str, str, str]
"""Condition, reason, what it means, what helps."""
NO_HELP_NEEDED = {"Valid", "Scheduled", "Ready", "Routed", "UpToDate"}
SAME_AS = {"NavigationReady": ("Scheduled", "EngineReady"), "Available": ("Exposed",)}
"""Conditions whose row "others" hands on to these."""


def rows(text: str) -> list[Row]:
    """The rows of the table of conditions; an empty first cell means the condition above."""
    lines = text.split("| Condition | Reason |")[1].split("\n\n")[0].splitlines()[2:]
    result: list[Row] = []
    for line in lines:
        kind, reason, means, helps = (cell.strip() for cell in line.strip("|").split("|"))
        result.append((kind.strip("`") or result[-1][0], reason.strip("`"), means, helps))
    return result


def documented(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, reason, _, _ in rows(text):
        found.setdefault(kind, []).append(reason)
    return found


def test_every_condition_of_a_model_is_documented_in_its_order() -> None:
    assert list(documented(MODELS)) == [*ORDER, "Ready"] == [*REASONS]


@pytest.mark.parametrize("kind", REASONS)
def test_every_reason_of_a_model_is_documented_once_and_no_other(kind: str) -> None:
    page = documented(MODELS)
    own = page[kind]
    assert len(own) == len(set(own))
    inherited = {reason for source in SAME_AS.get(kind, ()) for reason in page[source]} if "others" in own else set()
    assert set(REASONS[kind]) <= {*own, *inherited}
    assert set(own) - {"others"} <= set(REASONS[kind])
    assert ("others" in own) == (kind in SAME_AS)


def test_every_reason_says_what_it_means_and_what_helps() -> None:
    bad = [row[:2] for row in rows(MODELS) if not row[2] or (not row[3] and row[1] not in NO_HELP_NEEDED)]
    assert bad == []


def test_every_reason_of_a_nav_task_is_documented_and_no_other() -> None:
    page = documented(TASKS)
    for kind, reasons in TASK_REASONS.items():
        own = {reason for reason in page[kind] if re.fullmatch(r"\w+", reason)}
        handed_on = {"a verdict"} & set(page[kind])
        verdicts = {*TASK_REASONS["Complete"], *TASK_REASONS["Failed"]} if handed_on else set()
        assert set(reasons) <= own | verdicts
        assert own <= set(reasons)
    assert set(page) == {*TASK_REASONS, "ModelReady"}
    assert all(means for _, reason, means, _ in rows(TASKS) if reason not in ("a verdict",))


def test_a_reason_that_is_not_listed_cannot_be_given() -> None:
    with pytest.raises(ValueError, match="Invented is no documented reason of EngineReady"):
        Condition("EngineReady", False, "Invented")
