"""msgspec's decoders with errors that a client understands: which place, what was there, what would be right."""

import re
from typing import Any, Protocol

import msgspec
import orjson
from msgspec import Raw

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_server.gateway.request.limits import MAX_DEPTH

_UNKNOWN = "Object contains unknown field `"
_EXPECTED = re.compile(r"Expected `([^`]+)`(?:, got `([^`]+)`)?(.*)", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_NO_CHOICE = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "an object",
    "str": "a string",
}
_BRACES = bytes.maketrans(b"{}", b"[]")
_NOT_BRACES = bytes(set(range(256)) - set(b"[]{}"))
_WHOLE = re.compile(rb"(-?\d{1,19})\.0+")
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
LONGEST_QUOTE = 100


class Decoder(Protocol):
    """What makes a value of JSON, or raises msgspec's errors."""

    def decode(self, content: bytes | bytearray | memoryview, /) -> Any: ...


class WholeNumber:
    """A decoder of a whole number: clients whose language knows floats alone write 5 as `5.0`.

    Args:
        kind: an `int`, perhaps with bounds.
    """

    def __init__(self, kind: Any) -> None:
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, content: bytes | bytearray | memoryview, /) -> Any:
        try:
            return self._decoder.decode(content)
        except msgspec.ValidationError:
            whole = _WHOLE.fullmatch(content)
            if whole is None:
                raise
            return self._decoder.decode(whole[1])


def decode(decoder: Decoder, content: bytes | bytearray | memoryview, where: str = "") -> Any:
    """What the decoder makes of the content.

    Args:
        where: the place of the content in the request, for errors.

    Raises:
        InvalidRequest: `invalid_json`, `unknown_field`, or `invalid_request` for a value of another type or size.
    """
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), where) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(_no_json(str(error), content), param=where or None, code="invalid_json") from None
    except RecursionError:
        raise _too_deep(where) from None


def _no_json(said: str, content: bytes | bytearray | memoryview) -> str:
    if said == "Input data was truncated" and b"\\u" in bytes(content):
        return "the body is not JSON: it is cut off, or a string has half of a surrogate pair"
    return f"the body is not JSON: {said}"


def _too_deep(where: str) -> InvalidRequest:
    return InvalidRequest("the body is nested too deeply", param=where or None, code="invalid_json")


def _invalid(text: str, where: str) -> InvalidRequest:
    said, at, place = text.rpartition(" - at `")
    if at:
        text, where = said, where + place.rstrip("`").rpartition("$")[2]
    where = where.removeprefix(".")
    if text.startswith(_UNKNOWN):
        name = text[len(_UNKNOWN) : len(_UNKNOWN) + LONGEST_QUOTE].rstrip("`")
        param = f"{where}.{name}" if where else name
        return InvalidRequest(
            f"there is no field {param}; docs/api.md lists those there are", param=param, code="unknown_field"
        )
    return InvalidRequest(
        _said(text[:LONGEST_QUOTE], where or "the body"), param=where or None, code=_code(text, where)
    )


def _said(text: str, where: str) -> str:
    """msgspec's sentence in the words of JSON."""
    if expected := _EXPECTED.match(text):
        right = " or ".join(_WORDS.get(word, word) for word in expected[1].split(" | "))
        got = f", not {_WORDS.get(expected[2], expected[2])}" if expected[2] else expected[3]
        return f"{where} is {right}{got}"
    if missing := _MISSING.match(text):
        return f"{where} lacks its field {missing[1]}"
    if wrong := _NO_CHOICE.match(text):
        return f"{where} cannot be {wrong[1]}"
    return f"{where}: {text[:1].lower()}{text[1:]}"


def _code(text: str, where: str) -> str:
    # A number that no number type can hold, or a body that is no object: nothing that a field could be.
    return "invalid_json" if not where or text == "Number out of range" else "invalid_request"


def free_form(raw: Raw, where: str) -> Raw:
    """A JSON object whose keys are the client's own: written anew, so that each key is there once.

    Raises:
        InvalidRequest: not JSON, not an object, or more than `MAX_DEPTH` levels.
    """
    content = bytes(raw)
    if _deep(content):
        raise InvalidRequest(f"{where} is nested more than {MAX_DEPTH} levels deep", param=where)
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"{where} is not JSON: {error.msg}", param=where, code="invalid_json") from None
    if not isinstance(value, dict):
        raise InvalidRequest(f"{where} is a JSON object", param=where)
    return Raw(orjson.dumps(value))


def _deep(content: bytes) -> bool:
    if content.count(b"[") + content.count(b"{") <= MAX_DEPTH:
        return False
    braces = _STRINGS.sub(b"", content).translate(_BRACES, _NOT_BRACES)
    for _ in range(MAX_DEPTH):
        braces = braces.replace(b"[]", b"")  # takes away the innermost level
    return bool(braces)
