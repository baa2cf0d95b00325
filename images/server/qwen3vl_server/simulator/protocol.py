"""The wire: which requests are understood, and how answers, stream chunks and usage look. No logic, no HTTP."""

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import BadRequestError

Json = dict[str, Any]
T = TypeVar("T", bound=BaseModel)


class _Request(BaseModel):
    # Unknown fields are ignored, as engines do; known ones must have their JSON type.
    model_config = ConfigDict(strict=True, extra="ignore")


class StreamOptions(_Request):
    include_usage: bool = False


class JsonSchema(_Request):
    name: str = "schema"
    schema_: Json = Field(alias="schema")


class ResponseFormat(_Request):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Message(_Request):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Json] | None = None


class _Generation(_Request):
    model: str
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    n: int | None = Field(default=None, ge=1, le=128)
    stop: str | list[str] | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)


class ChatRequest(_Generation):
    """Body of POST /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    response_format: ResponseFormat | None = None
    tools: list[Json] | None = None
    tool_choice: str | Json | None = None
    logprobs: bool | None = None


class CompletionRequest(_Generation):
    """Body of POST /v1/completions."""

    prompt: str | list[str]
    logprobs: int | None = None


class FaultRequest(_Request):
    """Body of POST /simulator/faults; `fault` is checked by `faults.parse`, which knows them."""

    fault: str
    seconds: float | None = Field(default=None, ge=0, le=3600)
    text: str | None = None
    count: int | None = Field(default=None, ge=1)


def parse(body: bytes, kind: type[T]) -> T:
    """A request from its bytes.

    Raises:
        BadRequestError: not JSON, not an object, a field missing or of the wrong type; `param` names the field.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(document, dict):
        raise BadRequestError("the body is not a JSON object")
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        param = ".".join(str(step) for step in first["loc"])
        raise BadRequestError(f"{param}: {first['msg']}", param=param) from None


@dataclass(frozen=True)
class Usage:
    """Tokens of one exchange; image tokens are part of the prompt's, as LMDeploy counts them."""

    prompt_tokens: int
    completion_tokens: int

    def json(self) -> Json:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


@dataclass(frozen=True)
class Envelope:
    """What all parts of one answer share."""

    id: str
    created: int
    model: str
    chat: bool

    def whole(self, text: str, finish_reason: str, usage: Usage) -> Json:
        """The answer of a request without `stream`."""
        choice: Json = {"index": 0, "finish_reason": finish_reason, "logprobs": None}
        choice |= {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        return self._head(chunk=False) | {"choices": [choice], "usage": usage.json()}

    def chunk(self, text: str, finish_reason: str | None = None, *, first: bool = False) -> Json:
        """One event of a stream. The first one of a chat carries the role."""
        choice: Json = {"index": 0, "finish_reason": finish_reason, "logprobs": None}
        if self.chat:
            choice["delta"] = ({"role": "assistant"} if first else {}) | {"content": text}
        else:
            choice["text"] = text
        return self._head(chunk=True) | {"choices": [choice]}

    def usage_chunk(self, usage: Usage) -> Json:
        """The event after the last choice, when `stream_options.include_usage` asked for it."""
        return self._head(chunk=True) | {"choices": [], "usage": usage.json()}

    def _head(self, *, chunk: bool) -> Json:
        kind = ("chat.completion.chunk" if chunk else "chat.completion") if self.chat else "text_completion"
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def event(document: Json) -> bytes:
    """A server-sent event."""
    return b"data: " + orjson.dumps(document) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def model_list(name: str, *, created: int, context_length: int) -> Json:
    """The answer of GET /v1/models."""
    model = {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "qwen3vl-simulator",
        "root": name,
        "max_model_len": context_length,
    }
    return {"object": "list", "data": [model]}
