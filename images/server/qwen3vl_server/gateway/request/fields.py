"""The table of a request's fields: what each may hold, which engines are handed it, and what becomes of it elsewhere.

docs/api.md has the same table for readers. A field that is not here is refused.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from qwen3vl_server.gateway.request import values
from qwen3vl_server.gateway.request.decoding import Decoder, WholeNumber
from qwen3vl_server.gateway.request.limits import (
    MAX_FIELD_BYTES,
    MAX_PROMPTS,
    MAX_SCALAR_BYTES,
    MAX_STOPS,
    MAX_TEXT_BYTES,
)

LMDEPLOY, VLLM, SGLANG, TRANSFORMERS, SIMULATOR = "lmdeploy", "vllm", "sglang", "transformers", "simulator"
ENGINES = frozenset({LMDEPLOY, VLLM, SGLANG, TRANSFORMERS, SIMULATOR})
EVERY = ENGINES
SERVERS = ENGINES - {TRANSFORMERS}
"""transformers' own server refuses most fields with 422."""
UNKNOWN = SERVERS - {SIMULATOR}
"""An engine that is not named gets what all of these take. The simulator has one answer and no probabilities."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the request.

    Attributes:
        decoder: of its value, by a type with bounds; None where the value is not looked at.
        engines: those that are handed it.
        neutral: values that an engine without the field may do without: they ask for what it does anyway. None: every
            value.
        max_bytes: of the value as JSON.
    """

    decoder: Decoder | None
    engines: frozenset[str]
    neutral: tuple[object, ...] | None
    max_bytes: int

    def given_to(self, engine: str) -> bool:
        """Whether the engine is handed the field."""
        return engine in self.engines or (engine not in ENGINES and self.engines >= UNKNOWN)


def _passed(kind: Any, engines: frozenset[str] = SERVERS, *neutral: object, max_bytes: int = MAX_SCALAR_BYTES) -> Field:
    return Field(msgspec.json.Decoder(kind), engines, neutral, max_bytes)


def _whole(kind: Any, engines: frozenset[str] = SERVERS, *neutral: object) -> Field:
    return Field(WholeNumber(kind), engines, neutral, MAX_SCALAR_BYTES)


def _refused(*neutral: object) -> Field:
    """No engine has it: only values that ask for nothing are taken."""
    return Field(msgspec.json.Decoder(), frozenset(), neutral, MAX_SCALAR_BYTES)


def _dropped(kind: Any = None) -> Field:
    """No engine has it, and no answer changes by it."""
    return Field(None if kind is None else msgspec.json.Decoder(kind), frozenset(), None, MAX_FIELD_BYTES)


_STOP = Annotated[list[values.Text], msgspec.Meta(max_length=MAX_STOPS)] | str
_PROMPT = Annotated[list[values.Text], msgspec.Meta(min_length=1, max_length=MAX_PROMPTS)] | values.Text

_BOTH = {
    "stream": _passed(bool, EVERY),
    "stream_options": Field(msgspec.json.Decoder(values.StreamOptions), SERVERS, None, MAX_SCALAR_BYTES),
    "temperature": _passed(values.Temperature, EVERY),
    "top_p": _passed(values.TopP, EVERY),
    "n": _whole(values.Choices, UNKNOWN, 1),
    "stop": _passed(_STOP, EVERY, max_bytes=MAX_FIELD_BYTES),
    "seed": _whole(values.Seed, EVERY),
    "frequency_penalty": _passed(values.Penalty, EVERY),
    "presence_penalty": _passed(values.Penalty, SERVERS, 0),
    "logit_bias": _passed(values.Biases, EVERY, max_bytes=1 << 16),
    "top_k": _whole(values.TopK),
    "min_p": _passed(values.Probability, SERVERS, 0),
    "repetition_penalty": _passed(values.RepetitionPenalty, SERVERS, 1),
    "stop_token_ids": _passed(values.TokenIds, frozenset({VLLM, SGLANG}), []),
    "user": _dropped(),
}

CHAT: dict[str, Field] = _BOTH | {
    "max_tokens": _whole(values.Tokens, EVERY),
    "max_completion_tokens": _whole(values.Tokens, EVERY),
    "logprobs": _passed(bool, UNKNOWN, False),
    "top_logprobs": _whole(values.TopLogprobs, UNKNOWN, 0),
    "response_format": _passed(
        values.ResponseFormat, SERVERS, values.ResponseFormat("text"), max_bytes=MAX_FIELD_BYTES
    ),
    "tools": _passed(values.Tools, EVERY, max_bytes=MAX_FIELD_BYTES),
    "tool_choice": _passed(values.ToolChoice, SERVERS, "auto"),
    "parallel_tool_calls": _passed(bool, frozenset({VLLM, SGLANG, SIMULATOR}), True),
    "reasoning_effort": _passed(
        values.Effort, frozenset({VLLM, SGLANG}), "minimal", "low", "medium", "high", "xhigh", "max"
    ),
    "chat_template_kwargs": _passed(values.TemplateOptions, EVERY),
    "metadata": _dropped(),
    "moderation": _refused(),
    "safety_identifier": _dropped(),
    "prompt_cache_key": _dropped(),
    "prompt_cache_options": _dropped(),
    "prompt_cache_retention": _dropped(),
    "service_tier": _dropped(),
    "store": _refused(False),
    "verbosity": _refused("medium"),
    "modalities": _refused(["text"]),
    "audio": _refused(),
    "prediction": _refused(),
    "web_search_options": _refused(),
    "functions": _refused([]),
    "function_call": _refused("none", "auto"),
}

COMPLETION: dict[str, Field] = _BOTH | {
    "prompt": _passed(_PROMPT, EVERY, max_bytes=MAX_TEXT_BYTES),
    "max_tokens": _whole(values.Tokens, EVERY),
    "logprobs": _whole(values.TopLogprobs, UNKNOWN),
    "best_of": _refused(1),
    "echo": _passed(bool, UNKNOWN, False),
    "suffix": _refused(""),
}
