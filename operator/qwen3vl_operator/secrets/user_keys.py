"""The keys of the gateway's users: made with one entry when absent, adopted as it is when it is there."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from qwen3vl_common.keys import derive
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import Object
from qwen3vl_operator.secrets.internal import CONFLICT, InternalSecret
from qwen3vl_operator.secrets.keeper import decoded, secret
from qwen3vl_operator.secrets.unquoted import unquoted

log = logging.getLogger(__name__)

KIND = "UserKeys"
READ_AGAIN_SECONDS = 30.0
DEFAULT_CLIENT = "default"
PURPOSE = "user"


def user_keys_key(namespace: str, name: str) -> Key:
    """The queue's key of the Secret."""
    return Key(namespace, name, KIND)


@dataclass
class UserKeys:
    """Keeps the Secret. What it held when it was last read is put back when somebody deletes it.

    It is made in the name of this process alone and never by force: what somebody else makes at the same moment stays.
    """

    kube: Kube
    internal: InternalSecret
    _seen: dict[str, str] = field(default_factory=dict, repr=False)

    async def reconcile(self, key: Key) -> float:
        """Read it, and make it or put it back where it is gone; seconds until the next look."""
        found = await self.kube.get(api.SECRETS, key.namespace, key.name)
        if found is None and self.internal.value is not None:
            first = {DEFAULT_CLIENT: f"sk-{derive(self.internal.value, PURPOSE, key.namespace, DEFAULT_CLIENT)}"}
            found = await self._make(key, self._seen or first)
        if found is not None:
            self._seen = decoded(found)
        return READ_AGAIN_SECONDS

    async def _make(self, key: Key, entries: Mapping[str, str]) -> Object | None:
        """The Secret as it is then: with these entries, or as somebody made it meanwhile."""
        body = secret(key.namespace, key.name, entries)
        try:
            with unquoted(body["data"]):
                made = await self.kube.apply(api.SECRETS, body, manager=self.internal.manager, force=False)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            return await self.kube.get(api.SECRETS, key.namespace, key.name)
        log.info("made Secret %s/%s", key.namespace, key.name)
        return made
