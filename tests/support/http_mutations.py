"""Connections as no careful client would use them: requests with wrong parts, cut, pipelined, among other bytes."""

import itertools
import json
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st
from tests.support.gateway_process import KEY

End = Literal["wait", "half-close", "abort"]


@dataclass(frozen=True)
class Conversation:
    """What is sent on one connection, piece by piece, and what the client does then: wait for answers, tell that it
    sends no more, or go away."""

    pieces: tuple[bytes, ...]
    end: End


BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
BODIES = [BODY, BODY, BODY[:-1] + b',"stream":true}', b"", b"{}", b"[" * 2000, b'{"x":[' + b"{}," * 100_000 + b"{}]}"]
METHODS = [
    *(b"GET", b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"PRI", b"post", b""),
    *(b"M-SEARCH", b"G\x00T", b"POST\t", b" POST", b"A" * 9000),
]
CHAT = b"/v1/chat/completions"
TARGETS = [
    *(b"/v1/completions", b"/v1/models", b"/v1/models/m", b"/v1/models/a%2Fb", b"/health", b"/ready", b"/metrics"),
    *(CHAT + b"?a=b", CHAT + b"/", b"/" + CHAT, b"/v1/../v1/chat/completions", b"/v1/%63hat/completions"),
    *(CHAT + b"%00", b"/%ff%fe", b"*", b"", b"?", b"/ ", b"/\x80", b"/a b", b"/docs", b"/#a"),
    *(b"http://other" + CHAT, b"other:443", b"/" + b"a" * 9000, b"/" + b"a" * 70_000),
]
VERSIONS = [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1", b"http/1.1", b""]
RIGHT_KEY = b"authorization: Bearer " + KEY.encode()
FIELDS = [
    *(RIGHT_KEY, b"authorization: Bearer wrong", b"authorization: Basic Zmlyc3Q=", b"Authorization:", b"host: b"),
    *(b"content-length: 0", b"content-length: 5", b"content-length: -1", b"content-length: +5", b"content-length: 0x5"),
    *(
        b"content-length: 5, 5",
        b"content-length: 99999999999999999999",
        b"content-length: 900000000",
        b"content-length:",
    ),
    *(b"transfer-encoding: chunked", b"transfer-encoding: identity", b"transfer-encoding: gzip, chunked"),
    *(b"transfer-encoding: xchunked", b"transfer-encoding:\tchunked", b"Transfer-Encoding : chunked"),
    *(b"expect: 100-continue", b"expect: a miracle", b"connection: close", b"connection: keep-alive"),
    *(b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA",),
    *(b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",),
    *(b"content-type: text/plain", b"content-type: multipart/form-data; boundary=a", b"content-encoding: gzip"),
    *(b"trailer: authorization", b"x-request-id: a\x80b", b"x-request-id: " + b"r" * 300, b"x-a: \x00", b"x-a: b\rc"),
    *(b"x-a: b\n folded", b"x-a b", b": no name", b"x-a: " + b"b" * 20_000, b"x-a: " + b"b" * 100_000, b"\xff: \xff"),
    b"\r\n".join(b"x-%d: y" % number for number in range(300)),
]
GARBAGE = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\x00",
    b"0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]
HEALTHY = b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
CHUNK_ENDS = [
    *(b"0\r\n\r\n",) * 4,
    b"0\r\n" + RIGHT_KEY + b"\r\n\r\n",
    b"0\r\nx",
    b"",
    b"-1\r\n\r\n",
    b"f" * 20 + b"\r\n",
]


def _mostly(right: bytes, wrong: list[bytes]) -> st.SearchStrategy[bytes]:
    """Each of the wrong ones now and then: where all parts are wrong, only the first one is ever looked at."""
    return st.sampled_from([right] * 4 * len(wrong) + wrong)


@st.composite
def _chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """The body in chunks, some of them not as they should be."""
    size = draw(st.sampled_from([1, 7, 100, 70_000]))
    body = body[: 300 * size]
    extension = draw(st.sampled_from([b"", b"", b"", b";a=b", b';a="\x00"', b";" + b"a" * 20_000, b" ", b"\x00"]))
    line_end = draw(st.sampled_from([b"\r\n"] * 8 + [b"\n", b""]))
    chunks = (body[at : at + size] for at in range(0, len(body), size))
    sent = b"".join(b"%x%s\r\n%s%s" % (len(chunk), extension, chunk, line_end) for chunk in chunks)
    return sent + draw(st.sampled_from(CHUNK_ENDS))


@st.composite
def _request(draw: st.DrawFn) -> bytes:
    """One request, with as many wrong parts as come."""
    method, target = draw(_mostly(b"POST", METHODS)), draw(_mostly(CHAT, TARGETS))
    version = draw(_mostly(b"HTTP/1.1", VERSIONS))
    fields = [b"host: a"] * draw(st.sampled_from([1, 1, 1, 1, 0, 2]))
    fields += [RIGHT_KEY] * draw(st.sampled_from([1, 1, 1, 0]))
    body, framing = draw(st.sampled_from(BODIES)), draw(st.sampled_from(["length", "length", "chunked", "none"]))
    if framing == "length":
        fields.append(b"content-length: %d" % len(body))
    elif framing == "chunked":
        fields.append(b"transfer-encoding: chunked")
        body = draw(_chunked(body))
    else:
        body = draw(st.sampled_from([b"", b"", body]))
    fields += draw(st.lists(st.sampled_from(FIELDS), max_size=draw(st.sampled_from([0, 1, 1, 3]))))
    fields = draw(st.permutations(fields))
    line_end = draw(st.sampled_from([b"\r\n"] * 20 + [b"\n"]))
    return line_end.join([b" ".join((method, target, version)), *fields, b"", b""]) + body


@st.composite
def _flipped(draw: st.DrawFn, sent: bytes) -> bytes:
    """The bytes with one of them changed, left out or doubled."""
    at = draw(st.integers(0, max(0, min(len(sent), 4000) - 1)))
    return sent[:at] + draw(st.binary(max_size=2)) + sent[at + draw(st.integers(0, 2)) :]


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """A connection's worth of requests."""
    requests = draw(st.lists(_request(), min_size=1, max_size=3))
    if draw(st.integers(0, 3)) == 0:
        requests.insert(draw(st.integers(0, len(requests))), draw(st.sampled_from(GARBAGE) | st.binary(max_size=30)))
    sent = b"".join(requests)
    if draw(st.integers(0, 3)) == 0:
        sent = draw(_flipped(sent))
    if draw(st.integers(0, 5)) == 0:
        sent = sent[: draw(st.integers(0, len(sent)))]
    else:
        sent += HEALTHY
    near = st.integers(0, min(len(sent), 600))
    cuts = sorted({0, len(sent), *draw(st.lists(near | st.integers(0, len(sent)), max_size=5))})
    pieces = tuple(sent[begin:end] for begin, end in itertools.pairwise(cuts))
    return Conversation(pieces, draw(st.sampled_from(["wait", "wait", "wait", "half-close", "abort"])))
