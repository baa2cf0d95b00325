"""However the network cuts what a client sends, the client gets the same answers."""

import asyncio
import contextlib
import itertools

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.gateway.front.conftest import HEALTH, QUICK, Fronted, TinyDoor, fronted, request
from tests.integration.gateway.front.taken import TAKEN

MESSAGES = [raw for raw, _ in TAKEN.values() if b"chunked" not in raw and len(raw) < 2000]
MESSAGES += [HEALTH, request(b"", key="bad"), request(b"\r\n\r\n" * 20), request(HEALTH * 3)]


async def answers(front: Fronted, pieces: list[bytes], count: int) -> list[tuple[int, bytes]]:
    client = await front.connect()
    for piece in pieces:
        client.send(piece)
        await client.writer.drain()
        await asyncio.sleep(0)
    got = [await client.answer() for _ in range(count)]
    await client.close()
    return [(one.status, one.body) for one in got]


def test_the_same_answers_for_any_cuts() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, contextlib.ExitStack() as stack:
        started = fronted(TinyDoor(), QUICK)
        front = runner.run(started.__aenter__())
        stack.callback(lambda: runner.run(started.__aexit__(None, None, None)))

        @settings(max_examples=60, deadline=None)
        @given(st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=6), st.data())
        def same(messages: list[bytes], data: st.DataObject) -> None:
            raw = b"".join(messages)
            cuts = data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=12))
            edges = [0, *sorted(cuts), len(raw)]
            pieces = [raw[start:end] for start, end in itertools.pairwise(edges)]
            whole = runner.run(answers(front, [raw], len(messages)))
            assert runner.run(answers(front, pieces, len(messages))) == whole
            assert {status for status, _ in whole} <= {200, 401}

        same()
