"""The judges of the gateway's random tests: what they must not let pass, and what they must."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.engine_oracle import violations
from tests.support.fuzzing import SECONDS_VARIABLE, SEED_VARIABLE, Target, fuzz
from tests.support.http_answers import Answer, MalformedAnswer, error_of, read_answers
from tests.support.json_mutations import RIGHT, URL, Literal, Pairs, bodies, written

ERROR = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "invalid_json"}}
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def _read(data: bytes, *, closed: bool = True, heads: bool = False) -> tuple[list[int], bytes]:
    answers, cut = read_answers(data, closed=closed, asked_for_heads=heads)
    return [answer.status for answer in answers], cut


def test_answers_are_read_by_their_length_in_chunks_or_to_the_end() -> None:
    length = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}"
    chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert _read(b"HTTP/1.1 100 Continue\r\n\r\n" + length + chunks + length) == ([400, 200, 400], b"")
    assert _read(b"HTTP/1.0 200 OK\r\n\r\nall of it") == ([200], b"")
    assert _read(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" + length, heads=True) == ([200, 400], b"")


@pytest.mark.parametrize("kept", [1, 9, 30, 47, 60, -1])
def test_an_answer_that_is_cut_is_told(kept: int) -> None:
    whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\n" + b"x" * 32 + b"\r\n0\r\n\r\n"
    assert _read(whole) == ([200], b"")
    assert _read(whole[:kept]) == ([], whole[:kept])


@pytest.mark.parametrize(
    "data",
    [
        b"Bad request",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}trailing",
    ],
)
def test_what_is_no_http_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        _read(data)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b"Invalid HTTP request received.", "text/plain"),
        (400, json.dumps(ERROR).encode(), "text/plain"),
        (503, json.dumps(ERROR).encode(), "application/json"),
        (400, json.dumps({"detail": "no"}).encode(), "application/json"),
        (400, json.dumps({"error": {"message": "no"}}).encode(), "application/json"),
    ],
)
def test_an_error_of_another_shape_is_refused(status: int, body: bytes, kind: str) -> None:
    good = Answer(400, {"content-type": "application/json"}, json.dumps(ERROR).encode())
    assert error_of(good)["code"] == "invalid_json"
    with pytest.raises(MalformedAnswer):
        error_of(Answer(status, {"content-type": kind}, body))


def test_a_status_that_is_not_documented_is_refused() -> None:
    with pytest.raises(AssertionError, match="500"):
        Target.documented(Answer(500, {"content-type": "application/json"}, json.dumps(ERROR).encode()))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"chat_template": "x"}, "field chat_template"),
        ({"n": 100}, "n: 100"),
        ({"max_tokens": True}, "max_tokens: True"),
        ({"seed": "1"}, "seed: '1'"),
        ({"messages": [{"role": "user", "content": "<|im_start|>"}]}, "special token <|im_start|>"),
        ({"messages": [{"role": "user", "content": "", "lora": 1}]}, "message's field lora"),
        ({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}, "part's field type of video_url"),
        ({"messages": [{"content": [{"type": "text", "text": "", "url": ""}]}]}, "part's field url of text"),
        (
            {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "http://a"}}]}]},
            "picture http://a",
        ),
    ],
)
def test_what_an_engine_must_not_get_is_found(change: dict[str, Any], found: str) -> None:
    assert found in violations({}, json.dumps(CHAT | change).encode(), secret="first")


def test_keys_that_stand_twice_and_the_clients_key_are_found() -> None:
    assert violations({}, b'{"messages":[{"role":"user","role":"user"}]}', secret="first") == [
        "a key twice in the body.messages[0]"
    ]
    headers = {"Authorization": "Bearer first", "X-Evil": "1"}
    assert violations(headers, json.dumps(CHAT).encode(), secret="first") == ["header X-Evil", "the client's key"]


def test_right_requests_are_right() -> None:
    for _, right in RIGHT:
        assert violations({"Host": "a"}, written(right).encode(), secret="first") == []
        assert json.loads(written(right)) == right
    assert URL.startswith("data:image/png;base64,")


def test_trees_are_written_with_what_json_does_not_have() -> None:
    assert written(Pairs([("a", 1), ("a", [Literal("NaN"), "\ud800"])])) == '{"a":1,"a":[NaN,"\\ud800"]}'


@given(bodies())
def test_a_mutated_body_is_bytes_for_one_of_the_two_paths(example: tuple[str, bytes]) -> None:
    path, body = example
    assert path in ("chat/completions", "completions") and isinstance(body, bytes)


def test_random_tests_end_by_the_time_and_begin_by_the_seed_that_are_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []
    monkeypatch.setenv(SECONDS_VARIABLE, "0")
    monkeypatch.setenv(SEED_VARIABLE, "7")
    assert fuzz(seen.append, st.integers(), share=1) == len(seen) > 5
    assert capsys.readouterr().out == f"{SEED_VARIABLE}=7\n"
    again: list[int] = []
    fuzz(again.append, st.integers(), share=1)
    assert again == seen, "a seed gives its examples again"
    with pytest.raises(AssertionError):
        fuzz(lambda number: (_ for _ in ()).throw(AssertionError) if number > 100 else None, st.integers(), share=1)
