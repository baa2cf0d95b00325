"""Who sends an HTTP request, and whether it may: the one gate before all routes that need a key."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request

from qwen3vl_common.strangers import acquaint
from qwen3vl_vln.edge.identity import Authenticator, Caller
from qwen3vl_vln.edge.peers import Proxies, peer_of
from qwen3vl_vln.errors import NoRightError
from qwen3vl_vln.task.http_writers import Peer


@dataclass(frozen=True)
class Callers:
    """Tells callers by their requests.

    Attributes:
        origins: whose pages may use the API where no keys are asked for.
        proxies: whose word about the addresses of programs is taken.
    """

    authenticator: Authenticator
    origins: frozenset[str]
    proxies: Proxies

    def need(self, request: Request, *rights: str) -> Caller:
        """Who steers by this request.

        Raises:
            NoKeyError: no key, or an unknown one.
            NoRightError: it has none of these rights, or a foreign page sends it.
        """
        origin = request.headers.get("origin")
        own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
        if self.authenticator.open and not own and origin not in self.origins:
            # Where there are keys a foreign page has none; here nothing else would keep it from steering a robot.
            raise NoRightError("pages of other origins may not use a VLN API without keys")
        return self.need_key(request, *rights)

    def need_key(self, request: Request, *rights: str) -> Caller:
        """Who looks by this request, from any page.

        Raises:
            NoKeyError: no key, or an unknown one.
            NoRightError: it has none of these rights.
        """
        caller = self.authenticator.caller(request.headers)
        caller.need(*rights)
        acquaint(request.scope)
        return caller

    def peer(self, request: Request, caller: Caller) -> Peer:
        """From where the request comes."""
        return peer_of(request.headers, request.client, caller.name, self.proxies)
