"""What OpenAI's library can send or gives back has a place in the tables: a new field of its is noticed here."""

import typing

import pytest
from openai.types import completion_create_params
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionContentPartImageParam,
    ChatCompletionContentPartRefusalParam,
    ChatCompletionContentPartTextParam,
    ChatCompletionDeveloperMessageParam,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessage,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageFunctionToolCallParam,
    ChatCompletionNamedToolChoiceParam,
    ChatCompletionStreamOptionsParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionToolMessageParam,
    ChatCompletionUserMessageParam,
    ParsedChatCompletionMessage,
    ParsedFunction,
    chat_completion_content_part_image_param,
    chat_completion_message_function_tool_call,
)
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall
from openai.types.shared_params import FunctionDefinition, ResponseFormatJSONSchema, response_format_json_schema
from pydantic import BaseModel

from qwen3vl_server.gateway.request import fields, shapes, values

PLACES: list[tuple[type, type]] = [
    (ChatCompletionSystemMessageParam, shapes.Message),
    (ChatCompletionDeveloperMessageParam, shapes.Message),
    (ChatCompletionUserMessageParam, shapes.Message),
    (ChatCompletionAssistantMessageParam, shapes.Message),
    (ChatCompletionToolMessageParam, shapes.Message),
    (ChatCompletionMessage, shapes.Message),
    (ParsedChatCompletionMessage, shapes.Message),
    (ChatCompletionContentPartTextParam, shapes.Part),
    (ChatCompletionContentPartImageParam, shapes.Part),
    (ChatCompletionContentPartRefusalParam, shapes.Part),
    (chat_completion_content_part_image_param.ImageURL, shapes.ImageUrl),
    (ChatCompletionMessageFunctionToolCallParam, shapes.ToolCall),
    (ChatCompletionMessageFunctionToolCall, shapes.ToolCall),
    (ChoiceDeltaToolCall, shapes.ToolCall),
    (chat_completion_message_function_tool_call.Function, shapes.CalledFunction),
    (ParsedFunction, shapes.CalledFunction),
    (ChatCompletionFunctionToolParam, values.Tool),
    (FunctionDefinition, values.Function),
    (ChatCompletionNamedToolChoiceParam, values.NamedTool),
    (ChatCompletionStreamOptionsParam, values.StreamOptions),
    (ResponseFormatJSONSchema, values.ResponseFormat),
    (response_format_json_schema.JSONSchema, values.JsonSchema),
]


def names(kind: type) -> set[str]:
    if issubclass(kind, BaseModel):
        return set(kind.model_fields)
    return set(typing.get_type_hints(kind))


def test_every_field_of_a_chats_request_is_in_the_table() -> None:
    known = set(fields.CHAT) | {"model", "messages"}
    assert names(chat_create_params.CompletionCreateParamsBase) | {"stream"} <= known


def test_every_field_of_a_completions_request_is_in_the_table() -> None:
    known = set(fields.COMPLETION) | {"model"}
    assert names(completion_create_params.CompletionCreateParamsBase) | {"stream"} <= known


@pytest.mark.parametrize(("sent", "shape"), PLACES, ids=lambda kind: kind.__name__)
def test_every_field_below_has_its_place(sent: type, shape: type) -> None:
    assert names(sent) <= names(shape)
