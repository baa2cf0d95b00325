"""The requests of existing clients and of the newer protocol, on the real processes."""

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.vln.conftest import FORWARD, OPERATOR_KEY, OWNER, ROBOT_KEY, Chain, base, frame, running
from tests.support.polling import until

ANSWER_FIELDS = {
    "task_id": str,
    "frame_id": int,
    "waypoints": list,
    "environment": str,
    "action": str,
    "linear_vel": float,
    "angular_vel": float,
    "progress": float,
    "reached_goal": bool,
    "visualized_frame": type(None),
    "inference_time": float,
}
NEW_FIELDS = {"seq", "plan_id", "captured_at", "age_ms", "valid_ms", "valid_until", "state", "reason", "lease_epoch"}


def check_answer(body: dict[str, Any]) -> None:
    for name, kind in ANSWER_FIELDS.items():
        assert isinstance(body[name], kind), (name, body[name])
    assert set(body) >= NEW_FIELDS


async def test_the_page_of_routes_comes_whole_from_this_process(chain: Chain) -> None:
    status, html = await chain.ask("GET", "/docs", key=None)
    assert status == 200
    files = re.findall(r'(?:src|href)="(docs/[^"]*)"', html)
    assert len(files) == 4
    for name in files:
        async with chain.http.get(f"{chain.vln.url}/{name}") as response:
            content = await response.read()
        assert response.status == 200 and len(content) == int(response.headers["content-length"]) > 50
    status, description = await chain.ask("GET", "/openapi.json", key=None)
    assert status == 200 and "/vln/frame" in description["paths"]


class TestExistingClients:
    async def test_health(self, chain: Chain) -> None:
        status, body = await chain.ask("GET", "/health", key=None)
        assert (status, body) == (200, {"status": "healthy", "model": "sim", "gpu_count": 0})

    async def test_a_task_from_creation_to_its_end(self, chain: Chain) -> None:
        config = {"output_fps": 5, "history_frames": 4, "keyframe_threshold": 0.2, "enable_visualization": True}
        status, made = await chain.ask("POST", "/vln/task/create", {"instruction": "go on", "config": config})
        assert status == 200 and made["instruction"] == "go on" and made["status"] == "running"
        task = made["task_id"]
        assert task.startswith("vln_")

        status, body = await chain.ask("POST", "/vln/frame", frame(task, timestamp=0.2))
        assert status == 200
        check_answer(body)
        assert body["linear_vel"] == 0.0 and body["angular_vel"] == 0.0 and body["state"] == "waiting"

        status, body = await chain.ask("GET", f"/vln/task/{task}")
        assert status == 200 and body["frame_count"] == 1 and body["error_message"] is None
        for name in ("current_environment", "current_action", "current_waypoints", "progress"):
            assert name in body

        status, body = await chain.ask("GET", "/vln/tasks?status=running")
        listed = body["tasks"][0]
        assert {"task_id", "instruction", "status", "frame_count", "created_at"} <= set(listed)

        status, body = await chain.ask("GET", "/vln/pipeline/stats")
        names = {"total_requests", "processed", "dropped", "errors", "avg_inference_time", "queue_size", "running"}
        assert status == 200 and set(body) == names

        status, body = await chain.ask("POST", f"/vln/task/{task}/stop")
        assert (status, body) == (200, {"task_id": task, "status": "stopped"})
        status, body = await chain.ask("POST", "/vln/frame", frame(task))
        assert status == 400
        check_answer(body)
        assert body["state"] == "stopped" and body["linear_vel"] == 0.0

        status, body = await chain.ask("DELETE", f"/vln/task/{task}")
        assert (status, body) == (200, {"task_id": task, "deleted": True})
        status, body = await chain.ask("GET", f"/vln/task/{task}")
        assert status == 404 and task in body["detail"]

    async def test_sync_waits_for_the_result_of_its_own_frame(self, chain: Chain) -> None:
        await chain.says(FORWARD)
        task = await chain.create()
        for seed in range(3):
            status, body = await chain.ask("POST", "/vln/frame/sync", frame(task, seed))
            assert status == 200
            check_answer(body)
            assert body["state"] == "moving" and body["plan_id"].endswith(f"-{seed + 1}")
        await chain.says("I cannot see anything.")
        status, body = await chain.ask("POST", "/vln/frame/sync", frame(task, 9))
        assert status == 200 and body["state"] == "hold" and body["linear_vel"] == 0.0

    async def test_sync_refuses_a_crowd_and_ends_with_the_task(self, chain: Chain) -> None:
        await chain.fault(fault="hang")
        task = await chain.create()
        asked = [asyncio.create_task(chain.ask("POST", "/vln/frame/sync", frame(task, seed))) for seed in range(9)]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        assert [each.result()[0] for each in done] == [429]
        await chain.ask("POST", f"/vln/task/{task}/stop")
        assert {(await each)[0] for each in waiting} == {409}

    async def test_the_json_websocket(self, chain: Chain) -> None:
        await chain.says(FORWARD)
        task = await chain.create()
        url = chain.socket_url(f"/vln/stream/{task}")
        async with chain.http.ws_connect(url, headers={"authorization": f"Bearer {ROBOT_KEY}"}) as socket:
            await socket.send_str("rubbish")
            assert "error" in await socket.receive_json()
            await socket.send_json({"frame": "***"})
            assert "error" in await socket.receive_json()
            body: dict[str, Any] = {"state": ""}
            for seed in range(60):
                await socket.send_json(frame(task, seed, timestamp=seed / 30))
                body = await socket.receive_json()
                check_answer(body)
                if body["linear_vel"]:
                    break
                await asyncio.sleep(0.05)
            assert body["state"] == "moving" and body["captured_at"] is not None
            await chain.says({"reached_goal": True, "waypoints": [], "action": "stop"})
            for seed in range(200):
                await socket.send_json(frame(task, seed))
                body = await socket.receive_json()
                if "status" in body:
                    break
                await asyncio.sleep(0.05)
            assert body["status"] == "goal_reached" and body["reached_goal"] is True

    async def test_an_unknown_task(self, chain: Chain) -> None:
        assert (await chain.ask("POST", "/vln/frame", frame("nope")))[0] == 404
        for path in ("/vln/stream/nope", "/vln/ws/nope", "/vln/robot/nope"):
            headers = {"authorization": f"Bearer {ROBOT_KEY}"}
            async with chain.http.ws_connect(chain.socket_url(path), headers=headers) as socket:
                closed = await socket.receive()
                assert closed.type == aiohttp.WSMsgType.CLOSE and closed.data == 4004


