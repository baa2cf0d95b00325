"""What a model's text means. A table of forms, and properties that hold for any text."""

import io
import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.figures import Figures
from tests.support.processes import ENVIRONMENT

from qwen3vl_vln.parser import ParseLimits, parse

from .answers import BACK, STEP, answer

MOVES = [
    (answer(STEP), [(0.4, 0.0, 0.1)]),
    (f"```json\n{answer(STEP)}\n```", [(0.4, 0.0, 0.1)]),
    (f"Here is the plan: {answer(STEP)}", [(0.4, 0.0, 0.1)]),
    (f"<think>A wall {{to the}} left.</think>{answer(STEP)}", [(0.4, 0.0, 0.1)]),
    (f"{answer(STEP)}<|im_end|>", [(0.4, 0.0, 0.1)]),
    ('{"waypoints": [{"dx": 0.4, "dy": 0, "dtheta": 0.1},],}', [(0.4, 0.0, 0.1)]),
    (answer(STEP, reached_goal="false"), [(0.4, 0.0, 0.1)]),
    (answer({"dx": 1.4, "dy": -0.7, "dtheta": 1.1}), [(1.0, -0.5, 0.8)]),
    (answer(*[STEP] * 8), [(0.4, 0.0, 0.1)] * 5),
    (json.dumps([STEP, STEP]), [(0.4, 0.0, 0.1)] * 2),
    (answer({"dx": -0.005, "dy": 0, "dtheta": 0.5}, action="left"), [(0.0, 0.0, 0.5)]),
]


@pytest.mark.parametrize(("text", "expected"), MOVES)
def test_json_that_moves(text: str, expected: list[tuple[float, float, float]]) -> None:
    for profile in (None, "waypoints", "actions"):
        parsed = parse(text, finish_reason="stop", profile=profile)
        assert parsed.outcome == "plan", parsed
        assert [(point.dx, point.dy, point.dtheta) for point in parsed.waypoints] == expected


def test_clamping_is_flagged() -> None:
    assert parse(answer({"dx": 1.2, "dy": 0, "dtheta": 0}), finish_reason="stop").clamped
    assert parse(answer(*[STEP] * 6), finish_reason="stop").clamped
    assert not parse(answer(STEP), finish_reason="stop").clamped


STANDS = [
    (answer(STEP, reached_goal=True), "goal"),
    (answer(reached_goal=True), "goal"),
    (answer(STEP, reached_goal="true"), "hold"),
    (answer(STEP, reached_goal=1), "hold"),
    (answer(STEP, reached_goal=None), "hold"),
    (answer(STEP, action="stop"), "stop"),
    (answer(STEP, action="停止"), "stop"),
    (answer(STEP, action="hold"), "hold"),
    (answer(), "hold"),
    (answer({"dx": 0, "dy": 0, "dtheta": 0}), "hold"),
    (answer(BACK), "invalid"),
    (answer(STEP, BACK), "invalid"),
    (answer({"dx": 101, "dy": 0, "dtheta": 0}), "invalid"),
    (answer({"dx": "0.4", "dy": 0, "dtheta": 0}), "invalid"),
    (answer({"dx": True, "dy": 0, "dtheta": 0}), "invalid"),
    (answer({"dx": 0.4}), "invalid"),
    (answer("forward"), "invalid"),
    ('{"waypoints": [{"dx": 1e999, "dy": 0, "dtheta": 0}]}', "invalid"),
    ('{"waypoints": [{"dx": Infinity, "dy": 0, "dtheta": 0}]}', "invalid"),
    ('{"waypoints": [{"dx": 0.1, "dx": 0.9, "dy": 0, "dtheta": 0}]}', "invalid"),
    ('{"waypoints": "forward"}', "invalid"),
    (f"{answer(STEP)}\n{answer(BACK)}", "invalid"),
    (f"Stop! {answer(STEP)}", "invalid"),
    (f"{answer(STEP)} but do not move", "invalid"),
    (f"<think>hmm {answer(STEP)}", "invalid"),
    (answer(STEP)[:-3], "invalid"),
    ("Do not move forward.", "invalid"),
    ("Don't turn left.", "invalid"),
    ("不要前进", "invalid"),
    ("I cannot help with that.", "invalid"),
    ("Sorry, I can't stop here.", "invalid"),
    ("The robot should stop.", "stop"),
    ("Please stop: a child is in front of you.", "stop"),
    ("前面有人，停", "stop"),
    ("There is a door on the left and a way forward.", "invalid"),
    ("任务未完成", "hold"),
    ("The goal has not been reached.", "hold"),
    ("def forward(x): return x", "invalid"),
    ("<b>forward</b>", "invalid"),
    ("🙂🙂🙂", "invalid"),
    ("   \n\t ", "invalid"),
    ("null", "invalid"),
    ("0.5", "invalid"),
    ("[]", "invalid"),
    ("{}", "invalid"),
]


