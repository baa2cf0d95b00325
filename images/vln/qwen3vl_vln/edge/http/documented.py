"""What `/openapi.json` says about a route beside its path: whether a key is needed, what is sent, answered and refused.

Schemas are those of the models by which bodies are read and records are written, refusals those of the error tree."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from qwen3vl_common.errors import ApiError, InvalidRequest, RequestTimedOut, RequestTooLarge
from qwen3vl_vln.errors import NoKeyError, NoRightError

KEY = "key"
JSON = "application/json"
OF_BODIES = (InvalidRequest, RequestTimedOut, RequestTooLarge)
"""What each route refuses that reads a body."""
OF_KEYS = (NoKeyError, NoRightError)
"""What each route refuses that needs a key."""
REFUSAL = {
    "type": "object",
    "required": ["error", "detail"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string", "enum": ["invalid_request_error", "server_error"]},
                "param": {"type": ["string", "null"], "description": "The field that is wrong."},
                "code": {"type": "string", "description": "A word for programs."},
            },
        },
        "detail": {"type": "string", "description": "The message again, where older clients read it."},
    },
}


def described(
    answer: type[BaseModel] | Mapping[str, Any],
    *refusals: type[ApiError],
    body: type[BaseModel] | None = None,
    key: bool = True,
    otherwise: tuple[int, type[BaseModel]] | None = None,
) -> dict[str, Any]:
    """What a route's decorator is told beside its path.

    Args:
        answer: the model of its JSON, or the content of another answer by media type.
        refusals: beside those of every route that needs a key or reads a body.
        body: the model of what is sent, with an example.
        key: whether one is needed.
        otherwise: another status with the model of its JSON, where that is no refusal.
    """
    content = {"model": answer} if isinstance(answer, type) else {"content": dict(answer)}
    refused = (*refusals, *(OF_KEYS if key else ()), *(OF_BODIES if body else ()))
    extra: dict[str, Any] = {"security": [{KEY: []}] if key else []}
    extra |= {} if body is None else body_of(body)
    responses = {200: {"description": "As asked."} | content} | _refused(refused)
    if otherwise is not None:
        status, model = otherwise
        responses[status] = _also(model, responses.get(status))
    # So the framework adds no refusal of its own, in another shape, which no route of ours has.
    responses["default"] = _refusal("Another refusal.")
    # A plain response: the framework would name JSON beside another media type.
    return {"responses": responses, "openapi_extra": extra, "response_class": Response}


def _refused(refusals: tuple[type[ApiError], ...]) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({each.status for each in refusals}):
        codes = dict.fromkeys(each.code for each in refusals if each.status == status)
        found[status] = _refusal(", ".join(f"`{code}`" for code in codes))
    return found


def _refusal(description: str) -> dict[str, Any]:
    return _response(description, _named("Refusal"))


def _also(model: type[BaseModel], refusal: dict[str, Any] | None) -> dict[str, Any]:
    """A response whose status says something, with that of refusals beside it. The model is that of the answer, too."""
    told, said = _named(model.__name__), (model.__doc__ or "").partition("\n")[0]
    if refusal is None:
        return _response(said, told)
    both = {"oneOf": [told, _named("Refusal")]}
    return _response(f"{said} Or a refusal: {refusal['description']}", both)


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _named(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """What the description of a route says that reads such a body, in one piece: a record has parts of the same names
    with other fields required."""
    schema = model.model_json_schema(by_alias=True)
    content = {JSON: {"schema": _whole(schema, schema.get("$defs", {}))}}
    return {"requestBody": {"required": True, "content": content}}


def _whole(part: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_whole(one, parts) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        named = parts[part["$ref"].rpartition("/")[2]]
        return _whole(named | {name: value for name, value in part.items() if name != "$ref"}, parts)
    # Rules in CEL are for the apiserver.
    mine = {name: value for name, value in part.items() if name not in ("$defs", "x-kubernetes-validations")}
    return {name: _whole(value, parts) for name, value in mine.items()}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description of all routes. It takes some hundredths of a second."""
    # Addresses count from where the description lies: it may be served below another path.
    servers = [{"url": "."}]
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, servers=servers
    )
    components = found.setdefault("components", {})
    components.setdefault("schemas", {})["Refusal"] = REFUSAL
    components["securitySchemes"] = {KEY: {"type": "http", "scheme": "bearer", "description": "A robot's key."}}
    for operations in found["paths"].values():
        for operation in operations.values():
            said = operation["description"].removesuffix(".")
            operation["summary"], _, operation["description"] = said.partition(". ")
    return found
