"""What the watch reads, and what it remembers: lines, events, lists, and endpoints that left. Values only."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_server.gateway.discovery.departures import FORGET_SECONDS, Departures
from qwen3vl_server.gateway.discovery.directory import Directory
from qwen3vl_server.gateway.discovery.events import (
    LONGEST_LINE_BYTES,
    Expired,
    Lines,
    MalformedAnswer,
    Refused,
    Unavailable,
    WatchError,
    failure,
    read_event,
    read_page,
)
from qwen3vl_server.gateway.discovery.sources import DROP_SECONDS, SETTLED_SECONDS, Source
from qwen3vl_server.gateway.routes import table_from_entries
from qwen3vl_server.gateway.slices import Listed, ModelSlice


def listed(address: str, *, serving: bool = True, ready: bool = True) -> Listed:
    return Listed("", address, True, ready, serving)


@given(st.lists(st.binary(max_size=9).filter(lambda line: b"\n" not in line and line.strip())), st.data())
def test_lines_come_whole_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    text = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    splitter, found = Lines(), []
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += splitter.feed(text[begin:end])
    assert found == lines
    assert not splitter.is_within_line


def test_a_line_of_many_mebibytes_is_whole_and_one_without_end_is_refused() -> None:
    splitter, part = Lines(), b"x" * (1024 * 1024)
    for _ in range(20):
        assert splitter.feed(part) == []
    assert splitter.is_within_line
    assert [len(line) for line in splitter.feed(b"\n")] == [20 * len(part)]
    with pytest.raises(MalformedAnswer, match="a line of more than"):
        for _ in range(LONGEST_LINE_BYTES // len(part) + 1):
            splitter.feed(part)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ("{not json", MalformedAnswer),
        ("[]", MalformedAnswer),
        ("{}", MalformedAnswer),
        ({"type": "ADDED"}, MalformedAnswer),
        ({"type": "ADDED", "object": []}, MalformedAnswer),
        ({"type": "ADDED", "object": {}}, MalformedAnswer),
        ({"type": "ADDED", "object": {"metadata": "x"}}, MalformedAnswer),
        ({"type": "ADDED", "object": {"metadata": {"resourceVersion": 5, "uid": "u"}}}, MalformedAnswer),
        ({"type": "ADDED", "object": {"metadata": {"resourceVersion": "5"}}}, MalformedAnswer),
        ({"type": "ADDED", "object": {"metadata": {"resourceVersion": "5", "uid": {}}}}, MalformedAnswer),
        ({"type": "RENAMED", "object": {"metadata": {"resourceVersion": "5", "uid": "u"}}}, MalformedAnswer),
        ({"type": ["ADDED"], "object": {"metadata": {"resourceVersion": "5", "uid": "u"}}}, MalformedAnswer),
        ({"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}, Expired),
        ({"type": "ERROR", "object": {"code": 410}}, Expired),
        ({"type": "ERROR", "object": {"reason": "Gone"}}, Expired),
        ({"type": "ERROR", "object": {"reason": "Expired"}}, Expired),
        ({"type": "ERROR", "object": {"code": 403, "message": "no"}}, Refused),
        ({"type": "ERROR", "object": {"code": 500, "message": "etcd is away"}}, Unavailable),
        ({"type": "ERROR", "object": {}}, Unavailable),
    ],
)
def test_an_event_that_tells_no_change_ends_the_watch_for_its_reason(event: Any, error: type[WatchError]) -> None:
    with pytest.raises(error):
        read_event((event if isinstance(event, str) else json.dumps(event)).encode())


def test_a_malformed_event_is_named() -> None:
    event = {"type": "ADDED", "object": {"metadata": {"name": "the-slice", "resourceVersion": 5}}}
    with pytest.raises(MalformedAnswer, match="'ADDED' of 'the-slice'"):
        read_event(json.dumps(event).encode())


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"metadata": {}}', '{"metadata": {"resourceVersion": 1}}',
                                  '{"metadata": {"resourceVersion": "1"}, "items": "x"}'])  # fmt: skip
def test_a_list_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(MalformedAnswer):
        read_page(text.encode())


@pytest.mark.parametrize("items", ["null", "[]"])
def test_an_empty_list_is_a_list(items: str) -> None:
    page = read_page(f'{{"metadata": {{"resourceVersion": "1", "continue": "t"}}, "items": {items}}}'.encode())
    assert (page.items, page.version, page.token) == ([], "1", "t")


@pytest.mark.parametrize(
    ("status", "said", "retry_after", "error", "seconds"),
    [
        (410, "gone", "", Expired, 0),
        (410, {"reason": "Expired"}, "", Expired, 0),
        (403, {"message": "forbidden"}, "", Refused, 0),
        (401, {"message": "unauthorized"}, "", Unavailable, 0),
        (429, {}, "7", Unavailable, 7),
        (503, "", "Wed, 21 Oct 2026 07:28:00 GMT", Unavailable, 0),
        (503, None, "²", Unavailable, 0),
    ],
)
def test_an_error_status_is_understood(
    status: int, said: object, retry_after: str, error: type[WatchError], seconds: float
) -> None:
    found = failure(status, said, retry_after)
    assert (type(found), found.retry_after_seconds) == (error, seconds)


def test_an_endpoint_is_gone_from_the_moment_it_serves_no_more() -> None:
    known = Departures()
    known.update([listed("a:1"), listed("b:1", ready=False)], 0)
    assert (known.gone_seconds("a:1", 5), known.gone_seconds("b:1", 5)) == (0, 0), "one that ends still serves"
    known.update([listed("b:1", serving=False), listed("b:1")], 10)
    assert (known.gone_seconds("a:1", 12), known.gone_seconds("b:1", 12)) == (2, 0), "one slice is enough"
    known.update([listed("b:1", serving=False)], 20)
    known.update([listed("b:1", serving=False)], 30)
    assert known.gone_seconds("b:1", 35) == 15
    known.update([listed("a:1"), listed("b:1")], 40)
    assert (known.gone_seconds("a:1", 41), known.gone_seconds("b:1", 41)) == (0, 0), "both are back"


def test_an_endpoint_that_never_served_counts_from_when_it_was_listed() -> None:
    known = Departures()
    known.update([listed("a:1", serving=False)], 100)
    assert known.gone_seconds("a:1", 103) == 3


def test_what_is_not_known_any_more_is_not_taken_for_serving() -> None:
    known = Departures()
    known.update([listed("a:1"), listed("b:1", serving=False)], 0)
    known.update([listed("b:1", serving=False)], 1)
    known.update([listed("b:1", serving=False)], 1 + FORGET_SECONDS)
    assert known.gone_seconds("a:1", 2 + FORGET_SECONDS) == FORGET_SECONDS
    assert known.gone_seconds("b:1", 2 + FORGET_SECONDS) == 2 + FORGET_SECONDS, "it is still listed"
    assert known.gone_seconds("never:1", 0) == FORGET_SECONDS


@given(st.lists(st.dictionaries(st.sampled_from("abcde"), st.booleans()), max_size=30))
def test_zero_means_serving_now_and_memory_is_bounded(steps: list[dict[str, bool]]) -> None:
    known = Departures()
    for number, step in enumerate(steps):
        known.update([listed(name, serving=serving) for name, serving in step.items()], number * FORGET_SECONDS / 2)
        now = number * FORGET_SECONDS / 2 + 1
        assert {name for name in "abcde" if not known.gone_seconds(name, now)} == {n for n, yes in step.items() if yes}
        lately = {name for past in steps[max(0, number - 2) : number + 1] for name in past}
        assert known._gone_at.keys() <= lately


def test_a_directory_asks_its_clock_and_a_file_has_no_departures() -> None:
    now = 50.0
    directory = Directory(clock=lambda: now)
    piece = ModelSlice("u", "s", "ns", "m", "m", "e", None, 1, (listed("a:1"),), 0)
    directory.publish([piece])
    assert (directory.routes["m"].endpoints, directory.gone_seconds("a:1")) == (("a:1",), 0)
    directory.publish([])
    now = 80.0
    assert (directory.routes, directory.gone_seconds("a:1")) == ({}, 30)
    static = Directory(table_from_entries([{"model": "m", "endpoints": ["h:1"]}], created=0), complete=True)
    assert (static.gone_seconds("h:1"), static.gone_seconds("other:1")) == (0, 0)


def _slice(name: str, uid: str = "", **changes: Any) -> dict[str, Any]:
    labels = {"qwen3vl.io/model": "m", "qwen3vl.io/served-name": "m"}
    return {"metadata": {"name": name, "uid": uid or name, "namespace": "ns", "labels": labels, **changes}}


def test_a_slice_that_cannot_be_read_is_told_once_and_again_when_it_changed(caplog: pytest.LogCaptureFixture) -> None:
    source = Source("ns")
    for _ in range(3):
        source.begin_list()
        source.take_page([_slice("bad", namespace=5), _slice("good")])
        source.end_list()
    assert list(source.slices) == ["good"]
    assert [line for line in caplog.messages if "bad" in line] == [
        "EndpointSlice 5/bad: metadata.namespace is not a text"
    ]
    for endpoints in ([None], [None], [None, None], [], [None]):
        source.put("good", _slice("good") | {"ports": [{"port": 1}], "endpoints": endpoints})
    said = [line.partition(" of its")[0] for line in caplog.messages if "ns/good" in line]
    assert said == [f"EndpointSlice ns/good: {count}" for count in (1, 2, 1)]


def test_a_namespace_that_is_refused_keeps_its_slices_for_a_while_and_is_then_unserved() -> None:
    source = Source("ns")
    source.take_page([_slice("s")])
    source.end_list()
    assert (source.is_healthy, list(source.slices)) == (True, ["s"])
    source.failed(0, refused=True)
    source.failed(DROP_SECONDS - 1, refused=True)
    assert (source.is_healthy, list(source.slices)) == (False, ["s"])
    source.failed(DROP_SECONDS, refused=True)
    assert not source.slices


def test_an_apiserver_that_is_away_takes_nothing_from_what_is_known() -> None:
    source = Source("ns")
    source.take_page([_slice("s")])
    source.end_list()
    source.failed(0, refused=True)
    source.failed(DROP_SECONDS - 1, refused=False)
    source.failed(DROP_SECONDS * 5, refused=False)
    source.failed(DROP_SECONDS * 5 + 1, refused=True)
    assert list(source.slices) == ["s"]


def test_a_namespace_is_settled_once_listed_or_refused_for_a_while() -> None:
    source = Source("ns")
    source.failed(0, refused=False)
    assert not source.is_settled(1000), "nobody knows what is in it"
    source.failed(0, refused=True)
    assert [source.is_settled(now) for now in (0, SETTLED_SECONDS - 1, SETTLED_SECONDS)] == [False, False, True]
    source.end_list()
    assert source.is_settled(0)
