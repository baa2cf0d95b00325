"""Words and signs of the vocabularies that navigation models speak, and their amounts. Pure.

Each form must be the whole text: a word inside a sentence is a description, not a command."""

import math
import re
from collections.abc import Sequence

from qwen3vl_vln.parser import objections
from qwen3vl_vln.parser.bounds import MOST_WAYPOINTS, plan, straight, turn
from qwen3vl_vln.parser.names import HOLDS, STOPS
from qwen3vl_vln.parser.outcome import GOAL, HOLD, STOP, Parsed, ParseLimits, RefusedError, invalid

SMALL_STEP, SMALL_TURN = 0.25, math.radians(15)
"""Metres and radians of one arrow; and of one word, where no profile says more."""
WORD_STEP, WORD_TURN = 0.5, math.radians(30)
"""Of one word in the vocabulary of Uni-NaVid."""
SMALLEST_DEGREES = 5
_ARROWS = {"↑": "forward", "←": "left", "→": "right"}
_WORDS = {
    **{name: name for name in ("forward", "left", "right")},
    **{"move_forward": "forward", "turn_left": "left", "turn_right": "right", "go_forward": "forward"},
    **{"前进": "forward", "左转": "left", "右转": "right", "向前": "forward"},
}
"""Each is a step in a row of words."""
_GOAL_SENTENCES = {
    "i think i should stop because i have finished the instruction",
    "i should stop because i have finished the instruction",
    "i have finished the instruction",
    "i have reached the goal",
    "the goal has been reached",
    "goal reached",
    "已到达目标",
    "任务完成",
}
"""Whole texts. A goal that is told in other words is not believed: a stop stands as well, and can be wrong."""
LONGEST_SENTENCE = 1000
"""Who writes more gives no command."""

_NEXT = r"(?:(?:the )?next action is:? (?:to )?)?"
_NUMBER = r"(\d{1,4}(?:\.\d{1,4})?)"
_FORWARD = re.compile(
    rf"{_NEXT}(?:(?:move|go|walk|drive) )?(?:forwards?|straight|ahead)(?: by)? {_NUMBER} ?"
    r"(cms?|centimet(?:er|re)s?|m|met(?:er|re)s?)[.!]?"
)
_TURN = re.compile(rf"{_NEXT}(?:(?:turn|rotate) )?(left|right)(?: by)? {_NUMBER} ?(?:degrees?|deg|°)[.!]?")
_FORWARD_ZH = re.compile(
    rf"(?:下一个动作是[:：]?)?(?:[向往]前(?:走|移动|行进|前进)?|前进|直行|直走) ?{_NUMBER} ?(米|厘米)[。.!]?"
)
_TURN_ZH = re.compile(rf"(?:下一个动作是[:：]?)?[向往]?(左|右)转 ?{_NUMBER} ?(?:度|°)[。.!]?")
_STOP_SENTENCE = re.compile(r"(?:the next action is )?stop[.!]?")

_NEGATED_STOP = re.compile(
    r"(?:\bnot\b|n't\b|\bnever\b|\bcannot\b|\bwithout\b)(?:\s+\w+){0,3}\s+(?:stop|halt)|(?:不要|不能|不|别|勿|没有|无法)停"
)
_STOP_WORD = re.compile(r"\b(?:stop|halt)\b|停")


def symbols(text: str, limits: ParseLimits) -> Parsed | None:
    """A row of arrows; None for another text. `↓` asks to look down, which is no motion."""
    signs = text.replace(" ", "").replace("\n", "")
    if not signs or not set(signs) <= {*_ARROWS, "↓"}:
        return None
    if set(signs) == {"↓"}:
        return Parsed(HOLD, "look_down")
    if "↓" in signs:
        return invalid("mixed_symbols")
    return _steps([_ARROWS[sign] for sign in signs], limits, "symbols")


