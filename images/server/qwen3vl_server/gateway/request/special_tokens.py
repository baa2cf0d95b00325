"""Tokens that mark turns and pictures in a prompt. In a text, engines would take them for the real ones."""

import re

import orjson

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.special_tokens import SPECIAL_TOKENS

_FIND = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))
_FIND_BYTES = re.compile(_FIND.pattern.encode())


def check(text: str, where: str) -> None:
    """Refuse a text that holds one.

    Raises:
        InvalidRequest: it does.
    """
    if "<" in text and (found := _FIND.search(text)):
        raise _refusal(found[0], where)


def check_written(document: bytes) -> None:
    """Refuse JSON, as our own encoders write it, that holds one in any string or key; a NUL stands for a value.

    Raises:
        InvalidRequest: it does; `param` is the place of the first.
    """
    if b"<" in document and (found := _FIND_BYTES.search(document)):
        token = found[0].decode()
        place = _place(orjson.loads(document.replace(b"\x00", b"null")), token) or ""
        raise _refusal(token, place.removeprefix("."))


def _refusal(token: str, where: str) -> InvalidRequest:
    return InvalidRequest(
        f"{where or 'the body'} holds {token}, which only the model's template writes",
        param=where or None,
        code="special_token",
    )


def _place(value: object, token: str) -> str | None:
    """Where in the value the token is, as a path; None where it is not."""
    if isinstance(value, str):
        return "" if token in value else None
    steps: list[tuple[str, object]] = []
    if isinstance(value, dict):
        if any(token in key for key in value):
            return ""
        steps = [(f".{key}", item) for key, item in value.items()]
    elif isinstance(value, list):
        steps = [(f"[{number}]", item) for number, item in enumerate(value)]
    for step, item in steps:
        if (rest := _place(item, token)) is not None:
            return step + rest
    return None