STANDS_TOO = [
    *[
        (f"{before}{answer(STEP)}{after}", "invalid")
        for before, after in [
            ("For example: ", ""),
            ("If the path were clear I would answer ", ""),
            ("The previous answer was ", ""),
            ("robot.execute(", ")"),
            ("<pre>", "</pre>"),
            ("plan = ", ""),
            ("```python\nplan = ", "\n```"),
            ("Dangerous! ", ""),
            ("", " Wait for the person."),
            ("", "\nThe goal has been reached."),
            ("", "\nSTOP"),
            ("请勿执行 ", ""),
            ("小心，", ""),
        ]
    ],
    (f'"waypoints": {json.dumps([STEP])}', "invalid"),
    (f"The goal is not reached. {answer(reached_goal=True)}", "hold"),
    (answer(*[STEP] * 5, {"dx": 1e5, "dy": 0, "dtheta": 0}), "invalid"),
    (answer(*[STEP] * 5, BACK), "invalid"),
    (answer(*[STEP] * 65), "invalid"),
    (answer(STEP, goal_reached=True), "invalid"),
    (answer(STEP, Reached_Goal=True), "invalid"),
    (answer(STEP, stop=True), "invalid"),
    (answer(STEP, action="do not move"), "hold"),
    (answer(STEP, action="emergency_stop"), "hold"),
    (answer(STEP, action="不要前进"), "hold"),
    (answer(STEP, action=["stop"]), "hold"),
    (answer({"dx": 0, "dy": 0, "dtheta": 0.5}, action="right"), "hold"),
    ('{"action": "forward", "amount": 50, "unit": "cm"}', "invalid"),
    ('[{"task": "move", "action": "↑", "number": 2}, {"task": "stop"}]', "invalid"),
    ("Stop! The robot has reached a staircase.", "stop"),
    ("Move forward 25 cm? No.", "invalid"),
    ("The next action is not move forward 75 cm", "invalid"),
    ("turn left 30 degree then move forward 25 cm", "invalid"),
    (str([STEP]), "invalid"),
    ("walk " * 300, "invalid"),
]


@pytest.mark.parametrize(("text", "outcome"), [*STANDS, *STANDS_TOO])
def test_what_does_not_move(text: str, outcome: str) -> None:
    parsed = parse(text, finish_reason="stop", profile="waypoints")
    assert parsed.outcome == outcome, parsed
    assert parsed.waypoints == () and parsed.reason
    assert parse(text, finish_reason="stop").outcome != "plan"


VOCABULARY = [
    ("↑↑←", "plan", [(0.25, 0.0), (0.25, 0.0), (0.0, math.radians(15))]),
    ("forward left", "plan", [(0.5, 0.0), (0.0, math.radians(30))]),
    ("forward forward stop stop", "plan", [(0.5, 0.0), (0.5, 0.0)]),
    ("The next action is move forward 50 cm.", "plan", [(0.5, 0.0)]),
    ("turn right 30 degrees", "plan", [(0.0, -math.radians(30))]),
    ("前进0.5米", "plan", [(0.5, 0.0)]),
    ("左转30度", "plan", [(0.0, math.radians(30))]),
    ("Ｆｏｒｗａｒｄ", "plan", [(0.5, 0.0)]),
    ("向前 50 厘米", "plan", [(0.5, 0.0)]),
    ("右转 45 度。", "plan", [(0.0, -math.radians(45))]),
    ("wait", "hold", []),
    ("等待", "hold", []),
    ("停止", "goal", []),
    ('{"action": "left", "amount": 30}', "plan", [(0.0, math.radians(30))]),
    ('{"action": "left", "amount": 0.5}', "invalid", []),
    ('{"action": "forward"}', "invalid", []),
    ("stop forward", "stop", []),
    ("STOP", "goal", []),
    ("stop stop", "goal", []),
    ("move forward", "invalid", []),
    ("move forward 5000000 cm", "invalid", []),
    ("↑↓", "invalid", []),
    ("↓", "hold", []),
    ("forward, do not", "invalid", []),
    ("not forward", "invalid", []),
]


@pytest.mark.parametrize(("text", "outcome", "steps"), VOCABULARY)
def test_the_vocabularies(text: str, outcome: str, steps: list[tuple[float, float]]) -> None:
    parsed = parse(text, finish_reason="stop", profile="actions")
    assert parsed.outcome == outcome, parsed
    assert [(p.dx, p.dtheta) for p in parsed.waypoints] == [pytest.approx(step) for step in steps]
    assert parse(text, finish_reason="stop", profile="waypoints").outcome != "plan"