def words(text: str, limits: ParseLimits, *, large_steps: bool) -> Parsed | None:
    """A row of action words, or one sentence with an amount; None for another text.

    Args:
        large_steps: each word of a row is a step of Uni-NaVid, not of the smaller arrows.
    """
    named = re.split(r"[\s,，]+", text.strip(" .。"))
    if len(named) == 1 and named[0] in HOLDS:
        return Parsed(HOLD, "hold_word", action="hold")
    if all(name in _WORDS or name in STOPS for name in named):
        return _row(named, limits, large_steps=large_steps)
    if _STOP_SENTENCE.fullmatch(text):
        return Parsed(GOAL, "stop_word", action="stop")
    for pattern, centimetres in ((_FORWARD, "c"), (_FORWARD_ZH, "厘")):
        if found := pattern.fullmatch(text):
            metres = float(found[1]) * (0.01 if found[2].startswith(centimetres) else 1.0)
            return straight(metres, limits, reason="sentence")
    for pattern in (_TURN, _TURN_ZH):
        if found := pattern.fullmatch(text):
            sign = 1.0 if found[1] in ("left", "左") else -1.0
            return turn(sign * math.radians(float(found[2])), limits, reason="sentence")
    return None


def is_command(text: str) -> bool:
    """Whether a text in plain spelling is a command of the vocabularies, in whatever amount."""
    limits = ParseLimits()
    try:
        return (symbols(text, limits) or words(text, limits, large_steps=False)) is not None
    except RefusedError:
        return True


def prose(text: str, *, goals: bool) -> Parsed:
    """What is left: sentences. They never move a robot; at most they stop it.

    Args:
        goals: whether such a text may claim the goal.
    """
    if _NEGATED_STOP.search(text):
        return invalid("negated")
    if text.strip(" .!。！") in _GOAL_SENTENCES:
        return Parsed(GOAL if goals else STOP, "said_to_be_done", action="stop")
    negated, reached = objections.denies(text), objections.tells_of_a_goal(text)
    if _STOP_WORD.search(text):
        return Parsed(STOP, "stop_word", action="stop")
    if negated and reached:
        return Parsed(HOLD, "not_reached")
    return invalid("prose")


def _row(named: Sequence[str], limits: ParseLimits, *, large_steps: bool) -> Parsed:
    steps = []
    for name in named:
        if name in STOPS:
            break
        steps.append(_WORDS[name])
    rest = named[len(steps) :]
    if any(name not in STOPS for name in rest):
        return Parsed(STOP, "stop_before_motion", action="stop")
    if not steps:
        return Parsed(GOAL, "stop_word", action="stop")
    return _steps(steps, limits, "words", large=large_steps)


def _steps(named: Sequence[str], limits: ParseLimits, reason: str, *, large: bool = False) -> Parsed:
    metres, radians = (WORD_STEP, WORD_TURN) if large else (SMALL_STEP, SMALL_TURN)
    moves = {"forward": (metres, 0.0, 0.0), "left": (0.0, 0.0, radians), "right": (0.0, 0.0, -radians)}
    return plan([moves[name] for name in named], limits, reason=reason)


def amount(name: str, value: object, limits: ParseLimits) -> Parsed:
    """`forward` by metres, or a turn by degrees.

    Raises:
        RefusedError: no amount, one that is too large, or a turn in a unit that is not clear.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError("amount_missing")
    if name == "forward":
        return straight(float(value), limits, reason="action")
    # Less than five degrees would be radians: which of the two is meant cannot be told.
    if not SMALLEST_DEGREES <= value <= 180:
        raise RefusedError("unclear_unit")
    sign = 1.0 if name == "left" else -1.0
    return turn(sign * math.radians(value), limits, reason="action")


def arrows(sign: str, count: object, limits: ParseLimits) -> Parsed:
    """One arrow a number of times.

    Raises:
        RefusedError: another sign, or no sensible number.
    """
    if sign not in _ARROWS or isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_WAYPOINTS:
        raise RefusedError("unknown_step")
    return _steps([_ARROWS[sign]] * count, limits, "symbols")
