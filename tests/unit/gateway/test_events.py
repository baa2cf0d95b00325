"""Whatever the chunks, the bytes are the same and none of what was sent ends within an event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_server.gateway.events import HELD_BYTES, WholeEvents


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


def test_an_endless_event_is_not_held_for_ever() -> None:
    events = WholeEvents()
    assert events.feed(b"x" * HELD_BYTES) == b""
    assert events.feed(b"yz") == b"x" * HELD_BYTES + b"yz"
