"""The gateway's paths in OpenAPI's words, by hand, from OpenAI's fields: what requests may be made of."""

from typing import Any

from tests.support.json_mutations import URL

Schema = dict[str, Any]


def _object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT: Schema = {"type": "string", "maxLength": 40}
STOP: Schema = {"type": "string", "minLength": 1, "maxLength": 40}
NAME: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9_]{1,20}$"}
TEXT_PART = _object(["type", "text"], type={"const": "text"}, text=TEXT)
IMAGE_PART = _object(
    ["type", "image_url"],
    type={"const": "image_url"},
    image_url=_object(["url"], url={"const": URL}, detail={"enum": ["auto", "low", "high"]}),
)
PARTS: Schema = {"type": "array", "items": {"anyOf": [TEXT_PART, IMAGE_PART]}, "minItems": 1, "maxItems": 3}
TOOL = _object(
    ["type", "function"], type={"const": "function"}, function=_object(["name"], name=NAME, description=TEXT)
)
CALL = _object(
    ["id", "type", "function"],
    id=NAME,
    type={"const": "function"},
    function=_object(["name", "arguments"], name=NAME, arguments={"const": "{}"}),
)
MESSAGE: Schema = {
    "anyOf": [
        _object(["role", "content"], role={"enum": ["system", "user"]}, content={"anyOf": [TEXT, PARTS]}, name=NAME),
        _object(["role", "content"], role={"const": "assistant"}, content=TEXT, refusal={"type": "null"}),
        _object(
            ["role", "tool_calls"],
            role={"const": "assistant"},
            tool_calls={"type": "array", "items": CALL, "minItems": 1, "maxItems": 2},
        ),
        _object(["role", "content", "tool_call_id"], role={"const": "tool"}, content=TEXT, tool_call_id=NAME),
    ]
}
# Whole numbers are listed: a schema's "integer" is 1.0 too, which no client writes.
BOTH: Schema = {
    "model": {"const": "m"},
    "stream": {"type": "boolean"},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "top_p": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "n": {"enum": [1, 2, 8]},
    "stop": {"anyOf": [STOP, {"type": "array", "items": STOP, "maxItems": 4}]},
    "seed": {"enum": [0, 42, -(2**63), 2**63 - 1]},
    "frequency_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "presence_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "max_tokens": {"enum": [1, 9, 4096]},
    "user": TEXT,
}
CHAT = _object(
    ["model", "messages"],
    **BOTH,
    messages={"type": "array", "items": MESSAGE, "minItems": 1, "maxItems": 3},
    logprobs={"type": "boolean"},
    tools={"type": "array", "items": TOOL, "minItems": 1, "maxItems": 2},
    response_format=_object(["type"], type={"enum": ["text", "json_object"]}),
)
COMPLETION = _object(
    ["model", "prompt"],
    **BOTH,
    prompt={"type": "string", "minLength": 1, "maxLength": 40},
)
ERROR = _object(
    ["error"],
    error=_object(
        ["message", "type", "param", "code"],
        message={"type": "string", "minLength": 1},
        type={"enum": ["invalid_request_error", "server_error"]},
        param={"type": ["string", "null"]},
        code={"type": "string"},
    ),
)


def _answers(good: Schema) -> Schema:
    refused = {"description": "refused", "content": {"application/json": {"schema": ERROR}}}
    return {"200": good, "4XX": refused, "503": refused}


def _json(schema: Schema) -> Schema:
    return {"description": "answered", "content": {"application/json": {"schema": schema}}}


def _engine(body: Schema) -> Schema:
    answer = _json({"type": "object", "required": ["choices"]})
    answer["content"]["text/event-stream"] = {"schema": {"type": "object", "required": ["data"]}}
    request = {"required": True, "content": {"application/json": {"schema": body}}}
    return {"post": {"requestBody": request, "responses": _answers(answer)}}


NAME_IN_PATH = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
MODELS = {"type": "object", "required": ["object", "data"]}
METRICS = {"description": "answered", "content": {"text/plain": {"schema": {"type": "string"}}}}
DESCRIPTION: Schema = {
    "openapi": "3.1.0",
    "info": {"title": "gateway", "version": "1"},
    "paths": {
        "/v1/chat/completions": _engine(CHAT),
        "/v1/completions": _engine(COMPLETION),
        "/v1/models": {"get": {"responses": _answers(_json(MODELS))}},
        "/v1/models/{name}": {
            "get": {"parameters": [NAME_IN_PATH], "responses": _answers(_json({"type": "object", "required": ["id"]}))}
        },
        "/health": {"get": {"responses": {"200": _json({"type": "object"}), "4XX": _answers({})["4XX"]}}},
        "/ready": {"get": {"responses": _answers(_json({"type": "object", "required": ["ready"]}))}},
    },
}
