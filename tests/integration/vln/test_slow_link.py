"""A robot far away: the edge measures the way to it, and says when that is what makes it slow."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.integration.vln.conftest import FORWARD, ROBOT_KEY, Base, Chain
from tests.support.polling import until

from qwen3vl_client import Robot


@contextlib.asynccontextmanager
async def far_away(chain: Chain, one_way_seconds: float) -> AsyncIterator[int]:
    """A port from which every byte to the VLN API, and back, takes so long."""
    loop, pipes = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            loop.call_later(one_way_seconds, writer.write, data)
        loop.call_later(one_way_seconds, writer.close)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(chain.vln.host, chain.vln.port)
        pipes.update((asyncio.create_task(pipe(reader, back)), asyncio.create_task(pipe(there, writer))))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in pipes:
            each.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)


@pytest.mark.parametrize(("one_way_ms", "slow"), [(1, False), (100, True)])
async def test_the_round_trip_is_measured_and_a_slow_one_is_said(chain: Chain, one_way_ms: int, slow: bool) -> None:
    await chain.says(FORWARD)
    task, messages = await chain.create(), set[str]()
    async with (
        far_away(chain, one_way_ms / 1000) as port,
        Robot(
            f"ws://127.0.0.1:{port}/vln/ws/{task}",
            key=ROBOT_KEY,
            on_answer=lambda body: messages.add(body["message"]),
        ) as robot,
    ):
        driving = asyncio.create_task(Base(robot).drive())
        await until(lambda: robot.answer is not None and robot.answer["link"] is not None)
        await asyncio.sleep(2.0)  # a few pings
        answer, record = robot.answer, await chain.task(task)
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)
    assert answer is not None and record["link"] is not None
    assert 2 * one_way_ms <= answer["link"]["rtt_p50_ms"] <= 2 * one_way_ms + 60
    assert answer["link"]["rtt_p50_ms"] <= answer["link"]["rtt_max_ms"]
    assert ("link_slow" in str(record["warnings"])) is slow
    assert any("link_slow" in message for message in messages) is slow
