"""Whether a template changed because somebody changed the spec, or because the operator did."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from qwen3vl_operator.vision_model.spec import VisionModel

Fields = Mapping[str, bool | set[str]]
"""Names of a spec's fields; of some only the parts that are named."""
ENGINE_FIELDS: Fields = dict.fromkeys(("served_name", "source", "cache", "engine", "resources", "pod"), True)
"""Fields of the spec that enter the engine's pod template."""
VLN_FIELDS: Fields = {"served_name": True, "navigation": True, "pod": True, "engine": {"context_length"}}
_IN_NO_TEMPLATE = {"navigation": {"ceilings"}}


_FORMER_FIELDS: Mapping[str, Fields] = {
    "StatefulSet": ENGINE_FIELDS,
    "Deployment": dict.fromkeys(("served_name", "navigation", "pod"), True),
}
_FORMER_IN_NO_TEMPLATE = {"navigation": {"ceilings", "tasks_per_key", "trusted_proxies"}}


def spec_hash(model: VisionModel, fields: Fields) -> str:
    """A hash of what these fields say beyond the defaults. A field that a newer operator adds, and whose default the
    apiserver writes into every object, leaves it as it was."""
    content = model.spec.model_dump(
        mode="json",
        by_alias=True,
        include=dict(fields),
        exclude=_IN_NO_TEMPLATE,
        exclude_unset=True,
        exclude_defaults=True,
    )
    # Of a part that enters only in part nothing may be left; a whole one that says nothing is wanted all the same.
    partial = {to_camel(name) for name, part in fields.items() if part is not True}
    return _hashed({name: value for name, value in content.items() if value or name not in partial})


def former_spec_hash(model: VisionModel, kind: str) -> str:
    """The hash that a former operator noted on an object of that kind, which had the defaults of its time in it."""
    fields = dict(_FORMER_FIELDS[kind])
    content = model.spec.model_dump(
        mode="json", by_alias=True, include=fields, exclude=_FORMER_IN_NO_TEMPLATE, exclude_unset=True
    )
    return _hashed(content)


def _hashed(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
