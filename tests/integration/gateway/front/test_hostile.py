"""What nobody should send: what each input gets, that it reaches nobody, and that others are served meanwhile."""

import pytest
from tests.integration.gateway.front.conftest import HEALTH, MIB, PATH, Fronted, chunked, request
from tests.integration.gateway.front.taken import TAKEN

P = PATH.encode()
POST = b"POST " + P + b" HTTP/1.1\r\n"
KEY = b"authorization: Bearer good\r\n"
HOST = b"host: g\r\n"
BAD = (400, "invalid_http", True)

# name: bytes, status, code, whether the connection closes
REFUSED: dict[str, tuple[bytes, int, str, bool]] = {
    "no HTTP at all": (b"hello there\r\n\r\n", *BAD),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), *BAD),
    "an HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), *BAD),
    "an SSH greeting": (b"SSH-2.0-OpenSSH_9.2\r\n", *BAD),
    "NUL bytes": (bytes(100), *BAD),
    "empty lines alone": (b"\r\n\r\n\r\n\r\n", *BAD),
    "version 0.9": (b"GET /health\r\n\r\n", *BAD),
    "version 2.0": (b"GET /health HTTP/2.0\r\nhost: g\r\n\r\n", *BAD),
    "version 1.2": (b"GET /health HTTP/1.2\r\nhost: g\r\n\r\n", *BAD),
    "version 9.9": (b"GET /health HTTP/9.9\r\nhost: g\r\n\r\n", *BAD),
    "another protocol's name": (b"GET /health HTTQ/1.1\r\nhost: g\r\n\r\n", *BAD),
    "an unknown method": (b"FETCH /health HTTP/1.1\r\nhost: g\r\n\r\n", *BAD),
    "a method in lower case": (b"post " + P + b" HTTP/1.1\r\nhost: g\r\n\r\n", *BAD),
    "bare line feeds": (b"GET /health HTTP/1.1\nhost: g\n\n", *BAD),
    "bare carriage returns": (b"GET /health HTTP/1.1\rhost: g\r\r", *BAD),
    "no Host": (POST + KEY + b"content-length: 2\r\n\r\n{}", *BAD),
    "no Host for a page": (b"GET /health HTTP/1.1\r\n\r\n", *BAD),
    "Host twice": (POST + HOST + HOST + KEY + b"content-length: 0\r\n\r\n", *BAD),
    "Authorization twice, good first": (
        POST + HOST + KEY + b"authorization: Bearer bad\r\ncontent-length: 0\r\n\r\n",
        *BAD,
    ),
    "Authorization twice, good last": (
        POST + HOST + b"Authorization: Bearer bad\r\n" + KEY + b"content-length: 0\r\n\r\n",
        *BAD,
    ),
    "Authorization twice, the same": (POST + HOST + KEY + KEY + b"content-length: 0\r\n\r\n", *BAD),
    "Content-Length twice, the same": (
        POST + HOST + KEY + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        *BAD,
    ),
    "Content-Length twice, different": (
        POST + HOST + KEY + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        *BAD,
    ),
    "Content-Length as a list": (POST + HOST + KEY + b"content-length: 2, 2\r\n\r\n{}", *BAD),
    "a negative Content-Length": (POST + HOST + KEY + b"content-length: -2\r\n\r\n{}", *BAD),
    "a signed Content-Length": (POST + HOST + KEY + b"content-length: +2\r\n\r\n{}", *BAD),
    "a Content-Length in hex": (POST + HOST + KEY + b"content-length: 0x2\r\n\r\n{}", *BAD),
    "a Content-Length with an underscore": (POST + HOST + KEY + b"content-length: 1_0\r\n\r\n{}", *BAD),
    "an empty Content-Length": (POST + HOST + KEY + b"content-length: \r\n\r\n", *BAD),
    "a Content-Length of 5,000 digits": (POST + HOST + KEY + b"content-length: " + b"9" * 5000 + b"\r\n\r\n", *BAD),
    "Content-Length and chunked": (chunked(b"{}", headers=b"content-length: 2\r\n"), *BAD),
    "chunked and Content-Length": (
        POST + HOST + KEY + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        *BAD,
    ),
    "xchunked": (POST + HOST + KEY + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n", *BAD),
    "chunked, identity": (POST + HOST + KEY + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n", *BAD),
    "gzip, chunked": (POST + HOST + KEY + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", *BAD),
    "chunked twice": (
        POST + HOST + KEY + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        *BAD,
    ),
    "chunked in HTTP/1.0": (chunked(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"), *BAD),
    "a chunk size beyond all numbers": (
        POST + HOST + KEY + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        *BAD,
    ),
    "a chunk size that is none": (POST + HOST + KEY + b"transfer-encoding: chunked\r\n\r\nzz\r\n", *BAD),
    "a negative chunk size": (POST + HOST + KEY + b"transfer-encoding: chunked\r\n\r\n-1\r\n", *BAD),
    "a chunk longer than it says": (
        POST + HOST + KEY + b"transfer-encoding: chunked\r\n\r\n2\r\n{}}\r\n0\r\n\r\n",
        *BAD,
    ),
    "a chunk extension of 1 MiB": (
        POST + HOST + KEY + b"transfer-encoding: chunked\r\n\r\n1;" + b"e" * MIB + b"\r\nx\r\n0\r\n\r\n",
        *BAD,
    ),
    "chunks of one byte": (chunked(*[b"x"] * 60_000), *BAD),
    "trailers of 1 MiB": (chunked(b"{}", trailers=b"t: " + b"x" * MIB + b"\r\n"), *BAD),
    "a space before the colon": (POST + HOST + KEY + b"content-length : 2\r\n\r\n{}", *BAD),
    "a field without a colon": (POST + HOST + KEY + b"content-length\r\n\r\n", *BAD),
    "a field without a name": (POST + HOST + b": x\r\n\r\n", *BAD),
    "a field over two lines": (POST + HOST + KEY + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n", *BAD),
    "a NUL in a value": (POST + HOST + KEY + b"x: a\0b\r\ncontent-length: 0\r\n\r\n", *BAD),
    "a space in the URL": (b"GET /hea lth HTTP/1.1\r\nhost: g\r\n\r\n", *BAD),
    "bytes that are no ASCII in the URL": ("GET /ü HTTP/1.1\r\nhost: g\r\n\r\n".encode(), *BAD),
    "a URL without a path": (b"GET http://[::1 HTTP/1.1\r\nhost: g\r\n\r\n", *BAD),
    "a WebSocket": (
        b"GET /v1/models HTTP/1.1\r\nhost: g\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
        *BAD,
    ),
    "CONNECT": (b"CONNECT example.com:443 HTTP/1.1\r\nhost: g\r\n\r\n", 405, "method_not_allowed", True),
    "TRACE": (b"TRACE / HTTP/1.1\r\nhost: g\r\n\r\n", 405, "method_not_allowed", True),
    "a URL of 9 KiB": (
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: g\r\n\r\n",
        414,
        "url_too_long",
        True,
    ),
    "a URL without end": (b"GET /" + b"a" * 60_000, 414, "url_too_long", True),
    "a header of 100 KB": (
        b"GET /health HTTP/1.1\r\nhost: g\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
        431,
        "headers_too_large",
        True,
    ),
    "a header without end": (
        b"GET /health HTTP/1.1\r\nhost: g\r\nx: " + b"a" * 500_000,
        431,
        "headers_too_large",
        True,
    ),
    "129 header fields": (
        b"GET /health HTTP/1.1\r\nhost: g\r\n" + b"x: y\r\n" * 128 + b"\r\n",
        431,
        "headers_too_large",
        True,
    ),
    "20,000 header fields": (
        b"GET /health HTTP/1.1\r\nhost: g\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        431,
        "headers_too_large",
        True,
    ),
    "no key": (POST + HOST + b"content-length: 2\r\n\r\n{}", 401, "invalid_api_key", False),
    "a wrong key": (request(b"{}", key="bad"), 401, "invalid_api_key", False),
    "a wrong key, and no body yet": (request(b"", key="bad", length=5000), 401, "invalid_api_key", True),
    "a wrong key in chunks": (chunked(b"{}", key="bad"), 401, "invalid_api_key", True),
    "a key in a trailer": (
        chunked(b"{}", key="bad", trailers=b"authorization: Bearer good\r\n"),
        401,
        "invalid_api_key",
        True,
    ),
    "a wrong key that waits for 100 Continue": (
        request(b"", key="bad", length=5000, headers=b"expect: 100-continue\r\n"),
        401,
        "invalid_api_key",
        True,
    ),
    "900 MB that wait for 100 Continue": (
        request(b"", length=900 * MIB, headers=b"expect: 100-continue\r\n"),
        413,
        "request_too_large",
        True,
    ),
    "a body of 19 digits": (request(b"", length=10**18), 413, "request_too_large", True),
    "too many chunks": (chunked(*[b"x" * MIB] * 9), 413, "request_too_large", True),
    "a body for a page": (
        b"GET /health HTTP/1.1\r\nhost: g\r\ncontent-length: 100000\r\n\r\n",
        413,
        "request_too_large",
        True,
    ),
    "a body in chunks for a page": (
        b"POST /v1/models HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n"
        + b"8000\r\n" + b"x" * 0x8000 + b"\r\n" + b"8001\r\n" + b"x" * 0x8001 + b"\r\n0\r\n\r\n",
        413,
        "request_too_large",
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_is_refused_in_the_documented_shape(front: Fronted, name: str) -> None:
    raw, status, code, closes = REFUSED[name]
    client = await front.connect(limit=2**20)
    answer = await client.ask(raw)
    assert (answer.status, answer.code, answer.closes) == (status, code, closes), answer.body
    assert front.door.exchanges == []
    assert front.pages == []
    assert (front.door.refusals, answer.headers["x-request-id"]) == ([status], "of-the-door")
    if closes:
        assert await client.closed() == b""
    else:
        assert (await client.ask(request(b"abc"))).body == b'{"bytes":3}'
    await front.healthy()
    await front.quiet()


# name: bytes, body that the door got
@pytest.mark.parametrize("name", TAKEN)
async def test_is_taken(front: Fronted, name: str) -> None:
    raw, size = TAKEN[name]
    client = await front.connect()
    for _ in range(2):
        answer = await client.ask(raw)
        assert (answer.status, answer.body) == (200, b'{"bytes":%d}' % size)
    head = front.door.admitted[0]
    assert (head.path, head.headers[b"authorization"]) == (PATH, b"Bearer good")
    assert head.headers[b"host"] in (b"gateway", b"g")
    if name.startswith("h2c"):
        assert not {b"upgrade", b"http2-settings"} & set(head.headers)
    assert (await client.ask(HEALTH)).status == 200
    await front.quiet()


@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize("name", ["h2c in chunks", "h2c as Java's client offers it", "a trailer", "a chunk extension"])
async def test_pieces_make_no_difference(front: Fronted, name: str, piece: int) -> None:
    raw, size = TAKEN[name]
    client = await front.connect()
    for start in range(0, len(raw), piece):
        client.send(raw[start : start + piece])
        await client.writer.drain()
    assert (await client.answer()).body == b'{"bytes":%d}' % size
    await front.quiet()
