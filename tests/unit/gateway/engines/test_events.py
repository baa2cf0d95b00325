"""Whatever the chunks, the bytes are the same and none of what was sent ends within an event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_server.gateway.engines.events import HELD_BYTES, WholeEvents


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b""))), st.data())
def test_any_chunking_gives_the_same_bytes_in_whole_events(end: bytes, lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(b"data: " + line + end for line in lines) + data.draw(st.sampled_from([b"", b"data: hal"]))
    events, sent, position = WholeEvents(), b"", 0
    while position < len(stream):
        size = data.draw(st.integers(1, len(stream) - position))
        sent += events.feed(stream[position : position + size])
        position += size
        assert not sent or sent.endswith(end)
    assert sent + events.rest() == stream


@given(st.lists(st.sampled_from([b"data: a\n", b"\n", b"\r\n", b": c\r\n", b"x" * 5]), max_size=20), st.data())
def test_where_the_chunks_end_does_not_change_what_is_an_event(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    whole, cut, sent, position = WholeEvents(), WholeEvents(), b"", 0
    while position < len(stream):
        size = data.draw(st.integers(1, len(stream) - position))
        sent += cut.feed(stream[position : position + size])
        position += size
    # Of empty lines in a row, which are no event, some may be held for longer.
    assert sent.rstrip(b"\r\n") == whole.feed(stream).rstrip(b"\r\n")


def test_of_an_event_over_the_limit_a_part_is_handed_on_and_that_is_known() -> None:
    events = WholeEvents()
    assert events.feed(b"x" * HELD_BYTES) == b""
    assert not events.inside
    sent = events.feed(b"yz\n")
    assert events.inside
    sent += events.feed(b"\ndata: next")
    assert not events.inside
    assert sent == b"x" * HELD_BYTES + b"yz\n\n"
    assert events.rest() == b"data: next"


def test_whole_events_in_front_of_a_large_one_go_on_at_once() -> None:
    events = WholeEvents()
    assert events.feed(b"data: a\n\n" + b"x" * (2 * HELD_BYTES)) == b"data: a\n\n"
    assert not events.inside