class TestKeys:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/vln/task/create"),
            ("POST", "/vln/frame"),
            ("POST", "/vln/frame/sync"),
            ("GET", "/vln/tasks"),
            ("GET", "/vln/task/x"),
            ("PUT", "/vln/task/x"),
            ("POST", "/vln/task/x/stop"),
            ("DELETE", "/vln/task/x"),
            ("GET", "/vln/robot/x/task"),
            ("GET", "/vln/pipeline/stats"),
        ],
    )
    async def test_every_path_wants_one(self, chain: Chain, method: str, path: str) -> None:
        for key in (None, "wrong"):
            status, body = await chain.ask(method, path, {}, key=key)
            assert status == 401 and body["error"]["code"] == "invalid_api_key"

    async def test_the_websocket_says_so_before_it_opens(self, chain: Chain) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await chain.http.ws_connect(chain.socket_url("/vln/ws/x"))
        assert refused.value.status == 401

    async def test_a_browser_gives_it_as_a_subprotocol_and_a_foreign_page_is_refused(self, chain: Chain) -> None:
        task = await chain.create()
        token = base64.urlsafe_b64encode(ROBOT_KEY.encode()).decode().rstrip("=")
        protocols = ("qwen3vl.vln.v1", f"qwen3vl.bearer.{token}")
        async with chain.http.ws_connect(chain.socket_url(f"/vln/ws/{task}"), protocols=protocols) as socket:
            assert socket.protocol == "qwen3vl.vln.v1"
        origin = "http://evil.example"
        url = chain.socket_url(f"/vln/ws/{task}")
        async with chain.http.ws_connect(url, protocols=protocols, origin=origin) as socket:
            assert (await socket.receive()).data == 4403

    async def test_rights(self, chain: Chain) -> None:
        task = await chain.create()
        assert (await chain.ask("GET", f"/vln/task/{task}", key="view-key"))[0] == 200
        assert (await chain.ask("POST", f"/vln/task/{task}/stop", key="view-key"))[0] == 403
        assert (await chain.ask("POST", "/vln/frame", frame(task), key="stop-key"))[0] == 403
        assert (await chain.ask("POST", f"/vln/task/{task}/stop", key="stop-key"))[0] == 200

    async def test_only_entries_of_the_model_s_prefix_open_it_also_after_a_change(self, tmp_path: Path) -> None:
        async with running(tmp_path, "--keys-prefix", "sim.") as chain:
            folder = tmp_path / "keys"
            (folder / "sim2.go2").write_text("their-key")
            (folder / "sim.page.view").write_text("sim-view-key")
            async with asyncio.timeout(10):
                while (await chain.ask("GET", "/vln/tasks", key="sim-view-key"))[0] != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            for key in (ROBOT_KEY, "their-key", "stop-key"):
                assert (await chain.ask("GET", "/vln/tasks", key=key))[0] == 401
            # The client's name, and with it its rights, is what follows the prefix.
            assert (await chain.ask("POST", "/vln/task/create", {}, key="sim-view-key"))[0] == 403


