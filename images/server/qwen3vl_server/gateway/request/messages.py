"""Messages: from what clients send to what every engine understands in the same way."""

import json

from msgspec import UNSET
from msgspec.structs import astuple

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_server.gateway.request import special_tokens
from qwen3vl_server.gateway.request.limits import MAX_FIELD_BYTES, MAX_MESSAGES, MAX_PARTS
from qwen3vl_server.gateway.request.pictures import PLACE, Pictures
from qwen3vl_server.gateway.request.shapes import (
    OTHER_MEDIA,
    EngineFunction,
    EngineMessage,
    EngineToolCall,
    ImagePart,
    ImageUrl,
    Message,
    Part,
    TextPart,
    ToolCall,
    Url,
)
from qwen3vl_server.gateway.request.values import is_null

ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system", "tool": "tool"}
"""What a client may write, and what the engine is told: the model's template knows no developer."""
_NO_OTHER_MEDIUM = (UNSET,) * OTHER_MEDIA
_INSTEAD = {
    "input_text": 'a text is {"type": "text", "text": ...}; input_text is of another API',
    "input_image": 'a picture is {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,..."}}; '
    "input_image is of another API",
    "image": 'a picture is {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,..."}}',
    "video_url": "videos are not accepted: send some of its pictures as image_url parts",
    "video": "videos are not accepted: send some of its pictures as image_url parts",
    "input_audio": "the model hears nothing: send text or pictures",
    "audio_url": "the model hears nothing: send text or pictures",
    "audio": "the model hears nothing: send text or pictures",
    "file": "files are not accepted: send their text, or their pages as image_url parts",
}
_URL = Url(PLACE)


async def engine_messages(messages: list[Message], pictures: Pictures) -> list[EngineMessage]:
    """The messages as they are written for an engine; their pictures are added to `pictures`.

    Raises:
        InvalidRequest: what is wrong and where.
    """
    if not messages:
        raise InvalidRequest("messages is a list of at least one message", param="messages")
    if len(messages) > MAX_MESSAGES:
        raise InvalidRequest(
            f"the request has {len(messages)} messages; {MAX_MESSAGES} are accepted",
            param="messages",
            code="too_many_values",
        )
    written, parts = [], 0
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        role = ROLES.get(message.role)
        if role is None:
            raise InvalidRequest(_no_role(message.role), param=f"{where}.role")
        if message.audio is not UNSET or message.function_call is not UNSET:
            _check_nothing_else(message, where)
        content = message.content
        parts += len(content) if isinstance(content, list) else 0
        parts += len(message.tool_calls or ())
        if parts > MAX_PARTS:
            raise InvalidRequest(
                f"the messages have more than {MAX_PARTS} parts and tool calls", param=where, code="too_many_values"
            )
        written.append(
            EngineMessage(
                role,
                await _content(message, role, where, pictures),
                message.name,
                _calls(message.tool_calls, where, pictures) if message.tool_calls else None,
                message.tool_call_id,
                message.reasoning if message.reasoning_content is None else message.reasoning_content,
            )
        )
    return written


def _check_nothing_else(message: Message, where: str) -> None:
    for name, instead in (("audio", ""), ("function_call", "; use tool_calls")):
        if not is_null(getattr(message, name)):
            raise InvalidRequest(
                f"{where}.{name}: no engine takes it{instead}", param=f"{where}.{name}", code="unsupported_field"
            )


def _no_role(role: str) -> str:
    if role == "function":
        return "the role function is not accepted; the answer to a call has the role tool and a tool_call_id"
    return f"a role is one of {', '.join(ROLES)}"


async def _content(
    message: Message, role: str, where: str, pictures: Pictures
) -> str | list[TextPart | ImagePart] | None:
    content = message.content
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return await _parts(content, where, pictures)
    if role == "assistant":
        return message.refusal
    raise InvalidRequest("content is a string or a list of parts", param=f"{where}.content")


async def _parts(parts: list[Part], where: str, pictures: Pictures) -> list[TextPart | ImagePart]:
    if not parts:
        raise InvalidRequest("content has at least one part", param=f"{where}.content")
    written: list[TextPart | ImagePart] = []
    for number, part in enumerate(parts):
        place = f"{where}.content[{number}]"
        kind = part.type
        if kind not in ("text", "image_url", "refusal") or _has_other_medium(part, kind):
            raise InvalidRequest(
                _INSTEAD.get(kind, "a part is one of image_url, refusal, text, and nothing else beside it"),
                param=place,
                code="unsupported_content",
            )
        if kind == "image_url":
            image_url = part.image_url
            url = image_url.url if isinstance(image_url, ImageUrl) else image_url
            if url is None:
                raise InvalidRequest("a picture has a URL", param=f"{place}.image_url.url")
            await pictures.add(url, place)
            written.append(ImagePart(_URL))
        else:
            # A refusal is what the model said before.
            text = part.text if kind == "text" else part.refusal
            if text is None:
                raise InvalidRequest(f"a {kind} part has a string in its field {kind}", param=f"{place}.{kind}")
            written.append(TextPart(text))
    if not pictures.limits.special_tokens and len(written) > 1:
        # The template puts neighbouring texts together without anything between them.
        joined = "".join([part.text if isinstance(part, TextPart) else "\n" for part in written])
        special_tokens.check(joined, f"{where}.content")
    return written


def _has_other_medium(part: Part, kind: str) -> bool:
    if kind != "image_url" and part.image_url is not None:
        return True
    others = astuple(part)[-OTHER_MEDIA:]
    return others != _NO_OTHER_MEDIUM and not all(map(is_null, others))


def _calls(calls: list[ToolCall], where: str, pictures: Pictures) -> list[EngineToolCall]:
    written = []
    for number, call in enumerate(calls):
        place = f"{where}.tool_calls[{number}]"
        if call.type != "function":
            raise InvalidRequest("a tool call is a call of a function", param=place, code="unsupported_field")
        arguments = call.function.arguments
        if len(arguments) > MAX_FIELD_BYTES:
            raise InvalidRequest(
                f"arguments have at most {MAX_FIELD_BYTES} characters", param=f"{place}.function.arguments"
            )
        if not pictures.limits.special_tokens and "\\u" in arguments:
            # Engines decode them, and write what they find into the prompt.
            special_tokens.check(_decoded(arguments), f"{place}.function.arguments")
        written.append(EngineToolCall("function", EngineFunction(call.function.name, arguments), call.id))
    return written


def _decoded(arguments: str) -> str:
    """The arguments without escapes, by the most lenient parser that an engine has; empty where it takes none."""
    try:
        return json.dumps(json.loads(arguments), ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""
