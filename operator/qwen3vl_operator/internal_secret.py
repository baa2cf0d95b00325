"""The one random secret that every internal key is derived from: made once, never applied again."""

import base64
import logging
import secrets

from qwen3vl_common.keys import INTERNAL_KEY_BYTES
from qwen3vl_operator import names
from qwen3vl_operator.kube import client as api
from qwen3vl_operator.kube.client import Kube, Object

log = logging.getLogger(__name__)


class InternalSecretError(Exception):
    """The internal secret is there but holds no usable key."""


async def ensure(kube: Kube, namespace: str, owner_deployment: str | None) -> bytes:
    """The bytes of the internal secret, made if they are not there.

    Args:
        owner_deployment: the operator's own Deployment; the secret goes when that goes.

    Raises:
        InternalSecretError: somebody put something else into it.
    """
    found = await kube.get(api.SECRETS, namespace, names.INTERNAL_SECRET)
    if found is None:
        body = await _new(kube, namespace, owner_deployment)
        if await kube.create(api.SECRETS, namespace, body):
            log.info("made Secret %s/%s", namespace, names.INTERNAL_SECRET)
        found = await kube.get(api.SECRETS, namespace, names.INTERNAL_SECRET) or {}
    encoded = (found.get("data") or {}).get(names.INTERNAL_SECRET_ENTRY, "")
    key = base64.b64decode(encoded)
    if len(key) != INTERNAL_KEY_BYTES:
        raise InternalSecretError(
            f"Secret {namespace}/{names.INTERNAL_SECRET} has {len(key)} bytes in {names.INTERNAL_SECRET_ENTRY!r}, "
            f"not {INTERNAL_KEY_BYTES}; delete it, then the operator makes a new one (engines restart with new keys)"
        )
    return key


async def _new(kube: Kube, namespace: str, owner_deployment: str | None) -> Object:
    metadata: Object = {
        "name": names.INTERNAL_SECRET,
        "namespace": namespace,
        "labels": {names.MANAGED_BY: names.FIELD_MANAGER, names.PART_OF: "qwen3vl"},
    }
    deployment = await kube.get(api.DEPLOYMENTS, namespace, owner_deployment) if owner_deployment else None
    if deployment is not None:
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"]}
        metadata["ownerReferences"] = [{**owner, "uid": deployment["metadata"]["uid"]}]
    data = {names.INTERNAL_SECRET_ENTRY: base64.b64encode(secrets.token_bytes(INTERNAL_KEY_BYTES)).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