def wish(**more: Any) -> dict[str, Any]:
    return {"owner": OWNER, "robot": "go2-01", "instruction": "Walk on.", "state": "Running"} | more


class TestOperator:
    async def test_asserting_is_idempotent_and_ordered(self, chain: Chain) -> None:
        path = "/vln/task/walk-0a1b2c3d"
        status, first = await chain.ask("PUT", path, wish(), key=OPERATOR_KEY)
        assert status == 200 and first["owner"] == OWNER and first["phase"] == "WaitingForRobot"
        assert (await chain.ask("PUT", path, wish(), key=OPERATOR_KEY))[0] == 200
        later = wish(owner=OWNER | {"generation": 3}, instruction="Walk to the blue door.")
        status, body = await chain.ask("PUT", path, later, key=OPERATOR_KEY)
        assert status == 200 and body["instruction"] == "Walk to the blue door."
        status, body = await chain.ask("PUT", path, wish(owner=OWNER | {"generation": 2}), key=OPERATOR_KEY)
        assert status == 409 and body["error"]["code"] == "stale_generation"
        other = wish(owner=OWNER | {"uid": "ffff", "name": "other"})
        status, body = await chain.ask("PUT", "/vln/task/other-ffff", other, key=OPERATOR_KEY)
        assert status == 409 and body["error"]["code"] == "robot_busy" and "walk-0a1b2c3d" in body["detail"]

    async def test_states(self, chain: Chain) -> None:
        path = "/vln/task/walk-0a1b2c3d"
        for number, (state, phase) in enumerate(
            [("Paused", "Paused"), ("Running", "WaitingForRobot"), ("Stopped", "Finished")], start=1
        ):
            status, body = await chain.ask(
                "PUT", path, wish(owner=OWNER | {"generation": number}, state=state), key=OPERATOR_KEY
            )
            assert status == 200 and body["phase"] == phase, body
        assert body["verdict"] == "Cancelled"
        status, body = await chain.ask("PUT", path, wish(owner=OWNER | {"generation": 9}), key=OPERATOR_KEY)
        assert status == 409 and body["error"]["code"] == "finished" and body["task"]["verdict"] == "Cancelled"

    async def test_an_owned_task_is_changed_at_its_object_but_anybody_stops_it(self, chain: Chain) -> None:
        path = "/vln/task/walk-0a1b2c3d"
        await chain.ask("PUT", path, wish(), key=OPERATOR_KEY)
        status, body = await chain.ask("DELETE", path)
        assert status == 409 and "NavTask robots/walk" in body["detail"]
        assert (await chain.ask("PUT", path, wish()))[0] == 403, "only the operator asserts"
        assert (await chain.ask("POST", f"{path}/stop"))[0] == 200
        status, body = await chain.ask("GET", path)
        assert body["verdict"] == "Cancelled" and "go2" in body["message"]

    async def test_the_bulk_read_gives_what_changed(self, chain: Chain) -> None:
        await chain.ask("PUT", "/vln/task/walk-0a1b2c3d", wish(), key=OPERATOR_KEY)
        status, first = await chain.ask("GET", "/vln/tasks", key=OPERATOR_KEY)
        assert status == 200 and len(first["tasks"]) == 1
        _, again = await chain.ask("GET", f"/vln/tasks?since={first['cursor']}", key=OPERATOR_KEY)
        assert again["tasks"] == [] and again["boot_id"] == first["boot_id"]
        await chain.ask("POST", "/vln/task/walk-0a1b2c3d/stop")
        _, changed = await chain.ask("GET", f"/vln/tasks?since={again['cursor']}", key=OPERATOR_KEY)
        assert [each["verdict"] for each in changed["tasks"]] == ["Cancelled"]

    async def test_a_task_goes_on_after_a_restart_with_what_is_left(self, chain: Chain) -> None:
        resume = {"elapsedSeconds": 590.0, "steps": 12}
        limits = {"timeoutSeconds": 600, "robotSilentSeconds": 1}
        body = wish(resume=resume, limits=limits)
        status, record = await chain.ask("PUT", "/vln/task/walk-0a1b2c3d", body, key=OPERATOR_KEY)
        assert status == 200 and record["elapsed_seconds"] >= 590 and record["steps"]["done"] == 12
        assert (record["state"], record["reason"]) == ("hold", "restarted")
        await until(lambda: chain.ended("walk-0a1b2c3d", "RobotSilent"), 5)

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "owner"),
            (wish(owner={}), "owner.generation"),
            (wish(instruction=""), "instruction"),
            (wish(instruction=7), "instruction"),
            (wish(state="Flying"), "state"),
            (wish(limits={"linearMetersPerSecond": 99}), "limits.linearMetersPerSecond"),
            (wish(limits={"linearMetersPerSecond": "fast"}), "limits.linearMetersPerSecond"),
            (wish(prompt={"profile": "poetry"}), "prompt.profile"),
            (wish(history={"frames": -1}), "history.frames"),
            ([], "body"),
        ],
    )
    async def test_a_mistake_is_named(self, chain: Chain, body: Any, param: str) -> None:
        status, answer = await chain.ask("PUT", "/vln/task/x", body, key=OPERATOR_KEY)
        assert status == 400 and answer["error"]["param"] == param, answer

    async def test_what_only_a_newer_operator_knows_is_told_and_from_a_client_refused(self, chain: Chain) -> None:
        newer = wish(limits={"jerk": 1}, speech={"voice": "low"})
        status, answer = await chain.ask("PUT", "/vln/task/x", newer, key=OPERATOR_KEY)
        assert (status, answer["ignored"]) == (200, ["limits.jerk", "speech"]) and answer["task_id"] == "x"
        body = {"instruction": "Walk.", "config": {"limits": {"jerk": 1}}}
        status, answer = await chain.ask("POST", "/vln/task/create", body)
        assert status == 400 and answer["error"]["param"] == "config.limits.jerk"
        config = {"output_fps": 5, "max_waypoints_per_inference": 3}
        status, answer = await chain.ask("POST", "/vln/task/create", {"instruction": "Walk.", "config": config})
        assert (status, answer["ignored"]) == (200, ["config.max_waypoints_per_inference", "config.output_fps"])


