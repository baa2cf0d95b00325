"""Answers of the schema that are changed in one place never move; and an early plan is one of the whole answer too."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3vl_vln.parser import ParseLimits, early_plan, parse

from .answers import STEP, answer

KEYS = ("reached_goal", "waypoints", "action", "environment", "reasoning", "progress", "confidence")
STEP_KEYS = ("dx", "dy", "dtheta", "confidence")
BOUNDS = {"dx": 1.0, "dy": 0.5, "dtheta": 0.8}
LIMITS = ParseLimits()

NUMBERS = {"dx": st.floats(0.03, 1.0), "dy": st.floats(-0.5, 0.5), "dtheta": st.floats(-0.8, 0.8)}
STEPS = st.fixed_dictionaries(NUMBERS, optional={"confidence": st.floats(0.1, 1.0)})
PLANS = st.fixed_dictionaries(
    {"reached_goal": st.just(False), "waypoints": st.lists(STEPS, min_size=1, max_size=5)},
    optional={
        "action": st.sampled_from(["forward", "前进", ""]),
        "environment": st.sampled_from(["a hall", "走廊", "no obstacles"]),
        "reasoning": st.sampled_from(["the door is ahead", "门在前面"]),
        "progress": st.floats(0, 1),
        "confidence": st.floats(0.1, 1.0),
    },
)
SCALARS = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner))
NAMES = st.text(max_size=12) | st.sampled_from(["unit", "units", "safe", "dz", "Action", "plan", "dx_cm", "单位", "停"])
OTHER_UNITS = st.sampled_from(["{} m", "{}cm", "{} deg", "{}°", "{} 米", "{}厘米", "{}度", "{}", "{}%"])
SPELLINGS = st.sampled_from(["{} ", "_{}", "{}\u200b", "{}s", "{}_m", "the {}", "{}°"])


def written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def with_key(members: dict[str, Any], name: str, value: object, at: int) -> dict[str, Any]:
    """The same members with one more, at some place among them."""
    pairs = list(members.items())
    pairs.insert(at % (len(pairs) + 1), (name, value))
    return dict(pairs)


@st.composite
def outside(draw: st.DrawFn) -> str:
    """An answer with one thing in it that the schema has not."""
    plan: dict[str, Any] = draw(PLANS)
    steps = plan["waypoints"]
    at, axis = draw(st.integers(0, len(steps) - 1)), draw(st.sampled_from(list(BOUNDS)))
    place, step = draw(st.integers(0, 9)), steps[at]
    kind = draw(st.sampled_from(["key", "step key", "spelling", "step spelling", "unit", "range", "number", "twice"]))
    if kind == "key":
        plan = with_key(plan, draw(NAMES.filter(lambda name: name not in KEYS)), draw(VALUES), place)
    elif kind == "step key":
        steps[at] = with_key(step, draw(NAMES.filter(lambda name: name not in STEP_KEYS)), draw(VALUES), place)
    elif kind == "spelling":
        name, spelt = draw(st.sampled_from(list(plan))), draw(SPELLINGS)
        plan = {spelt.format(key) if key == name else key: value for key, value in plan.items()}
    elif kind == "step spelling":
        spelt = draw(SPELLINGS)
        steps[at] = {spelt.format(key) if key == axis else key: value for key, value in step.items()}
    elif kind == "unit":
        step[axis] = draw(OTHER_UNITS).format(step[axis])
    elif kind == "range":
        step[axis] = draw(st.sampled_from([1, -1])) * (draw(st.floats(1.51, 1e9)) * BOUNDS[axis])
    elif kind == "number":
        step[axis] = draw(st.sampled_from([float("nan"), float("inf"), float("-inf"), None, True, [], {}, "x"]))
    else:
        return re.sub(rf'"{axis}": ', f'"{axis}": 0.1, "{axis}": ', written(plan), count=1)
    return written(plan)


@given(PLANS)
def test_what_the_schema_has_moves(plan: dict[str, Any]) -> None:
    parsed = parse(written(plan), finish_reason="stop", profile="waypoints")
    assert parsed.outcome == "plan" and not parsed.clamped
    assert [(p.dx, p.dy, p.dtheta) for p in parsed.waypoints] == [
        (step["dx"], step["dy"], step["dtheta"]) for step in plan["waypoints"]
    ]


@given(outside(), st.sampled_from([None, "waypoints", "actions"]), st.booleans())
@settings(max_examples=600)
def test_one_thing_outside_the_schema_moves_nothing(text: str, profile: str | None, reverse: bool) -> None:
    limits = ParseLimits(reverse=reverse)
    assert parse(text, finish_reason="stop", profile=profile, limits=limits).outcome == "invalid"
    assert early_plan(text, limits) is None


def ends(text: str) -> list[str]:
    """Answers that a text can become which breaks off: what is begun is left out or, where it has a value, ended."""
    between = text.rstrip().removesuffix(",")
    without = text[: text.rindex(",")] if "," in text else text
    ended = [text, f"{between}}}", f"{without}}}", f'{text}"}}']
    return ended + [f'{text[: len(text) - cut]}{move}"}}' for move in ("forward", "left", "right") for cut in range(8)]


def becomes(text: str, plan: object, limits: ParseLimits) -> bool:
    """Whether the whole parser makes this plan of an answer that a text can become."""
    wholes = (parse(whole, finish_reason="stop", profile="waypoints", limits=limits) for whole in ends(text))
    return any(whole.outcome == "plan" and whole.waypoints == plan for whole in wholes)


TAILS = st.sampled_from(
    [
        *(
            "",
            "}",
            ",",
            "} ",
            "}}",
            "} stop",
            "} {",
            ",}",
            "]",
            "\n,",
            '}, "unit": "cm"}',
            ', "unit": "cm"}',
            ', "unit',
        ),
        *(', "action": "stop"}', ', "action": "sto', ', "action": "backward"', ', "action": "forward"'),
        *(
            ', "action": "left"}',
            ', "action": "forward", "action": "stop"',
            ', "waypoints": []}',
            ', "reached_goal": true}',
        ),
        *(', "confidence": 0.0', ', "confidence": 0', ', "confidence": 0.95, ', ', "environment": "Danger"'),
        *(', "environment": "a hall", "safe": false', ', "environment": "a hall"'),
    ]
)


@given(st.lists(STEPS, min_size=1, max_size=6) | st.just([STEP]), TAILS)
def test_an_early_plan_is_what_the_whole_parser_makes_of_it(steps: list[dict[str, float]], tail: str) -> None:
    text = f'{{"reached_goal": false, "waypoints": {json.dumps(steps)}{tail}'
    early = early_plan(text, LIMITS)
    assert early is None or becomes(text, early, LIMITS)


@given(PLANS | outside().map(json.loads), st.integers(0, 900), st.booleans())
@settings(max_examples=400)
def test_an_early_plan_is_never_more_permissive(plan: dict[str, Any], cut: int, reverse: bool) -> None:
    limits = ParseLimits(reverse=reverse)
    text = written(plan)[:cut]
    early = early_plan(text, limits)
    assert early is None or becomes(text, early, limits)


def test_an_early_plan_that_shows_an_unknown_key_starts_no_motion() -> None:
    for step in (STEP | {"unit": "cm"}, {" dx": 0.4, "dy": 0, "dtheta": 0}, STEP | {"confidence": 0.05}):
        text = answer(STEP, step)
        assert all(early_plan(text[:cut], LIMITS) is None for cut in range(len(text) + 1))
    array = answer(STEP)[: answer(STEP).index("]") + 1]
    for key in ("unit", "Action", "x", "actions", "reached_goal", "单位", "stop"):
        text = f'{array}, "{key}": "cm", "action": "forward"}}'
        assert early_plan(array, LIMITS) is not None
        assert all(early_plan(text[:cut], LIMITS) is None for cut in range(len(array) + 10 + len(key), len(text) + 1))


@pytest.mark.parametrize(
    ("rest", "starts"),
    [
        (",", True),
        (', "', True),
        (', "act', True),
        (', "uni', False),
        (', "action"', True),
        (', "action": ', True),
        (', "action": "', True),
        (', "action": "forw', True),
        (', "action": "前', True),
        (', "action": "sto', False),
        (', "action": "hold', False),
        (', "action": "back', False),
        (', "action": "rig', False),
        (', "action": ["', False),
        (', "action": "forward", "confidence": 0', False),
        (', "action": "forward", "confidence": 0.9', False),
        (', "action": "forward", "confidence": 0.9}', True),
        (', "action": "forward", "confidence": 0.05}', False),
        (', "environment": "a ha', True),
        (', "environment": "Stop at', False),
        (', "environment": "a hall", "environment": "a hall"}', False),
        (', "action": "forward"}', True),
        (', "action": "forward"} stop', False),
    ],
)
def test_an_early_plan_reads_what_is_there_already(rest: str, starts: bool) -> None:
    text = f'{{"reached_goal": false, "waypoints": [{json.dumps(STEP)}]{rest}'
    assert (early_plan(text, LIMITS) is not None) is starts
