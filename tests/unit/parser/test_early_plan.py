"""What may start motion before an answer is whole: never anything that the whole answer does not say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_vln.parser import ParseLimits, early_plan, parse

STEP = {"dx": 0.4, "dy": 0.0, "dtheta": 0.1}
LIMITS = ParseLimits()


def answer(*steps: object, goal: object = False) -> str:
    return json.dumps({"reached_goal": goal, "waypoints": list(steps), "action": "forward"})


def test_it_is_there_as_soon_as_the_array_is_closed_and_not_before() -> None:
    text = answer(STEP, STEP)
    closed = text.index("]") + 1
    found_at = [early_plan(text[:end], LIMITS) is not None for end in (closed - 1, closed, closed + 1)]
    assert found_at == [False, True, True]
    found = early_plan(text[:closed], LIMITS)
    assert found == parse(text, finish_reason="stop", profile="waypoints").waypoints


@pytest.mark.parametrize(
    "text",
    [
        answer(STEP, goal=True),
        answer(STEP, goal="false"),
        answer({"dx": 9, "dy": 0, "dtheta": 0}),
        answer({"dx": -0.5, "dy": 0, "dtheta": 0}),
        answer({"dx": 0, "dy": 0, "dtheta": 0}),
        answer(),
        answer({"dx": "0.4", "dy": 0, "dtheta": 0}),
        answer(*[STEP] * 9),
        '{"reached_goal": false, "waypoints": [{"dx": NaN, "dy": 0, "dtheta": 0}]',
        '{"reached_goal": false, "waypoints": [{"dx": 0.1, "dx": 0.4, "dy": 0, "dtheta": 0}]',
        '{"reached_goal": false, "waypoints": [[[[[[[[[[]]]]]]]]]]',
        '{"waypoints": [{"dx": 0.4, "dy": 0, "dtheta": 0}]',
        '{"environment": "a door", "reached_goal": false, "waypoints": [{"dx": 0.4, "dy": 0, "dtheta": 0}]',
        'Do not: {"reached_goal": false, "waypoints": [{"dx": 0.4, "dy": 0, "dtheta": 0}]',
        "[" * 3000 + "]",
    ],
)
def test_what_is_not_exactly_the_schema_waits_for_its_end(text: str) -> None:
    assert early_plan(text, LIMITS) is None


NUMBERS = st.floats(-2, 2) | st.integers(-200, 200) | st.sampled_from([1e400, -0.0, 1e-9])
STEPS = st.lists(st.fixed_dictionaries({"dx": NUMBERS, "dy": NUMBERS, "dtheta": NUMBERS}), max_size=7)


@given(steps=STEPS, cut=st.integers(0, 600), reverse=st.booleans(), action=st.sampled_from(["forward", "left", "hold"]))
def test_a_part_never_says_more_than_the_whole(
    steps: list[dict[str, float]], cut: int, reverse: bool, action: str
) -> None:
    text = json.dumps({"reached_goal": False, "waypoints": steps, "action": action})
    limits = ParseLimits(reverse=reverse)
    part = early_plan(text[:cut], limits)
    whole = parse(text, finish_reason="stop", profile="waypoints", limits=limits)
    assert part is None or whole.outcome != "plan" or part == whole.waypoints


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    assert early_plan(text, LIMITS) is None or text.strip().startswith("{")
