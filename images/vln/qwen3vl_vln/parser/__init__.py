"""What a model's text means: strict first, repaired within bounds, then the exact vocabularies. Everything else is
`invalid`, and only `plan` ever moves a robot. Pure, linear in the length of the text, never an exception."""

import re

from qwen3vl_vln.parser import json_form, objections, words
from qwen3vl_vln.parser.early_plan import early_plan
from qwen3vl_vln.parser.extract import Found, find
from qwen3vl_vln.parser.names import plain
from qwen3vl_vln.parser.outcome import GOAL, HOLD, PLAN, Parsed, ParseLimits, RefusedError, invalid
from qwen3vl_vln.parser.preamble import is_preamble

__all__ = ["PROFILES", "ParseLimits", "Parsed", "early_plan", "parse"]

PROFILES = ("waypoints", "actions")
LONGEST_TEXT = 32_768
_SPECIAL = re.compile(r"<\|[a-z_]{1,32}\|>|</?s>")
_THOUGHT_END = "</think>"


def parse(
    text: str, *, finish_reason: str | None, profile: str | None = None, limits: ParseLimits | None = None
) -> Parsed:
    """The meaning of a model's whole answer.

    Args:
        finish_reason: why the engine stopped. Only `stop` and None (not told) mean a whole text: of one that was cut
            off (`length`), withheld or broken off nothing follows.
        profile: the form that was asked for: `actions` (JSON and the vocabularies), `waypoints` and any that is not
            known here (JSON alone moves); None takes every form, with the smallest steps.
        limits: bounds of a plan.
    """
    try:
        return _parse(text, finish_reason, profile, limits or ParseLimits())
    except RefusedError as refused:
        return invalid(str(refused))
    except RecursionError:
        return invalid("nested_too_deeply")
    except ValueError:
        # A number that Python does not convert, a lone surrogate that it does not compare: no answer.
        return invalid("unreadable")


def _parse(text: str, finish_reason: str | None, profile: str | None, limits: ParseLimits) -> Parsed:
    if finish_reason == "length":
        return invalid("truncated")
    if finish_reason not in (None, "stop"):
        return invalid("not_finished")
    if len(text) > LONGEST_TEXT:
        return invalid("too_long")
    # They end and begin a text. Taken out of its middle, they would make one word, or one key, of two.
    parts = [part.strip() for part in _SPECIAL.split(text) if part.strip()]
    if len(parts) > 1:
        return invalid("several_texts")
    text = parts[0] if parts else ""
    if "<think>" in text or _THOUGHT_END in text:
        if text.count(_THOUGHT_END) != 1 or text.count("<think>") > 1:
            return invalid("unfinished_thought")
        text = text.partition(_THOUGHT_END)[2].strip()
    if not text:
        return invalid("empty")
    waypoints_only = profile not in (None, "actions")
    found = find(text)
    if found is None:
        if len(text) > words.LONGEST_SENTENCE:
            return invalid("prose")
        return _words(plain(text), limits, profile)
    if found.after and not found.before and not waypoints_only:
        signs = words.symbols(found.after, limits)
        below = json_form.with_arrows(found.value, signs) if signs is not None else None
        if below is not None:
            return below
    parsed = json_form.read(found.value, limits, waypoints_only=waypoints_only)
    if parsed.outcome in (PLAN, GOAL) and (found.before or found.after):
        return _beside_words(parsed, found)
    return parsed


def _beside_words(parsed: Parsed, found: Found) -> Parsed:
    if len(found.before) + len(found.after) > 2 * words.LONGEST_SENTENCE:
        return invalid("prose")
    if objections.is_markup(found.before) or objections.is_markup(found.after):
        return invalid("code_or_markup")
    before, after = plain(found.before), plain(found.after)
    around = f"{before} {after}"
    if parsed.outcome == GOAL:
        return Parsed(HOLD, "words_contradict") if objections.denies(around) else parsed
    if words.is_command(before) or words.is_command(after):
        return invalid("mixed_forms")
    if objections.contradicts(around):
        return invalid("words_contradict")
    return parsed if is_preamble(around) else invalid("words_beside")


def _words(plain: str, limits: ParseLimits, profile: str | None) -> Parsed:
    waypoints_only = profile not in (None, "actions")
    if not waypoints_only:
        parsed = words.symbols(plain, limits) or words.words(plain, limits, large_steps=profile == "actions")
        if parsed is not None:
            return parsed
    return words.prose(plain, goals=not waypoints_only)
