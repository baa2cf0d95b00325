"""From where a request comes: its program's address, also behind proxies that are listed. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping

from qwen3vl_vln.task.http_writers import Peer

FORWARDED = ("x-forwarded-for", "forwarded", "via")
LONGEST_NAME = 253

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """Proxies whose word about addresses is taken.

    Args:
        networks: where they are.
    """

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    @property
    def listed(self) -> bool:
        """Whether there are any."""
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
            known = known.ipv4_mapped
        return any(known in network for network in self._networks)


def peer_of(headers: Mapping[str, str], client: tuple[str, int] | None, key: str, proxies: Proxies) -> Peer:
    """Who sends a frame.

    Args:
        headers: their names are in lower case.
        client: address and port of the other end of the connection.
        key: the name of the caller's key.
    """
    name = headers.get("x-writer-id", "")[:LONGEST_NAME]
    address = "" if client is None else client[0]
    if address in proxies:
        # Only the last address is the proxy's own word; those before it are what the client claims.
        last = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return Peer(key, _without_port(last)[:LONGEST_NAME] or address, name)
    proxied = not proxies.listed and any(header in headers for header in FORWARDED)
    return Peer(key, address, name, None if proxied else client, proxied)


def _without_port(address: str) -> str:
    """Some proxies add the port, which is another one for each connection: `10.0.0.7:4001`, `[fd00::7]:4001`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, _ = address.partition(":")
    return host if address.count(":") == 1 else address
