"""The JSON in a text, and what stands around it. One pass, linear in the length; nothing is guessed.

Repaired is only what cannot change a meaning: a fence around it, and commas before a closing bracket."""

import json
import re
from dataclasses import dataclass
from typing import Any

from qwen3vl_vln.parser.outcome import RefusedError

DEEPEST = 12
LONGEST_INTEGER = 18
# Nothing is given back once it is taken, and a string may end with the text: a quote without its partner makes no
# search begin again behind it, so that the worst text takes no longer than any other.
_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_TOKENS = re.compile(_STRING + r"|[{}\[\]]", re.DOTALL)
_SPARE_COMMAS = re.compile(f"({_STRING})" + r"|,(?=\s{0,64}[}\]])", re.DOTALL)
_FENCE = re.compile(r"```(?:json\b)?", re.IGNORECASE)
_CLOSING = {"}": "{", "]": "["}


@dataclass(frozen=True)
class Found:
    """A JSON value and the words around it, without the fence that marks it as the answer."""

    value: Any
    before: str
    after: str


def find(text: str) -> Found | None:
    """The one JSON object or array in a text, None where there is none.

    Raises:
        RefusedError: several, an unfinished one, one nested too deeply, or one that is no JSON.
    """
    span = _span(text)
    if span is None:
        return None
    start, end = span
    value = _load(text[start:end])
    return Found(value, _FENCE.sub(" ", text[:start]).strip(), _FENCE.sub(" ", text[end:]).strip())


def _span(text: str) -> tuple[int, int] | None:
    first = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if first < 0:
        return None
    stack: list[str] = []
    span: tuple[int, int] | None = None
    for token in _TOKENS.finditer(text, first):
        mark = token.group()
        if mark in _CLOSING:
            if not stack or stack.pop() != _CLOSING[mark]:
                raise RefusedError("unbalanced_json")
            if not stack:
                span = (first, token.end())
        elif mark in ("{", "["):
            if span is not None:
                raise RefusedError("several_json_values")
            stack.append(mark)
            if len(stack) > DEEPEST:
                raise RefusedError("nested_too_deeply")
    if stack or span is None:
        raise RefusedError("unfinished_json")
    return span


def _load(text: str) -> Any:
    try:
        return STRICT.decode(text)
    except json.JSONDecodeError:
        pass
    repaired = _SPARE_COMMAS.sub(lambda found: found.group(1) or "", text)
    try:
        return STRICT.decode(repaired)
    except json.JSONDecodeError:
        raise RefusedError("broken_json") from None


def _constant(_: str) -> Any:
    raise RefusedError("not_finite")


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_INTEGER:
        raise RefusedError("out_of_range")
    return int(digits)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RefusedError("duplicate_keys")
    return found


STRICT = json.JSONDecoder(parse_constant=_constant, parse_int=_integer, object_pairs_hook=_pairs)
"""Takes neither what is no number nor a key twice."""
