"""Waiting for the model and writing to a task: who is refused, with which status, and who is not."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.vln.conftest import FORWARD, ROBOT_KEY, Chain, frame, running
from tests.support.polling import until

from qwen3vl_vln.task.lease import QUIET_SECONDS

BEARER = {"authorization": f"Bearer {ROBOT_KEY}"}


async def send(chain: Chain, task: str, writer: str | None, seed: int = 0) -> tuple[int, dict[str, Any]]:
    """A frame of a writer that names itself, or does not."""
    headers = BEARER | ({"x-writer-id": writer} if writer else {})
    async with chain.http.post(chain.vln.url + "/vln/frame", json=frame(task, seed), headers=headers) as response:
        return response.status, await response.json()


def program(address: str) -> aiohttp.ClientSession:
    """A program at this address, which keeps its connection open."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1, local_addr=(address, 0)))


async def by(
    http: aiohttp.ClientSession, chain: Chain, task: str, seed: int, forwarded: str | None = None
) -> tuple[int, dict[str, Any]]:
    """A frame of a program that does not name itself."""
    headers = BEARER | ({} if forwarded is None else {"x-forwarded-for": forwarded})
    async with http.post(chain.vln.url + "/vln/frame", json=frame(task, seed), headers=headers) as response:
        return response.status, await response.json()


class TestSync:
    async def test_the_crowd_of_one_task_is_not_in_another_s_way(self, chain: Chain) -> None:
        await chain.fault(fault="reply", text=json.dumps(FORWARD), seconds=0.6)
        tasks = [await chain.create(robot=robot) for robot in ("a", "b")]
        crowd = [asyncio.create_task(chain.ask("POST", "/vln/frame/sync", frame(tasks[0], n))) for n in range(9)]
        refused, _ = await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        status, body = next(iter(refused)).result()
        assert status == 429 and body["error"]["code"] == "too_many_waiters" and "8" in body["detail"]
        status, body = await chain.ask("POST", "/vln/frame/sync", frame(tasks[1]))
        assert status == 200 and body["state"] == "moving"
        answers = [(await each) for each in crowd if each not in refused]
        assert [status for status, _ in answers] == [200] * 8

    async def test_a_lost_model_is_said_to_those_who_wait(self, chain: Chain) -> None:
        await chain.fault(fault="500")
        task = await chain.create(limits={"modelLostSeconds": 1})
        status, body = await chain.ask("POST", "/vln/frame/sync", frame(task))
        assert status == 503 and body["error"]["code"] == "model_lost" and "HTTP 500" in body["detail"]
        assert (await chain.task(task))["verdict"] == "ModelLost"
        status, body = await chain.ask("POST", "/vln/frame/sync", frame(task, 1))
        assert status == 400 and (body["state"], body["reason"]) == ("stopped", "model_lost")

    @pytest.mark.parametrize(
        ("limits", "verdict"),
        [({"timeoutSeconds": 1}, "DeadlineExceeded"), ({"robotSilentSeconds": 1}, "RobotSilent")],
    )
    async def test_a_task_that_ends_meanwhile(self, chain: Chain, limits: dict[str, float], verdict: str) -> None:
        await chain.fault(fault="hang")
        task = await chain.create(limits=limits)
        status, body = await chain.ask("POST", "/vln/frame/sync", frame(task))
        assert status == 409 and body["error"]["code"] == "ended" and verdict in body["detail"]

    async def test_a_result_of_an_older_picture_is_not_taken_for_mine(self, chain: Chain) -> None:
        await chain.fault(fault="reply", text=json.dumps(FORWARD), seconds=0.7)
        task = await chain.create()
        async with asyncio.timeout(5):
            # The worker may not have asked for a picture yet when the first one comes.
            while not (await chain.ask("GET", "/vln/pipeline/stats"))[1]["queue_size"]:
                await chain.ask("POST", "/vln/frame", frame(task))
                await asyncio.sleep(0.02)
        began = time.monotonic()
        status, body = await chain.ask("POST", "/vln/frame/sync", frame(task, 1))
        assert status == 200 and body["plan_id"].endswith("-2"), "the first plan is of the picture before"
        assert time.monotonic() - began > 0.7 and body["age_ms"] >= 700


