"""Whatever an answer may give as its reason, the page about robots says what helps."""

from pathlib import Path

import pytest

from qwen3vl_common.navigation.states import Reason

PAGE = Path(__file__).resolve().parents[3] / "docs" / "robots.md"


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_stands_in_the_table_of_states(reason: Reason) -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert any(f"`{reason.value}`" in row for row in rows)
