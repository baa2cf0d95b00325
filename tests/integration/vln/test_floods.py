"""One that sends too much, or nothing at all, beside robots that want to drive. Real sockets, real processes."""

import asyncio
import base64
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.integration.vln.conftest import ROBOT_KEY, Chain, child_of, frame
from tests.integration.vln.flooding import flood
from tests.support.polling import until
from tests.support.scans import many_scans

from qwen3vl_client import protocol

BEARER = {"authorization": f"Bearer {ROBOT_KEY}"}


@contextlib.asynccontextmanager
async def neighbour(chain: Chain) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    task = await chain.create(robot="neighbour")
    async with chain.http.ws_connect(chain.socket_url(f"/vln/ws/{task}"), headers=BEARER) as robot:
        yield robot


async def round_trips(robot: aiohttp.ClientWebSocketResponse, first: int, seconds: float) -> list[float]:
    """Seconds from each tick of a robot to its answer."""
    taken: list[float] = []
    until_then = time.monotonic() + seconds
    while time.monotonic() < until_then:
        began = time.monotonic()
        await robot.send_bytes(protocol.message(first + len(taken), 0.0))
        assert (await robot.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT
        taken.append(time.monotonic() - began)
        await asyncio.sleep(0.03)
    return taken


async def test_a_flood_of_ticks_holds_up_no_neighbour_and_is_shown_out(chain: Chain) -> None:
    task = await chain.create(robot="flooder")
    async with neighbour(chain) as robot:
        quiet = await round_trips(robot, 1, 1.0)
        with flood(chain, task, 5000) as flooding:
            beside = await round_trips(robot, 1000, 2.5)
            await until(lambda: flooding.code, 10, "the close message")
            assert flooding.code == 4429
            assert flooding.heard <= 240 + 120 * 10
        assert statistics.median(beside) < statistics.median(quiet) + 0.01, (quiet, beside)


async def test_what_is_above_the_bucket_is_not_read_but_a_stop_is(chain: Chain) -> None:
    task = await chain.create(robot="eager")
    with flood(chain, task, 500) as flooding:
        began = time.monotonic()
        await asyncio.sleep(4.0)
        most = 240 + 120 * (time.monotonic() - began + 0.5)
        assert 240 <= flooding.heard <= most and not flooding.code
        flooding.texts.append(b'{"stop": true}')
        await until(lambda: chain.ended(task, "Cancelled"), 5)
    status, text = await chain.ask("GET", "/metrics", key=None)
    assert status == 200 and 'qwen3vl_vln_discarded_total{what="flood"}' in text


async def test_frames_by_rest_are_counted_for_each_key_and_task(chain: Chain) -> None:
    eager, other = await chain.create(robot="eager"), await chain.create(robot="other")
    body, refused = frame(eager), None
    for _ in range(2000):
        async with chain.http.post(chain.vln.url + "/vln/frame", json=body, headers=BEARER) as answer:
            told = await answer.json()  # an unread answer would cost the connection, which is the writer's
            if answer.status != 200:
                refused = answer.status, answer.headers.get("retry-after"), told["error"]["code"]
                break
    assert refused == (429, "1", "too_many_frames")
    assert (await chain.ask("POST", "/vln/frame", frame(other)))[0] == 200
    await asyncio.sleep(0.1)
    assert (await chain.ask("POST", "/vln/frame", body))[0] == 200, "it has been waited for"


async def test_who_says_nothing_is_one_of_few_and_for_ten_seconds(chain: Chain) -> None:
    task = await chain.create()
    async with chain.http.ws_connect(chain.socket_url(f"/vln/ws/{task}"), headers=BEARER) as silent:
        began = time.monotonic()
        idle = [await asyncio.open_connection(chain.vln.host, chain.vln.port) for _ in range(600)]
        try:
            await until(lambda: sum(not reader.at_eof() for reader, _ in idle) <= 256, 5, "some to be closed")
            assert all(reader.at_eof() for reader, _ in idle[:300]), "the oldest"
            async with neighbour(chain) as robot:
                assert await round_trips(robot, 1, 0.5)
                said = await silent.receive(timeout=15)
                assert said.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED), said
                await until(lambda: all(reader.at_eof() for reader, _ in idle), 15, "all of them to be closed")
                assert time.monotonic() - began < 20
                assert await round_trips(robot, 1000, 0.2), "one that has greeted or sent a frame stays"
        finally:
            for _, writer in idle:
                writer.close()


async def test_a_head_without_an_end_is_not_kept(chain: Chain) -> None:
    reader, writer = await asyncio.open_connection(chain.vln.host, chain.vln.port)
    writer.write(b"GET /health HTTP/1.1\r\nhost: vln\r\nx: ")
    sent = 0
    with contextlib.suppress(ConnectionError):
        for _ in range(4096):
            writer.write(b"x" * 4096)
            await writer.drain()
            sent += 4096
    assert sent < 4096 * 4096, "16 MiB were read"
    with contextlib.suppress(ConnectionError):
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 431")
    writer.close()


async def test_a_picture_of_many_scans_costs_nothing(chain: Chain) -> None:
    task = await chain.create()
    worker = child_of(chain.vln.running.pid)
    before, bomb = processor_seconds(worker), many_scans(4096, 4096, 2600)
    body = {"task_id": task, "frame": base64.b64encode(bomb).decode()}
    status, answer = await chain.ask("POST", "/vln/frame", body)
    assert (status, answer["state"], answer["reason"]) == (200, "error", "unusable_frame")
    await asyncio.sleep(2.0)
    assert processor_seconds(worker) - before < 1.0


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("path", ["/health", "/ready"])
async def test_probes_are_answered_while_strangers_stand_at_the_door(chain: Chain, path: str) -> None:
    idle = [await asyncio.open_connection(chain.vln.host, chain.vln.port) for _ in range(300)]
    try:
        assert (await chain.ask("GET", path, key=None))[0] == 200
    finally:
        for _, writer in idle:
            writer.close()