class TestWriters:
    async def test_a_second_writer_on_rest_waits_until_the_first_is_quiet(self, chain: Chain) -> None:
        task = await chain.create()
        status, first = await send(chain, task, "a")
        assert status == 200
        for other in ("b", None):
            status, body = await send(chain, task, other)
            assert status == 409 and body["error"]["code"] == "lease_busy" and "'a'" in body["detail"]
        status, again = await send(chain, task, "a", 1)
        assert status == 200 and again["lease_epoch"] == first["lease_epoch"], "who writes on keeps its lease"
        await asyncio.sleep(QUIET_SECONDS + 0.1)  # the lease follows frames: this silence is what is tested
        status, taken = await send(chain, task, "b", 2)
        assert status == 200 and taken["lease_epoch"] == first["lease_epoch"] + 1
        assert (await send(chain, task, "a", 3))[0] == 409

    async def test_without_a_name_key_and_address_are_the_writer(self, chain: Chain) -> None:
        task = await chain.create()
        assert (await send(chain, task, None))[0] == 200
        assert (await send(chain, task, "go2@127.0.0.1"))[0] == 200, "the key is called go2"
        assert (await send(chain, task, "go2"))[0] == 409

    async def test_two_programs_with_one_key_at_two_addresses(self, chain: Chain) -> None:
        """Neither names itself; the second is refused as long as the first one drives."""
        await chain.says(FORWARD)
        task = await chain.create()
        async with program("127.0.0.1") as first, program("127.0.0.2") as second:
            for seed in range(20):
                assert (await by(first, chain, task, seed))[0] == 200
                status, body = await by(second, chain, task, 100 + seed)
                assert status == 409 and body["error"]["code"] == "lease_busy" and "go2@127.0.0.1" in body["detail"]
                await asyncio.sleep(0.05)
            assert any("127.0.0.2" in said for said in (await chain.task(task))["warnings"])

    async def test_two_programs_with_one_key_at_one_address(self, chain: Chain) -> None:
        """They keep their connections open, and so are told apart."""
        task = await chain.create()
        async with program("127.0.0.1") as first, program("127.0.0.1") as second:
            for seed in range(2):
                assert (await by(first, chain, task, seed))[0] == 200
            for seed in range(20):
                status, body = await by(second, chain, task, 100 + seed)
                assert status == 409 and "another connection" in body["detail"] and "X-Writer-Id" in body["detail"]
                assert (await by(first, chain, task, seed))[0] == 200
                await asyncio.sleep(0.05)
            await asyncio.sleep(QUIET_SECONDS + 0.1)  # the first one's silence is what is tested
            assert (await by(second, chain, task, 99))[0] == 200

    async def test_programs_that_open_a_connection_for_each_frame_cannot_be_told_apart(self, chain: Chain) -> None:
        task = await chain.create()
        for seed in range(5):
            async with program("127.0.0.1") as one:
                assert (await by(one, chain, task, seed))[0] == 200
        assert any("cannot be told apart" in said for said in (await chain.task(task))["warnings"])

    async def test_behind_a_listed_proxy_the_last_forwarded_address_counts(self, tmp_path: Path) -> None:
        async with running(tmp_path, "--trusted-proxies", "127.0.0.0/30") as chain:
            task = await chain.create()
            async with program("127.0.0.1") as one, program("127.0.0.2") as two:
                for seed, proxy in enumerate((one, two, one, two)):
                    assert (await by(proxy, chain, task, seed, "6.6.6.6, 10.1.1.1"))[0] == 200
                    status, body = await by(proxy, chain, task, seed, "10.1.1.1, 10.1.1.2")
                    assert status == 409 and "go2@10.1.1.1" in body["detail"]

    async def test_another_writer_drops_the_plan(self, chain: Chain) -> None:
        await chain.says(FORWARD)
        task = await chain.create(keyframes={"minIntervalSeconds": 5, "maxIntervalSeconds": 10})

        async def moves() -> bool:
            return bool((await send(chain, task, "a"))[1]["state"] == "moving")

        await until(moves)
        url = chain.socket_url(f"/vln/ws/{task}")
        async with chain.http.ws_connect(url, headers=BEARER) as socket:
            await socket.send_json({"hello": {"writer": "b", "takeover": True}})
            assert (await socket.receive_json())["hello"]["lease_epoch"] == 2
            record = await chain.task(task)
            assert (record["state"], record["reason"], record["current_waypoints"]) == ("hold", "lease_changed", [])
        assert (await send(chain, task, "a"))[0] == 409

    async def test_a_second_socket_of_one_writer_closes_the_first(self, chain: Chain) -> None:
        task = await chain.create()
        url = chain.socket_url(f"/vln/ws/{task}")
        async with (
            chain.http.ws_connect(url, headers=BEARER) as first,
            chain.http.ws_connect(url, headers=BEARER) as second,
        ):
            for epoch, socket in enumerate((first, second), 1):
                await socket.send_json({"hello": {"writer": "a"}})
                assert (await socket.receive_json())["hello"]["lease_epoch"] == epoch
            closed = await first.receive()
            assert closed.type == aiohttp.WSMsgType.CLOSE and closed.data == 4410
            await second.send_json({"stop": True})
            assert (await second.receive_json())["stopped"] is True

    async def test_a_task_of_another_robot_is_not_driven_by_mistake(self, chain: Chain) -> None:
        task = await chain.create(robot="go2-01")
        url = chain.socket_url(f"/vln/ws/{task}")
        async with chain.http.ws_connect(url, headers=BEARER) as socket:
            await socket.send_json({"hello": {"writer": "a", "robot": "go2-02"}})
            closed = await socket.receive()
            assert closed.type == aiohttp.WSMsgType.CLOSE and closed.data == 4004 and "go2-01" in str(closed.extra)

    async def test_who_may_only_look_drives_by_no_way(self, chain: Chain) -> None:
        task = await chain.create()
        for path in (f"/vln/ws/{task}", f"/vln/stream/{task}"):
            for key in ("view-key", "stop-key"):
                async with chain.http.ws_connect(
                    chain.socket_url(path), headers={"authorization": f"Bearer {key}"}
                ) as socket:
                    assert (await socket.receive()).data == 4403
        for path in ("/vln/frame", "/vln/frame/sync"):
            assert (await chain.ask("POST", path, frame(task), key="view-key"))[0] == 403
        assert (await chain.ask("DELETE", f"/vln/task/{task}", key="view-key"))[0] == 403
        assert (await chain.ask("POST", "/vln/task/create", {"instruction": "x"}, key="stop-key"))[0] == 403
