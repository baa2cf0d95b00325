"""The one random secret that every internal key is derived from: made once, kept by nobody's life but its own, and put
back with the same bytes when somebody deletes it."""

import base64
import binascii
import logging
import secrets
from dataclasses import dataclass, field

from qwen3vl_common.keys import INTERNAL_KEY_BYTES
from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.secrets.unquoted import unquoted

log = logging.getLogger(__name__)

KIND = "InternalSecret"
READ_AGAIN_SECONDS = 30.0
CONFLICT = 409
WITHOUT_OWNER = {"op": "remove", "path": "/metadata/ownerReferences"}
"""JSON patch that takes the owner off."""


class InternalSecretError(Exception):
    """The internal secret is there but holds no usable key, and this process knows none to put back."""


def internal_key(namespace: str) -> Key:
    """The queue's key of the internal secret of that release namespace."""
    return Key(namespace, names.INTERNAL_SECRET, KIND)


@dataclass
class InternalSecret:
    """Keeps the internal secret.

    Attributes:
        manager: field manager of this process alone: of two operators that make the secret at the same time the
            apiserver refuses one, which then takes what the other made.
        value: its bytes; None before they are known.
        problem: why the last look failed; empty when it did not.
    """

    kube: Kube
    namespace: str
    manager: str
    value: bytes | None = field(default=None, repr=False)
    problem: str = ""

    async def reconcile(self, key: Key) -> float:
        """Read it, and make it or put it back where it is gone; seconds until the next look.

        Raises:
            InternalSecretError: somebody put something else into it.
            ApiError: it can be neither read nor made.
        """
        try:
            await self._bring()
        except (ApiError, InternalSecretError) as error:
            self.problem = str(error)
            raise
        self.problem = ""
        return READ_AGAIN_SECONDS

    async def _bring(self) -> None:
        found = await self.kube.get(api.SECRETS, self.namespace, names.INTERNAL_SECRET)
        if found is None:
            found = await self._make(self.value or secrets.token_bytes(INTERNAL_KEY_BYTES), force=False)
        held = _bytes(found)
        if held is None:
            if self.value is None:
                raise InternalSecretError(
                    f"Secret {self.namespace}/{names.INTERNAL_SECRET} holds no {INTERNAL_KEY_BYTES} bytes in entry "
                    f"{names.INTERNAL_SECRET_ENTRY!r}: restore it, or delete it; then the operator makes a new one and "
                    "engines restart with new keys"
                )
            found = await self._make(self.value, force=True)
            held = self.value
        if self.value is not None and held != self.value:
            log.warning("Secret %s/%s has another key: taken over", self.namespace, names.INTERNAL_SECRET)
        self.value = held
        if found["metadata"].get("ownerReferences"):
            # The first version gave it the operator's Deployment as owner, with which it went.
            await self.kube.edit(api.SECRETS, self.namespace, names.INTERNAL_SECRET, [WITHOUT_OWNER])
            log.info("took the owner off Secret %s/%s", self.namespace, names.INTERNAL_SECRET)

    async def _make(self, value: bytes, *, force: bool) -> Object:
        encoded = base64.b64encode(value).decode()
        labels = {names.MANAGED_BY: names.FIELD_MANAGER, names.PART_OF: "qwen3vl"}
        metadata = {"name": names.INTERNAL_SECRET, "namespace": self.namespace, "labels": labels}
        body: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
        body["data"] = {names.INTERNAL_SECRET_ENTRY: encoded}
        try:
            with unquoted(body["data"]):
                made = await self.kube.apply(api.SECRETS, body, manager=self.manager, force=force)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            found = await self.kube.get(api.SECRETS, self.namespace, names.INTERNAL_SECRET)
            if found is None:
                raise
            return found
        log.info("made Secret %s/%s", self.namespace, names.INTERNAL_SECRET)
        return made


def _bytes(secret: Object) -> bytes | None:
    try:
        held = base64.b64decode((secret.get("data") or {}).get(names.INTERNAL_SECRET_ENTRY, ""), validate=True)
    except binascii.Error:
        return None
    return held if len(held) == INTERNAL_KEY_BYTES else None
