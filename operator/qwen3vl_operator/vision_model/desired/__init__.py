"""What should exist for a VisionModel: pure functions from its spec to Kubernetes objects. No cluster, no clock."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_common.keys import derive
from qwen3vl_operator import names
from qwen3vl_operator.secrets import model_keys
from qwen3vl_operator.vision_model.desired.cache import cache
from qwen3vl_operator.vision_model.desired.ceilings import ceilings
from qwen3vl_operator.vision_model.desired.engine import engine
from qwen3vl_operator.vision_model.desired.engine_service import engine_service
from qwen3vl_operator.vision_model.desired.metadata import Object
from qwen3vl_operator.vision_model.desired.spec_hash import ENGINE_FIELDS, VLN_FIELDS, spec_hash
from qwen3vl_operator.vision_model.desired.vln import vln
from qwen3vl_operator.vision_model.desired.vln_service import vln_service
from qwen3vl_operator.vision_model.spec import VisionModel

__all__ = ["Object", "Settings", "desired"]


@dataclass(frozen=True)
class Settings:
    """What the installation decides, the same for every model.

    Attributes:
        server_image: image of the simulator.
        server_image_pull_policy: its pull policy.
        vln_image: image of the VLN API.
        vln_image_pull_policy: its pull policy.
        gateway_url: URL of the gateway, shown in status.
        image_registry: replaces the registry of the engines' default images; empty: none does.
        internal_secret: the bytes that every internal key is derived from; empty while nobody has them.
        internal_secret_problem: why they could not be read or made last, where that is so.
    """

    server_image: str
    server_image_pull_policy: str
    vln_image: str
    vln_image_pull_policy: str
    gateway_url: str
    image_registry: str = ""
    internal_secret: bytes = field(default=b"", repr=False)
    internal_secret_problem: str = ""


def desired(model: VisionModel, settings: Settings, *, owns_served_name: bool) -> list[Object]:
    """Every object that should exist, in the order in which to apply them; each carries the hash of its content.

    Args:
        owns_served_name: no older model claims the same served name; else the Service is no route.
    """

    def key_hash(*purposes: str) -> str:
        keys = (derive(settings.internal_secret, purpose, model.namespace, model.name) for purpose in purposes)
        return hashlib.sha256("".join(keys).encode()).hexdigest()[:16]

    kind = model.spec.engine.kind
    objects = [
        cache(model),
        engine_service(model, routed=owns_served_name),
        vln_service(model),
        ceilings(model),
        _with_spec_hash(
            vln(
                model,
                image=settings.vln_image,
                pull_policy=settings.vln_image_pull_policy,
                gateway_url=settings.gateway_url,
                key_hash=key_hash(model_keys.VLN_TO_GATEWAY, model_keys.OPERATOR_TO_VLN),
            ),
            spec_hash(model, VLN_FIELDS),
        ),
        _with_spec_hash(
            engine(
                model,
                image=in_registry(kind.image, settings.image_registry) if kind.image else settings.server_image,
                pull_policy=None if kind.image else settings.server_image_pull_policy,
                key_hash=key_hash(model_keys.ENGINE),
            ),
            spec_hash(model, ENGINE_FIELDS),
        ),
    ]
    return [with_hash(thing) for thing in objects if thing is not None]


def in_registry(image: str, registry: str) -> str:
    """The image in another registry; the same one where none is named."""
    if not registry:
        return image
    first, slash, rest = image.partition("/")
    has_registry = slash and ("." in first or ":" in first or first == "localhost")
    return f"{registry.rstrip('/')}/{rest if has_registry else image}"


def _with_spec_hash(thing: Object | None, hashed: str) -> Object | None:
    return None if thing is None else _annotated(thing, names.SPEC_HASH, hashed)


def with_hash(thing: Object) -> Object:
    """The object with the hash of its content as an annotation."""
    content = json.dumps(thing, sort_keys=True, separators=(",", ":")).encode()
    return _annotated(thing, names.APPLIED_HASH, hashlib.sha256(content).hexdigest()[:16])


def _annotated(thing: Object, name: str, value: str) -> Object:
    annotations: dict[str, Any] = {**thing["metadata"].get("annotations", {}), name: value}
    return {**thing, "metadata": {**thing["metadata"], "annotations": annotations}}
