"""Who asks, by the key alone: a user's key for every model, or a model's VLN API by a key that is good for it alone."""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from qwen3vl_common.errors import InvalidKey
from qwen3vl_common.keys import KeyRing, bearer_key, derive
from qwen3vl_server.gateway.routes import Route

_derive = lru_cache(maxsize=4096)(derive)
"""The same few keys again for every request with a key that no user has."""


class Client(NamedTuple):
    """A client by name. `only` is the (namespace, VisionModel) that its key is for; None: every model."""

    name: str
    only: tuple[str, str] | None = None

    def may_ask(self, route: Route) -> bool:
        """Whether the key is for this model."""
        return self.only is None or self.only == (route.namespace, route.model)


@dataclass(frozen=True)
class Clients:
    """All who may ask.

    Attributes:
        users: users' keys; None where no key is asked for.
        internal_secret: what the keys of VLN APIs are derived from; empty outside Kubernetes, where there are none.
    """

    users: KeyRing | None
    internal_secret: bytes = field(default=b"", repr=False)

    def identify(self, headers: Mapping[bytes, bytes], routes: Iterable[Route]) -> Client:
        """The client that the Authorization header belongs to.

        Raises:
            InvalidKey: no key, or an unknown one.
        """
        if self.users is None:
            return Client("anonymous")
        key = bearer_key(headers.get(b"authorization", b"").decode("latin-1"))
        if not key:
            raise InvalidKey("no API key: send the header Authorization: Bearer <key>")
        user = self.users.client(key)
        found = Client(user) if user is not None else self._vln(key, routes)
        if found is None:
            raise InvalidKey("the API key is not known")
        return found

    def _vln(self, key: str, routes: Iterable[Route]) -> Client | None:
        """Every model's key is compared, each in constant time."""
        if not self.internal_secret:
            return None
        found, given = None, key.encode()
        for route in routes:
            known = _derive(self.internal_secret, "vln-to-gateway", route.namespace, route.model)
            if hmac.compare_digest(known.encode(), given):
                found = Client(f"vln/{route.namespace}/{route.model}", (route.namespace, route.model))
        return found
