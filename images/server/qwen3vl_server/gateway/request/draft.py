"""From a body to typed structures: everything that can be said before the model, hence the engine, is known."""

from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_server.gateway.request import fields, skeleton
from qwen3vl_server.gateway.request.decoding import decode
from qwen3vl_server.gateway.request.fields import Field
from qwen3vl_server.gateway.request.limits import MAX_QUOTES, MAX_TEXT_BYTES
from qwen3vl_server.gateway.request.shapes import Message
from qwen3vl_server.gateway.request.skeleton import Body, Run
from qwen3vl_server.gateway.request.values import is_null

CHAT_PATH = "/v1/chat/completions"
COMPLETION_PATH = "/v1/completions"


def _shape(name: str, table: dict[str, Field], **typed: Any) -> "msgspec.json.Decoder[Any]":
    """A structure with a field of raw JSON for each of the table's."""
    raw: Any = Raw | UnsetType
    described = [(field, kind | UnsetType, UNSET) for field, kind in typed.items()]
    described += [(field, raw, UNSET) for field in table]
    return msgspec.json.Decoder(msgspec.defstruct(name, described, forbid_unknown_fields=True))


_SHAPES = {
    CHAT_PATH: (
        fields.CHAT,
        _shape("ChatBody", fields.CHAT, model=str | None, messages=list[Message] | None),
    ),
    COMPLETION_PATH: (fields.COMPLETION, _shape("CompletionBody", fields.COMPLETION, model=str | None)),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A request that was read but not checked.

    Attributes:
        model: the name that it asks for; None where it has none.
        messages: of a chat, as many as there are; None for a path without messages.
        values: the other fields that say something, in the table's order.
        body: as it was sent; `runs` are the pictures' data in it.
    """

    path: str
    model: str | None
    messages: list[Message] | None
    values: list[tuple[str, Field, Raw]]
    body: Body
    runs: tuple[Run, ...]


def read(path: str, body: Body) -> Draft:
    """Read a request of one of the two paths.

    Raises:
        InvalidRequest: not JSON, too much text, an unknown field, or a wrong type in a message.
    """
    return read_skeleton(path, body, *skeleton.cut(body))


def read_skeleton(path: str, body: Body, text: Body, runs: tuple[Run, ...]) -> Draft:
    """`read`, of a body whose skeleton is `text`.

    Raises:
        InvalidRequest: as `read`.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise InvalidRequest(
            f"the request has more than {MAX_TEXT_BYTES} bytes beside its pictures; "
            "a picture is a string data:image/jpeg;base64,...",
            code="text_too_long",
        )
    _check_text(text)
    table, decoder = _SHAPES[path]
    found = decode(decoder, text)
    model = found.model
    if model == "":
        raise InvalidRequest("model is required: the name of a model, see /v1/models", param="model")
    # None is for a request without messages; one that must have some is refused when its model is known.
    messages = (found.messages or []) if path == CHAT_PATH else None
    raws = msgspec.structs.astuple(found)[-len(table) :]
    given = [
        (name, field, raw)
        for (name, field), raw in zip(table.items(), raws, strict=True)
        if raw is not UNSET and not is_null(raw)
    ]
    return Draft(path, model or None, messages, given, body, runs)


def _check_text(text: Body) -> None:
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            raise InvalidRequest(_no_utf8(text), code="invalid_json") from None
        if text[:3] == b"\xef\xbb\xbf":
            raise InvalidRequest("the body begins with a byte order mark; JSON has none", code="invalid_json")
    # An opening quote never follows a backslash, so each string counts at least once and a text's quotes never.
    if text.count(b'"') - text.count(b'\\"') > MAX_QUOTES:
        raise InvalidRequest(f"the body has more than {MAX_QUOTES // 2} strings", code="too_many_values")


def _no_utf8(text: Body) -> str:
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "the body is UTF-16; JSON is sent as UTF-8"
    return "the body is not UTF-8"
