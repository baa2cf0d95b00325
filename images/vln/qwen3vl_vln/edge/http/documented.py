"""What the OpenAPI page says of bodies: the contract's own models, with their bounds, rules and examples. Pure.

A body is not read by them as FastAPI would do it: who sends a wrong field is told in the protocol's words."""

from typing import Any

from pydantic import BaseModel

from qwen3vl_common.navigation.record import TaskRecord

RECORD: dict[int | str, dict[str, Any]] = {200: {"model": TaskRecord, "description": "The task's record."}}
"""Of a route that answers with a record."""


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """What is added to the description of a route that reads such a body."""
    schema = model.model_json_schema(by_alias=True)
    content = {"application/json": {"schema": _resolved(schema, schema.get("$defs", {}))}}
    return {"requestBody": {"required": True, "content": content}}


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema without references, for there is no place for what they refer to."""
    if isinstance(schema, list):
        return [_resolved(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    target = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
    merged = {**target, **{name: value for name, value in schema.items() if name not in ("$ref", "$defs")}}
    return {name: _resolved(value, definitions) for name, value in merged.items()}
