"""The keys of the gateway's users: made with one entry when absent, adopted as it is when it is there."""

import logging
from dataclasses import dataclass, field

from qwen3vl_common.keys import derive
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import Kube
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.secrets.internal import InternalSecret
from qwen3vl_operator.secrets.keeper import decoded, secret

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
    """Keeps the Secret. What it held when it was last read is put back when somebody deletes it."""

    kube: Kube
    internal: InternalSecret
    _seen: dict[str, str] = field(default_factory=dict, repr=False)

    async def reconcile(self, key: Key) -> float:
        """Read it, and make it or put it back where it is gone; seconds until the next look."""
        found = await self.kube.get(api.SECRETS, key.namespace, key.name)
        if found is not None:
            self._seen = decoded(found)
        elif self.internal.value is not None:
            first = {DEFAULT_CLIENT: f"sk-{derive(self.internal.value, PURPOSE, key.namespace, DEFAULT_CLIENT)}"}
            entries = self._seen or first
            self._seen = decoded(await self.kube.apply(api.SECRETS, secret(key.namespace, key.name, entries)))
            log.info("made Secret %s/%s", key.namespace, key.name)
        return READ_AGAIN_SECONDS
