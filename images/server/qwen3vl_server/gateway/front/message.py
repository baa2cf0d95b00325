"""One request as httptools reads it: the head, and a chunked body.

A parser is fed one head and no more, since it cannot be stopped: whatever follows would be taken for further requests
at once. A body with Content-Length does not pass through it at all."""

from urllib.parse import unquote

import httptools

from qwen3vl_common.errors import ApiError, HeadTooLarge, InvalidRequest, RequestTooLarge, UrlTooLong
from qwen3vl_server.gateway.front.limits import FrontLimits

HTTP2_PREFACE = b"PRI * HTTP/2"
_HOP = (b"upgrade", b"http2-settings")


def broken(reason: str) -> InvalidRequest:
    """What a client is told that does not speak HTTP/1.1 as it is written."""
    return InvalidRequest(f"this is not a request of HTTP/1.1: {reason}", code="invalid_http")


class Message:
    """A request that comes in pieces.

    Attributes:
        url, headers: as they came; names in lower case.
        method, version, keep_alive: valid once `head_done`.
        parser: uvicorn's own protocol asks it for the method.
        upgrade: the client offers another protocol; the head was read a second time without that.
        body, body_done: of a chunked body alone.
    """

    def __init__(self, limits: FrontLimits) -> None:
        self._limits = limits
        self._refusal: ApiError | None = None
        self.body_limit = 0
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.method = b""
        self.version = ""
        self.keep_alive = False
        self.upgrade: bytes | None = None
        self.head_done = self.body_done = False
        self._overhead = self._overhead_at_a_stretch = 0
        self.body = bytearray()
        self.parser = httptools.HttpRequestParser(self)

    def feed_head(self, piece: bytes) -> None:
        """Bytes of the head and of nothing after it.

        Raises:
            ApiError: it is no head, or not within the limits.
        """
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._read_anew()
        except httptools.HttpParserError as error:
            raise self._refusal or broken(_reason(error, piece)) from None
        if len(self.headers) > self._limits.head_fields:
            raise HeadTooLarge(f"a request has at most {self._limits.head_fields} header fields")

    def _read_anew(self) -> None:
        """httptools skips the body of a request that offers another protocol, which such a request may well have."""
        if self.method == b"CONNECT":
            return  # refused by its method; it has no body
        fields = dict(self.headers)
        self.upgrade = fields.get(b"upgrade", b"").strip().lower()
        lines = [self.method, b" ", self.url, b" HTTP/", self.version.encode(), b"\r\n"]
        for name, value in self.headers:
            if name in _HOP:
                continue
            if name == b"connection":
                value = b", ".join(t for t in map(bytes.strip, value.split(b",")) if t.lower() not in _HOP)
            if b"\r" in value or b"\n" in value:
                raise broken("a header goes over several lines")
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"\r\n")
        self.url, self.headers, self.head_done, self.body_done = b"", [], False, False
        self.parser = httptools.HttpRequestParser(self)
        try:
            self.parser.feed_data(b"".join(lines))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise self._refusal or broken("its Upgrade cannot be understood") from None

    def end_head(self, last_piece: bytes) -> None:
        """An empty line was there.

        Raises:
            ApiError: it did not end a head.
        """
        if not self.head_done:
            raise broken(_reason(None, last_piece))

    def feed_chunks(self, data: bytes) -> None:
        """Bytes of a chunked body. What follows it in the same piece is lost, and `keep_alive` False then.

        Raises:
            ApiError: it is no such body, or not within the limits.
        """
        before = len(self.body)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.body_done:
                raise self._refusal or broken(_reason(error, data)) from None
            self.keep_alive = False
        came = len(self.body) - before
        self._overhead += len(data) - came
        self._overhead_at_a_stretch = 0 if came else self._overhead_at_a_stretch + len(data)
        allowed = self._limits.overhead_bytes
        if not self.body_done and (self._overhead > allowed + len(self.body) or self._overhead_at_a_stretch > allowed):
            raise broken("its chunks, their extensions or its trailers have too many bytes beside the body's own")

    def forget_parser(self) -> None:
        """Nothing more is read of it. The two refer to each other, and would live on until the next collection."""
        self.__dict__.pop("parser", None)

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.head_done:
            raise broken("more follows than its length says")

    def on_url(self, piece: bytes) -> None:
        self.url += piece
        if len(self.url) > self._limits.url_bytes:
            self._refusal = UrlTooLong(f"a URL has at most {self._limits.url_bytes} bytes")
            raise self._refusal

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head_done:  # else it is a trailer, which nobody may take for a header
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.head_done = True
        parser = self.parser
        self.method, self.version = parser.get_method(), parser.get_http_version()
        self.keep_alive = parser.should_keep_alive() and self.version == "1.1"

    def on_body(self, piece: bytes) -> None:
        if len(self.body) + len(piece) > self.body_limit:
            self._refusal = RequestTooLarge(too_large(self.body_limit))
            raise self._refusal
        self.body += piece

    def on_message_complete(self) -> None:
        self.body_done = True


def too_large(limit: int) -> str:
    """What is said of a body that is too long."""
    return f"the body has more than {limit} bytes: send fewer or smaller pictures"


def no_page(path: str, limit: int) -> str:
    """What is said of a body that is too long for anything but an engine."""
    return f"no engine answers at {path[:100]}; elsewhere a body has at most {limit} bytes"


def path_of(url: bytes) -> str:
    """The path that a URL names, decoded.

    Raises:
        InvalidRequest: it names none.
    """
    try:
        path: bytes | None = httptools.parse_url(url).path if url.isascii() else None
    except httptools.HttpParserInvalidURLError:
        path = None
    if path is None:
        raise broken("its URL has no path")
    return unquote(path.decode("ascii"))


def _reason(error: Exception | None, piece: bytes) -> str:
    if piece.startswith(HTTP2_PREFACE):
        return "HTTP/2 is not spoken here"
    if piece.startswith(b"\x16\x03"):
        return "TLS is not spoken here; use http://"
    return str(error or "")[:200] or "it cannot be parsed"