def test_without_a_profile_a_word_is_the_smaller_step() -> None:
    steps = parse("forward left", finish_reason="stop").waypoints
    assert [(p.dx, p.dtheta) for p in steps] == [(0.25, 0.0), (0.0, pytest.approx(math.radians(15)))]


def test_a_bare_stop_claims_no_goal_where_json_was_asked_for() -> None:
    assert parse("STOP", finish_reason="stop", profile="waypoints").outcome == "stop"


def test_driving_backwards_needs_permission() -> None:
    allowed = ParseLimits(reverse=True)
    assert parse(answer(BACK), finish_reason="stop", limits=allowed).waypoints[0].dx == -0.4


@pytest.mark.parametrize("value", [("80%", 0.8), (0.3, 0.3), ("much", None), (7, None), (True, None), (None, None)])
def test_progress(value: tuple[object, float | None]) -> None:
    given_value, expected = value
    assert parse(answer(STEP, progress=given_value), finish_reason="stop").progress == pytest.approx(expected)


def words_of_models() -> st.SearchStrategy[str]:
    pieces = ["{", "}", "[", "]", '"', "'", ",", ":", "NaN", "1e999", '"dx"', '"waypoints"', "0.5", "true", "forward"]
    pieces += ["←", "stop", "not ", "```json", "<think>", "</think>", "\\", "\ud800", "前进", " ", "\n", '"action"']
    return st.lists(st.sampled_from(pieces), max_size=60).map("".join)


@given(st.one_of(st.text(max_size=300), words_of_models()), st.sampled_from([None, "waypoints", "actions"]))
@example("\ud800", None)
@example("[" * 100_000, "waypoints")
@example('{"a":' * 5_000, None)
def test_never_an_exception_and_only_bounded_forward_plans(text: str, profile: str | None) -> None:
    parsed = parse(text, finish_reason="stop", profile=profile)
    assert parsed.outcome in ("plan", "pixel_goal", "goal", "stop", "hold", "invalid")
    assert bool(parsed.waypoints) == (parsed.outcome == "plan")
    for point in parsed.waypoints:
        assert 0 <= point.dx <= 1.0 and abs(point.dy) <= 0.5 and abs(point.dtheta) <= 0.8


@given(st.integers(0, len(answer(STEP, STEP)) - 1), st.sampled_from(["length", "stop", None]))
def test_a_cut_answer_never_moves(at: int, finish_reason: str | None) -> None:
    assert parse(answer(STEP, STEP)[:at], finish_reason=finish_reason, profile="waypoints").outcome != "plan"


PIECES = [
    "",
    "{",
    "}",
    "[",
    "]",
    '"',
    ",",
    ":",
    "-",
    "e9",
    "0",
    "NaN",
    "true",
    "null",
    " stop ",
    " not ",
    "```",
    "\\",
    "不",
]


@given(
    st.sampled_from(
        [answer(STEP, STEP), json.dumps([STEP]), f"Here it is: {answer(STEP)}", f"```json\n{answer(STEP)}\n```"]
    ),
    st.lists(st.tuples(st.integers(0, 140), st.integers(0, 12), st.sampled_from(PIECES)), min_size=1, max_size=3),
)
@settings(max_examples=500)
def test_damaged_answers_move_only_by_a_plan_that_is_still_there(
    text: str, damages: list[tuple[int, int, str]]
) -> None:
    for at, length, piece in damages:
        text = text[:at] + piece + text[at + length :]
    parsed = parse(text, finish_reason="stop", profile="waypoints")
    if parsed.outcome != "plan":
        return
    first = min(at for at in (text.find("{"), text.find("[")) if at >= 0)
    last = max(text.rfind("}"), text.rfind("]"))
    value = json.loads(re.sub(r",(?=\s*[]}])", "", text[first : last + 1]))
    whole = value if isinstance(value, dict) else {"waypoints": value}
    assert whole.get("reached_goal", False) is False and whole.get("action") != "stop"
    for point in whole["waypoints"]:
        for axis in ("dx", "dy", "dtheta"):
            assert type(point[axis]) in (int, float) and abs(point[axis]) <= 1.5
    around = text[:first] + text[last + 1 :]
    assert not re.search(r"\b(?:stop|not)\b|不", around)


@pytest.mark.parametrize("finish_reason", ["length", "content_filter", "abort", "error", "tool_calls", ""])
def test_nothing_follows_from_what_did_not_end_by_itself(finish_reason: str) -> None:
    assert parse(answer(STEP), finish_reason=finish_reason).outcome == "invalid"


