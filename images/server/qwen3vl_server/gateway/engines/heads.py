"""Heads of the requests to engines, as bytes; all but the last two fields are kept for the next request."""

from collections.abc import Callable

from qwen3vl_server.gateway.routes import Route

KEPT = 4_096


class Heads:
    """Args:
    key_of: the key that a route's engine asks for.
    """

    def __init__(self, key_of: Callable[[Route], str | None]) -> None:
        self._key_of = key_of
        self._kept: dict[tuple[str, str, str, str, str | None], bytes] = {}

    def post(self, route: Route, address: str, path: str, request_id: str, length: int) -> bytes:
        """For a JSON body of `length` bytes.

        Raises:
            ValueError: the key, the path or the id would end its line.
        """
        if not request_id.isprintable():
            raise ValueError("an id of a request is printable")
        # `route` itself would cost more to look up: all its fields would be hashed.
        which = (path, address, route.namespace, route.model, route.key)
        kept = self._kept.get(which)
        if kept is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            kept = self._kept[which] = self._head("POST", route, address, path) + b"content-type: application/json\r\n"
        return b"%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (kept, request_id.encode("latin-1"), length)

    def get(self, route: Route, address: str, path: str) -> bytes:
        """Without a body.

        Raises:
            ValueError: the key or the path would end its line.
        """
        return self._head("GET", route, address, path) + b"\r\n"

    def _head(self, method: str, route: Route, address: str, path: str) -> bytes:
        # Bytes are handed on as they come, so the engine must not compress them for us.
        lines = [f"{method} {path} HTTP/1.1", f"host: {address}", "accept-encoding: identity"]
        if key := self._key_of(route):
            lines.append(f"authorization: Bearer {key}")
        if not all(line.isprintable() for line in lines):
            raise ValueError("a key or a path with a control character cannot be sent")
        return "".join(f"{line}\r\n" for line in lines).encode()
