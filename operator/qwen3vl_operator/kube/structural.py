"""A pydantic model's JSON Schema as the structural schema that Kubernetes takes. Knows no kind of ours."""

from typing import Any

Schema = dict[str, Any]


def structural(schema: Schema, definitions: Schema | None = None) -> Schema:
    """A JSON Schema of pydantic's as the structural schema that Kubernetes takes.

    References are resolved, optional values lose their `null`, and what Kubernetes does not know is left out.
    """
    definitions = definitions if definitions is not None else schema.get("$defs", {})
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return structural({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    if "anyOf" in schema and not schema.get("x-kubernetes-int-or-string"):
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        if len(options) != 1:
            raise ValueError(f"a union has no structural schema: {schema}")
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return structural({**options[0], **rest}, definitions)
    result: Schema = {}
    for key, value in schema.items():
        if key in ("title", "$defs") or (key == "default" and value is None):
            continue
        if key == "properties":
            result[key] = {name: structural(part, definitions) for name, part in value.items()}
        elif key == "items" or (key == "additionalProperties" and isinstance(value, dict)):
            result[key] = structural(value, definitions)
        elif key == "const":
            result["enum"] = [value]
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            # OpenAPI 3.0, which Kubernetes speaks, has the bound and a flag.
            result["minimum" if key == "exclusiveMinimum" else "maximum"] = value
            result[key] = True
        else:
            result[key] = value
    result |= _fractional_bounds(result)
    if isinstance(result.get("description"), str):
        result["description"] = " ".join(result["description"].split())
    if result.get("type") == "object" and "properties" in result and result.get("default"):
        # Rules are checked on a default as it stands: it must be whole, but Kubernetes takes no null for "absent".
        result["default"] = {key: value for key, value in result["default"].items() if value not in (None, [], {})}
    return result


def _fractional_bounds(schema: Schema) -> Schema:
    """Bounds such as 0.01 once more as CEL: the apiserver cuts them to a whole number where the value is one."""
    rules = [
        {"rule": f"self {sign} {schema[bound]!r}", "message": f"is at {word} {schema[bound]:g}"}
        for bound, sign, word in (("minimum", ">=", "least"), ("maximum", "<=", "most"))
        if schema.get("type") == "number" and schema.get(bound, 0) % 1
    ]
    return {"x-kubernetes-validations": [*schema.get("x-kubernetes-validations", []), *rules]} if rules else {}
