"""A camera whose pictures come later and later, over hours that take no time here."""

import pytest

from qwen3vl_client.images import OLD_IN_A_ROW, YOUNG_SECONDS, Images


@pytest.mark.parametrize("lag_growth", [0.0045, 0.5])
def test_a_lag_that_grows_slowly_is_seen_by_the_robot_s_own_clock(lag_growth: float) -> None:
    """Within any minute such a camera loses less than what a server would notice."""
    pictures, sent = Images(), []
    for number in range(30 * 60 * 10):
        now = 1000.0 + number / 10
        age = lag_growth * (now - 1000.0)
        assert pictures.of_this_clock(now - age, now)
        if pictures.young(age):
            sent.append(age)
    assert sent and max(sent) <= YOUNG_SECONDS
    trouble = pictures.trouble(unseen=False)
    assert trouble is not None and trouble[0] == "picture_too_old" and f"{age:.2f} s" in trouble[1]
    assert pictures.withheld == 30 * 60 * 10 - len(sent)


def test_one_young_picture_ends_it() -> None:
    pictures = Images()
    for _ in range(OLD_IN_A_ROW):
        assert pictures.trouble(unseen=False) is None
        assert not pictures.young(YOUNG_SECONDS + 0.01)
    assert pictures.trouble(unseen=False) is not None
    assert pictures.young(YOUNG_SECONDS) and pictures.trouble(unseen=False) is None


def test_too_old_is_the_reason_where_none_was_sent_for_a_second() -> None:
    pictures = Images()
    assert pictures.trouble(unseen=True) is None, "then it is no_image"
    pictures.young(0.7)
    assert pictures.trouble(unseen=False) is None and pictures.trouble(unseen=True) is not None


@pytest.mark.parametrize(
    ("age", "right"), [(-0.05, True), (-0.06, False), (0.0, True), (3600.0, True), (3600.1, False)]
)
def test_which_ages_are_of_this_clock(age: float, right: bool) -> None:
    pictures = Images()
    assert pictures.of_this_clock(0.0 - age, 0.0) is right
    trouble = pictures.trouble(unseen=False)
    assert (trouble is None) is right
    assert pictures.of_this_clock(0.0, 0.0, image=False) and (pictures.trouble(unseen=False) is None) is right
    assert pictures.of_this_clock(0.0, 0.0) and pictures.trouble(unseen=False) is None
