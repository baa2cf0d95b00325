"""What a message may look like: the fields of OpenAI's request, those that its libraries return, nothing else.

A field that is only there to be dropped or refused stays `Raw`: text that becomes no object.
"""

from msgspec import UNSET, Raw, Struct, UnsetType

Skipped = Raw | UnsetType


class ImageUrl(Struct, forbid_unknown_fields=True):
    """`detail` changes nothing for Qwen3-VL and is dropped."""

    url: str
    detail: str | None = None


OTHER_MEDIA = 9
"""How many of a part's fields, the last, are of other media than texts and pictures."""


class Part(Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of a content. Engines go by its keys too: those of other media are known, to be refused."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    cache_control: Skipped = UNSET
    prompt_cache_breakpoint: Skipped = UNSET
    audio: Skipped = UNSET
    audio_url: Skipped = UNSET
    file: Skipped = UNSET
    image: Skipped = UNSET
    input_audio: Skipped = UNSET
    input_image: Skipped = UNSET
    detail: Skipped = UNSET
    video: Skipped = UNSET
    video_url: Skipped = UNSET


class CalledFunction(Struct, forbid_unknown_fields=True):
    """What the model wanted to call; `arguments` is JSON as a string, as the model wrote it."""

    name: str
    arguments: str
    parsed_arguments: Skipped = UNSET
    provider_specific_fields: Skipped = UNSET


class ToolCall(Struct, forbid_unknown_fields=True, kw_only=True):
    """A call in an assistant's message; `index` stands in a stream's pieces, which clients put together."""

    function: CalledFunction
    id: str | None = None
    type: str = "function"
    index: int | None = None
    provider_specific_fields: Skipped = UNSET


class Message(Struct, forbid_unknown_fields=True, kw_only=True):
    """A message as clients send it. `provider_specific_fields` stands in answers as LiteLLM's library gives them."""

    role: str
    content: str | list[Part] | UnsetType | None = UNSET
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    annotations: Skipped = UNSET
    parsed: Skipped = UNSET
    gen_tokens: Skipped = UNSET
    provider_specific_fields: Skipped = UNSET
    audio: Skipped = UNSET
    function_call: Skipped = UNSET


class TextPart(Struct, tag_field="type", tag="text"):
    """A text for the engine."""

    text: str


class Url(Struct):
    """A canonical URL, or the mark of its place."""

    url: Raw


class ImagePart(Struct, tag_field="type", tag="image_url"):
    """A picture for the engine."""

    image_url: Url


class EngineFunction(Struct):
    """A called function for the engine."""

    name: str
    arguments: str


class EngineToolCall(Struct, omit_defaults=True):
    """A call for the engine."""

    type: str
    function: EngineFunction
    id: str | None = None


class EngineMessage(Struct, omit_defaults=True):
    """A message as every engine understands it."""

    role: str
    content: str | list[TextPart | ImagePart] | None
    name: str | None = None
    tool_calls: list[EngineToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