class TestSockets:
    async def test_hello_tells_what_holds(self, chain: Chain) -> None:
        task = await chain.create()
        url, headers = chain.socket_url(f"/vln/ws/{task}"), {"authorization": f"Bearer {ROBOT_KEY}"}
        async with chain.http.ws_connect(url, headers=headers, protocols=("qwen3vl.vln.v1",)) as socket:
            await socket.send_json({"hello": {"writer": "w"}})
            hello = (await socket.receive_json())["hello"]
            assert {"boot_id", "lease_epoch", "hold_ms", "max_bytes", "max_pixels", "limits"} <= set(hello)
            assert hello["hold_ms"] == 250
            await socket.send_bytes(b"QV\x07\x01" + bytes(60))
            closed = await socket.receive()
            assert closed.type == aiohttp.WSMsgType.CLOSE and closed.data == 4400

    async def test_another_subprotocol_is_refused(self, chain: Chain) -> None:
        task = await chain.create()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await chain.http.ws_connect(
                chain.socket_url(f"/vln/ws/{task}"),
                headers={"authorization": f"Bearer {ROBOT_KEY}"},
                protocols=("something.else",),
            )
        assert refused.value.status == 400

    async def test_a_second_writer_waits_takes_over_and_the_first_is_closed(self, chain: Chain) -> None:
        task = await chain.create()
        path = f"/vln/ws/{task}"
        async with base(chain, path, writer="first") as first:
            await first.until(lambda told: told.fresh)
            async with base(chain, path, writer="second") as second:
                await asyncio.sleep(1.0)
                assert second.robot.refusal is not None and "4409" in second.robot.refusal
                assert first.last.fresh
            async with base(chain, path, writer="second", takeover=True) as second:
                await second.until(lambda told: told.fresh)
                await asyncio.sleep(0.3)
                assert first.robot.refusal is not None

    async def test_the_robot_s_own_path(self, chain: Chain) -> None:
        await chain.ask("PUT", "/vln/task/walk-0a1b2c3d", wish(), key=OPERATOR_KEY)
        await chain.says(FORWARD)
        async with base(chain, "/vln/robot/go2-01") as driven:
            await driven.moves()
        status, body = await chain.ask("GET", "/vln/robot/go2-01/task")
        assert status == 200 and body["task_id"] == "walk-0a1b2c3d" and body["phase"] == "Running"
        assert body["steps"]["done"] >= 1 and body["last_step"]["index"] >= 1

    async def test_rubbish_on_the_socket_ends_only_that_socket(self, chain: Chain) -> None:
        task = await chain.create()
        url, headers = chain.socket_url(f"/vln/ws/{task}"), {"authorization": f"Bearer {ROBOT_KEY}"}
        for message in (b"", b"Q", b"\xff\xd8", json.dumps([1]).encode()):
            async with chain.http.ws_connect(url, headers=headers) as socket:
                await socket.send_bytes(message)
                await asyncio.wait_for(socket.receive(), 5)
        assert (await chain.task(task))["verdict"] is None
