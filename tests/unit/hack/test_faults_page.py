"""The page about faults keeps its measured table between two markers."""

import pytest
from hack.devtools.faults import BEGIN, END, PAGE, with_table

TABLE = "| fault |\n"


def test_another_table_takes_the_place_of_the_one_before() -> None:
    page = f"before\n{BEGIN}old\n{END}after\n"
    once = with_table(page, TABLE)
    assert once == f"before\n{BEGIN}\n{TABLE}\n{END}after\n"
    assert with_table(once, TABLE) == once


@pytest.mark.parametrize("page", ["", BEGIN, END])
def test_a_page_without_markers_is_not_written(page: str) -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        with_table(page, TABLE)


def test_the_page_has_measured_rows() -> None:
    page = PAGE.read_text()
    assert with_table(page, TABLE) != page
    assert page.partition(BEGIN)[2].partition(END)[0].count(" s |") > 10