def test_a_profile_that_is_not_known_moves_by_json_alone() -> None:
    assert parse("forward", finish_reason="stop", profile="dances").outcome == "invalid"
    assert parse(answer(STEP), finish_reason="stop", profile="dances").outcome == "plan"


def test_notes_can_be_sent_on() -> None:
    parsed = parse(answer(STEP, environment="\ud800 hall", action="\ud800"), finish_reason="stop")
    assert (parsed.environment, parsed.action) == ("? hall", "?")


@given(st.text(max_size=200))
def test_whatever_was_cut_off_by_its_length_is_invalid(text: str) -> None:
    assert parse(text, finish_reason="length").outcome == "invalid"


@given(st.lists(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 3), max_size=8))
def test_numbers_of_any_size(points: list[tuple[float, float, float]]) -> None:
    steps = [dict(zip(("dx", "dy", "dtheta"), point, strict=True)) for point in points]
    parsed = parse(json.dumps({"reached_goal": False, "waypoints": steps}), finish_reason="stop")
    for point in parsed.waypoints:
        assert math.isfinite(point.dx + point.dy + point.dtheta)
    if any(not math.isfinite(n) or abs(n) > 1.5 for point in points for n in point):
        assert parsed.outcome == "invalid"


WORST = {
    "quotes": '"\\' * 4096,
    "quotes in JSON": "{" + '"\\' * 4090,
    "open strings": "{" + '"a\\' * 2700,
    "a comma, then quotes": '{"a":' + ", " * 2000 + '"\\' * 2000,
    "many waypoints": json.dumps([STEP] * 200),
    "letters that grow": "\ufdfa" * 2700,
    "fences": "`" * 8192,
    "open brackets": "[" * 8192,
    "braces in a string": '{"a": "' + "{" * 8180,
    "commas": "[" + "," * 8190,
    "spaces after commas": "[" + ", " * 4090,
    "arrows": "←" * 8192,
    "words": "forward " * 1024,
    "digits": "[" + "9" * 8190 + "]",
    "negations": "not not " * 1024,
    "sentences in a note": answer(STEP, environment="a." * 4000),
    "negations in a note": answer(STEP, environment="not to be " * 800),
    "an action of spaces": answer(STEP, action=" " * 8000),
    "a real answer with spaces": answer(STEP) + " " * 8000,
}


def test_eight_kibibytes_are_quick(figure: Figures) -> None:
    slowest = 0.0
    for text in WORST.values():
        began = time.perf_counter()
        parse(text, finish_reason="stop")
        slowest = max(slowest, time.perf_counter() - began)
    figure("parser: slowest of 8 KiB", slowest * 1000, "ms", 2.0)
    assert slowest < 0.2


def test_the_filter(tmp_path: Path) -> None:
    lines = [{"text": answer(STEP), "finish_reason": "stop"}, {"text": answer(BACK), "finish_reason": "stop"}]
    given_lines = "\n".join([*map(json.dumps, lines), "rubbish", '{"no": "text"}', "", "[" * 9999])
    command = [sys.executable, "-m", "qwen3vl_vln.parse", "--profile", "waypoints"]
    done = subprocess.run(command, input=given_lines, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    shown = [json.loads(line) for line in io.StringIO(done.stdout)]
    assert [each["outcome"] for each in shown] == ["plan", *["invalid"] * 5]
    assert shown[0]["waypoints"] == [STEP] and all(each["reason"] for each in shown)
    backwards = subprocess.run(
        [*command, "--reverse"], input=given_lines, capture_output=True, text=True, env=ENVIRONMENT
    )
    assert json.loads(backwards.stdout.splitlines()[1])["outcome"] == "plan"


SHARED = os.environ.get("QWEN3VL_SHARED_DATA")


needs_texts = pytest.mark.skipif(not SHARED, reason="QWEN3VL_SHARED_DATA names no folder with texts of models")


@needs_texts
def test_real_models() -> None:
    for line in Path(str(SHARED), "parser_cases.jsonl").read_text().splitlines():
        case = json.loads(line)
        outcome = parse(case["text"], finish_reason=case["finish_reason"]).outcome
        assert outcome in case["allow"], case["id"]
        strict = parse(case["text"], finish_reason=case["finish_reason"], profile="waypoints").outcome
        assert strict != "plan" or "plan" in case["allow"], case["id"]


@needs_texts
def test_texts_that_were_thought_up() -> None:
    for line in Path(str(SHARED), "parser_cases_2.jsonl").read_text().splitlines():
        case = json.loads(line)
        outcome = parse(case["text"], finish_reason=case["finish_reason"], profile=case["profile"]).outcome
        assert outcome in case["allow"], case["id"]
