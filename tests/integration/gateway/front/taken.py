"""Requests that are unusual and right: name → bytes, and how many of its body the door sees."""

from tests.integration.gateway.front.conftest import PATH, chunked, request

P = PATH.encode()

TAKEN: dict[str, tuple[bytes, int]] = {
    "an absolute URL": (request(b"{}").replace(P, b"http://gateway" + P), 2),
    "a query": (request(b"{}").replace(P, P + b"?api-version=1"), 2),
    "a path in escapes": (request(b"{}").replace(P, P.replace(b"chat", b"%63hat")), 2),
    "one empty line before": (b"\r\n" + request(b"{}"), 2),
    "header names in capitals": (request(b"{}").replace(b"authorization", b"AUTHORIZATION"), 2),
    "a trailer": (chunked(b"{}", trailers=b"host: other\r\nauthorization: Bearer bad\r\n"), 2),
    "a chunk extension": (chunked(b"{}").replace(b"2\r\n{}", b"2;a=b\r\n{}"), 2),
    "128 header fields": (request(b"{}", headers=b"x: y\r\n" * 124), 2),
    "60 KiB of headers": (request(b"{}", headers=b"x: " + b"y" * 60_000 + b"\r\n"), 2),
    "h2c as Java's client offers it": (
        request(b"{}" * 100, headers=b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAE\r\n"),
        200,
    ),
    "h2c in chunks": (
        chunked(b"{}", b"x" * 500, headers=b"connection: upgrade,http2-settings\r\nupgrade: h2c\r\n"),
        502,
    ),
    "another upgrade": (request(b"{}", headers=b"connection: upgrade\r\nupgrade: TLS/1.0\r\n"), 2),
    "an upgrade that stays without its Connection": (request(b"{}", headers=b"upgrade: websocket\r\n"), 2),
}  # fmt: skip
