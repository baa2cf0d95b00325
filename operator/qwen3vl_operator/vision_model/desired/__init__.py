"""What should exist for a VisionModel: pure functions from its spec to Kubernetes objects. No cluster, no clock."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from qwen3vl_common.keys import derive
from qwen3vl_operator import names
from qwen3vl_operator.vision_model.desired.cache import cache
from qwen3vl_operator.vision_model.desired.engine import engine
from qwen3vl_operator.vision_model.desired.engine_service import engine_service
from qwen3vl_operator.vision_model.desired.metadata import Object, metadata
from qwen3vl_operator.vision_model.desired.robot_keys import robot_keys
from qwen3vl_operator.vision_model.desired.vln import vln
from qwen3vl_operator.vision_model.desired.vln_autoscaler import vln_autoscaler
from qwen3vl_operator.vision_model.desired.vln_service import vln_service
from qwen3vl_operator.vision_model.spec import VisionModel

__all__ = ["Object", "Settings", "desired"]


@dataclass(frozen=True)
class Settings:
    """What the installation decides, the same for every model.

    Attributes:
        internal_secret: the bytes that every internal key is derived from.
        server_image: image of the simulator.
        server_image_pull_policy: its pull policy.
        vln_image: image of the VLN API.
        vln_image_pull_policy: its pull policy.
        gateway_url: URL of the gateway, shown in status.
    """

    internal_secret: bytes
    server_image: str
    server_image_pull_policy: str
    vln_image: str
    vln_image_pull_policy: str
    gateway_url: str

    def __repr__(self) -> str:
        return f"Settings({self.server_image!r}, {self.vln_image!r}, {self.gateway_url!r})"


def desired(model: VisionModel, settings: Settings, *, owns_served_name: bool) -> list[Object]:
    """Every object that should exist, in the order in which to apply them; each carries the hash of its content.

    Args:
        owns_served_name: no older model claims the same served name; else the Service is no route.
    """

    def key(purpose: str) -> str:
        return derive(settings.internal_secret, purpose, model.namespace, model.name)

    keys = {names.ENGINE_KEY_ENTRY: key("engine")}
    of_vln = {names.GATEWAY_KEY_ENTRY: key("vln-to-gateway"), names.OPERATOR_KEY_ENTRY: key("operator-to-vln")}
    objects = [
        _keys(model, keys if model.spec.navigation is None else keys | of_vln),
        robot_keys(model, key("robot")),
        cache(model),
        engine_service(model, routed=owns_served_name),
        vln_service(model),
        vln(
            model,
            image=settings.vln_image,
            pull_policy=settings.vln_image_pull_policy,
            gateway_url=settings.gateway_url,
            key_hash=_short_hash("".join(of_vln.values())),
        ),
        vln_autoscaler(model),
        engine(
            model,
            image=model.spec.engine.kind.image or settings.server_image,
            pull_policy=None if model.spec.engine.kind.image else settings.server_image_pull_policy,
            key_hash=_short_hash(keys[names.ENGINE_KEY_ENTRY]),
        ),
    ]
    return [with_hash(thing) for thing in objects if thing is not None]


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _keys(model: VisionModel, keys: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(model, "keys"),
        "type": "Opaque",
        "data": {entry: base64.b64encode(key.encode()).decode() for entry, key in keys.items()},
    }


def with_hash(thing: Object) -> Object:
    """The object with the hash of its content as an annotation."""
    content = json.dumps(thing, sort_keys=True, separators=(",", ":")).encode()
    annotations: dict[str, Any] = {**thing["metadata"].get("annotations", {})}
    annotations[names.APPLIED_HASH] = hashlib.sha256(content).hexdigest()[:16]
    return {**thing, "metadata": {**thing["metadata"], "annotations": annotations}}
