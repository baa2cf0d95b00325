"""Values of a request's fields: their types with bounds, and what is written of them for an engine."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_server.gateway.request.decoding import free_form
from qwen3vl_server.gateway.request.limits import MAX_TOOLS

INT64 = 1 << 63
INT32_MAX = (1 << 31) - 1
LONGEST_NAME = 256

Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
TopP = Annotated[float, Meta(gt=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
RepetitionPenalty = Annotated[float, Meta(gt=0, le=2)]
Choices = Annotated[int, Meta(ge=1, le=8)]
TopLogprobs = Annotated[int, Meta(ge=0, le=20)]
TopK = Annotated[int, Meta(ge=-1, le=1_000_000)]
Tokens = Annotated[int, Meta(ge=1, le=INT32_MAX)]
Seed = Annotated[int, Meta(ge=-INT64, le=INT64 - 1)]
TokenIds = Annotated[list[Annotated[int, Meta(ge=0, le=INT32_MAX)]], Meta(max_length=64)]
Biases = Annotated[
    dict[Annotated[str, Meta(pattern=r"\A[0-9]{1,9}\Z")], Annotated[float, Meta(ge=-100, le=100)]],
    Meta(max_length=1_024),
]
Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class StreamOptions(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Obfuscation of chunk lengths is the provider's; `include_usage` is handed on."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class TemplateOptions(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The one option of the chat template that a client may choose."""

    enable_thinking: bool | None = None


class JsonSchema(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A schema with its name; `schema` is free."""

    name: Name
    schema: Raw
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Function(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A function that the model may call; `parameters` is a JSON schema, free."""

    name: Name
    description: str | None = None
    parameters: Raw | UnsetType = UNSET
    strict: bool | None = None


class Tool(Struct, forbid_unknown_fields=True):
    """A tool; the engines know functions alone."""

    type: Literal["function"]
    function: Function


class NamedFunction(Struct, forbid_unknown_fields=True):
    """A function by its name."""

    name: Name


class NamedTool(Struct, forbid_unknown_fields=True):
    """The one tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


Tools = Annotated[list[Tool], Meta(max_length=MAX_TOOLS)]
ToolChoice = Literal["none", "auto", "required"] | NamedTool


def is_null(raw: Raw | UnsetType) -> bool:
    """Whether a field is absent, or says nothing."""
    return isinstance(raw, UnsetType) or bytes(memoryview(raw)[:5]) == b"null"


def tidy(value: object, where: str) -> object:
    """The value as it is written for an engine: each free part anew. None: it says nothing.

    Raises:
        InvalidRequest: a free part is no JSON object or too deep, or a format has no schema.
    """
    match value:
        case [] | "":
            return None
        case dict() if not value:
            return None
        case list() if isinstance(value[0], Tool):
            for number, tool in enumerate(value):
                _tidy_function(tool.function, f"{where}[{number}].function")
        case ResponseFormat(type="json_schema", json_schema=schema):
            if schema is None:
                raise InvalidRequest(f"{where}.json_schema is missing", param=f"{where}.json_schema")
            schema.schema = free_form(schema.schema, f"{where}.json_schema.schema")
        case ResponseFormat():
            value.json_schema = None
        case StreamOptions():
            return StreamOptions(include_usage=True) if value.include_usage else None
        case TemplateOptions(enable_thinking=None):
            return None
    return value


def _tidy_function(function: Function, where: str) -> None:
    if is_null(function.parameters):
        function.parameters = UNSET
    elif isinstance(function.parameters, Raw):
        function.parameters = free_form(function.parameters, f"{where}.parameters")
