"""`python -m qwen3vl_operator.migration`: carries Secrets of the version before over; the chart's pre-upgrade hook.

That version made Secrets that belong to something which goes: users' keys to the release's manifest, the internal key
to the operator's Deployment, robots' keys to each VisionModel. Every step may be repeated, nothing is ever deleted, and
no key is logged. What to write is decided by functions of values; `migrate` reads and writes.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence

from qwen3vl_common.logs import configure
from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube, connect
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.secrets import internal

FIELD_MANAGER = "qwen3vl-migration"
USER_KEYS = "qwen3vl-keys"
OLD_ROBOT_KEYS = "robot-keys"
"""The version before named a model's Secret `<model>-` and this."""
CARRIED = f"{names.GROUP}/carried-robot-keys"
"""Annotation of the namespace's Secret: `mark` of each model whose keys were carried over."""
RESOURCE_POLICY = "helm.sh/resource-policy"
UNREADABLE = (401, 403, 404)
"""What the apiserver says of a namespace that this release may not read or that is gone."""
CONFLICT = 409
TRIES = 5

log = logging.getLogger(__name__)


def kept(secret: Object) -> Object | None:
    """The merge patch by which helm leaves the Secret when no template makes it any more; None when it does already."""
    if (secret["metadata"].get("annotations") or {}).get(RESOURCE_POLICY) == "keep":
        return None
    return {"metadata": {"annotations": {RESOURCE_POLICY: "keep"}}}


def is_owned_by(secret: Object, model: Object) -> bool:
    """Whether the Secret was made for this very model."""
    uids = [owner["uid"] for owner in secret["metadata"].get("ownerReferences") or []]
    return model["metadata"]["uid"] in uids


def mark(model: Object) -> str:
    """What tells in `CARRIED` that the model's keys were carried over: short, so that thousands fit an annotation."""
    return str(model["metadata"]["uid"])[:8]


def carried(namespace: str, old: Sequence[tuple[Object, Object]], present: Object | None) -> Object | None:
    """The namespace's Secret as it is to be applied, without force; None when nothing is left to carry over.

    `old` are models, each with its own Secret. A model's keys are carried once: one that somebody removed afterwards
    does not come back. An entry that is there stays as it is. What this program applied before is named again, since
    server-side apply removes what its manager does not name any more.
    """
    found = present or {"metadata": {}}
    done = set(((found["metadata"].get("annotations") or {}).get(CARRIED) or "").split(",")) - {""}
    new = [(model, secret) for model, secret in old if mark(model) not in done]
    if not new:
        return None
    live: dict[str, str] = found.get("data") or {}
    data = {name: live[name] for name in _applied_before(found) if name in live}
    for model, secret in new:
        entries = {f"{model['metadata']['name']}.{client}": key for client, key in (secret.get("data") or {}).items()}
        data |= {name: key for name, key in entries.items() if name not in live}
    annotations = {CARRIED: ",".join(sorted(done | {mark(model) for model, _ in new}))}
    metadata = {"name": names.ROBOT_KEYS, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def _applied_before(secret: Object) -> list[str]:
    ours = [one for one in secret["metadata"].get("managedFields") or [] if one.get("manager") == FIELD_MANAGER]
    fields = [field for one in ours for field in (one.get("fieldsV1") or {}).get("f:data") or {}]
    return sorted(field.removeprefix("f:") for field in fields if field.startswith("f:"))


async def migrate(kube: Kube, release_namespace: str, namespaces: Sequence[str]) -> None:
    """All steps, in the order in which a loss would hurt.

    Raises:
        ApiError: a step did not succeed; those before it did, and all may be repeated.
    """
    await _keep_user_keys(kube, release_namespace)
    await _free_internal_secret(kube, release_namespace)
    for namespace in namespaces:
        try:
            models = await kube.list(api.VISION_MODELS, namespace)
        except ApiError as error:
            if error.status not in UNREADABLE:
                raise
            log.warning("namespace %s cannot be read and is skipped: %s", namespace, error)
            continue
        await _carry_robot_keys(kube, namespace, models)


async def _keep_user_keys(kube: Kube, namespace: str) -> None:
    secret = await kube.get(api.SECRETS, namespace, USER_KEYS)
    patch = kept(secret) if secret is not None else None
    if patch is None:
        log.info("Secret %s/%s: %s", namespace, USER_KEYS, "is not there" if secret is None else "is kept already")
        return
    await kube.patch(api.SECRETS, namespace, USER_KEYS, patch)
    log.info("Secret %s/%s: kept from now on, whatever becomes of the release", namespace, USER_KEYS)


async def _free_internal_secret(kube: Kube, namespace: str) -> None:
    secret = await kube.get(api.SECRETS, namespace, names.INTERNAL_SECRET)
    if secret is None or not secret["metadata"].get("ownerReferences"):
        state = "is not there" if secret is None else "has no owner already"
        log.info("Secret %s/%s: %s", namespace, names.INTERNAL_SECRET, state)
        return
    await kube.edit(api.SECRETS, namespace, names.INTERNAL_SECRET, [internal.WITHOUT_OWNER])
    log.info("Secret %s/%s: does not go with the operator's Deployment any more", namespace, names.INTERNAL_SECRET)


async def _carry_robot_keys(kube: Kube, namespace: str, models: Sequence[Object]) -> None:
    """Copy the entries of every model's own Secret into the namespace's."""
    old: list[tuple[Object, Object]] = []
    for model in models:
        name = f"{model['metadata']['name']}-{OLD_ROBOT_KEYS}"
        secret = await kube.get(api.SECRETS, namespace, name)
        if secret is not None and is_owned_by(secret, model):
            old.append((model, secret))
    for attempt in range(1, TRIES + 1):
        body = carried(namespace, old, await kube.get(api.SECRETS, namespace, names.ROBOT_KEYS))
        if body is None:
            log.info("Secret %s/%s: nothing to carry over", namespace, names.ROBOT_KEYS)
            return
        try:
            await kube.apply(api.SECRETS, body, manager=FIELD_MANAGER, force=False)
        except ApiError as error:
            # Somebody made one of the entries meanwhile: then it stays as it is.
            if error.status != CONFLICT or attempt == TRIES:
                raise
        else:
            log.info("Secret %s/%s: carried over %s", namespace, names.ROBOT_KEYS, ", ".join(sorted(body["data"])))
            return


async def _run(release_namespace: str, namespaces: Sequence[str]) -> None:
    async with connect() as kube:
        await migrate(kube, release_namespace, namespaces)


def main() -> None:
    """Run once; exit 1 with one clear line when a step did not succeed."""
    configure(os.environ.get("QWEN3VL_LOG_LEVEL") or "info")
    release_namespace = os.environ.get("QWEN3VL_RELEASE_NAMESPACE", "")
    if not release_namespace:
        sys.exit("environment variable QWEN3VL_RELEASE_NAMESPACE is not set; the chart sets it")
    listed = (os.environ.get("QWEN3VL_NAMESPACES") or release_namespace).split(",")
    try:
        asyncio.run(_run(release_namespace, sorted({name.strip() for name in listed} - {""})))
    except ApiError as error:
        sys.exit(f"the migration did not come to its end, and may be repeated: {error}")


if __name__ == "__main__":
    main()
