"""Reads answers of HTTP/1.1 as strictly as a careful client: what is not valid raises, what is cut is told."""

import json
import re
from dataclasses import dataclass

STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d) [^\x00-\x1f]*")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")


class MalformedAnswer(Exception):
    """These bytes are no answer of HTTP/1.1."""


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Incomplete(Exception):
    pass


def read_answers(data: bytes, *, closed: bool, asked_for_heads: bool) -> tuple[list[Answer], bytes]:
    """Answers of a connection, in order, and the bytes of one that is not complete.

    Args:
        closed: whether the server closed the connection after these bytes.
        asked_for_heads: whether a HEAD was among the requests: its answer may tell a length and have no body.

    Raises:
        MalformedAnswer: they are not HTTP.
    """
    answers: list[Answer] = []
    while data:
        try:
            answer, data = _one(data, closed, asked_for_heads)
        except _Incomplete:
            return answers, data
        if answer.status >= 200:
            answers.append(answer)
    return answers, b""


def _one(data: bytes, closed: bool, asked_for_heads: bool) -> tuple[Answer, bytes]:
    if not b"HTTP/1.".startswith(data[:7]) and not data.startswith(b"HTTP/1."):
        raise MalformedAnswer(f"no status line: {data[:60]!r}")
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        raise _Incomplete
    line, *fields = head.split(b"\r\n")
    status_line = STATUS_LINE.fullmatch(line)
    if status_line is None:
        raise MalformedAnswer(f"the status line is {line!r}")
    headers: dict[str, str] = {}
    for field in fields:
        header = HEADER.fullmatch(field)
        if header is None:
            raise MalformedAnswer(f"the header line {field[:100]!r}")
        name = header[1].decode().lower()
        if name in headers and name in ("content-length", "transfer-encoding", "content-type"):
            raise MalformedAnswer(f"{name} stands twice")
        headers[name] = header[2].decode("latin-1")
    status = int(status_line[1])
    body, rest = _body(status, headers, rest, closed, asked_for_heads)
    return Answer(status, headers, body), rest


def _body(
    status: int, headers: dict[str, str], rest: bytes, closed: bool, asked_for_heads: bool
) -> tuple[bytes, bytes]:
    if status < 200 or status in (204, 304) or (asked_for_heads and (rest.startswith(b"HTTP/1.") or not rest)):
        return b"", rest
    if "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
            raise MalformedAnswer(f"two ways to tell the length: {headers}")
        return _chunks(rest)
    if "content-length" in headers:
        length = int(headers["content-length"])
        if len(rest) < length:
            raise _Incomplete
        return rest[:length], rest[length:]
    if not closed:
        raise _Incomplete
    return rest, b""


def _chunks(rest: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, found, after = rest.partition(b"\r\n")
        if not found:
            raise _Incomplete
        if not CHUNK_SIZE.fullmatch(line):
            raise MalformedAnswer(f"a chunk of size {line[:60]!r}")
        size = int(line, 16)
        if len(after) < size + 2:
            raise _Incomplete
        if after[size : size + 2] != b"\r\n":
            raise MalformedAnswer(f"a chunk ends with {after[size : size + 2]!r}")
        body, rest = body + after[:size], after[size + 2 :]
        if size == 0:
            return body, rest


def error_of(answer: Answer) -> dict[str, object]:
    """The error of an answer from 400 on, in the documented shape.

    Raises:
        MalformedAnswer: it has another one.
    """
    if not answer.body and "content-length" in answer.headers:
        return {}  # of a HEAD
    try:
        error = json.loads(answer.body)["error"]
        assert answer.headers["content-type"] == "application/json"
        assert set(error) == {"message", "type", "param", "code"}
        assert isinstance(error["message"], str) and error["message"]
        assert error["type"] == ("invalid_request_error" if answer.status < 500 else "server_error")
        assert isinstance(error["code"], str)
        assert error["param"] is None or isinstance(error["param"], str)
    except (AssertionError, KeyError, TypeError, ValueError) as wrong:
        raise MalformedAnswer(f"{answer.status} with {answer.headers} and {answer.body[:300]!r}") from wrong
    found: dict[str, object] = error
    return found
