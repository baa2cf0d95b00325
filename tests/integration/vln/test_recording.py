"""A task is recorded by the two processes, fetched over HTTP, opened with the library of the format, and replayed."""

import asyncio
import json
import os
import resource
import signal
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcap.reader import make_reader
from tests.integration.vln.conftest import (
    ENGINE_KEY,
    FORWARD,
    OPERATOR_KEY,
    OWNER,
    ROBOT_KEY,
    Chain,
    Program,
    base,
    child_of,
)
from tests.support.polling import until
from tests.support.processes import ENVIRONMENT

GOAL = {"reached_goal": True, "waypoints": [], "action": "stop"}
RECORDED = {"recording": {"enabled": True}}
CREATION = {"instruction": "Walk on.", "config": RECORDED}


async def fetch(chain: Chain, task: str, name: str, key: str = "view-key") -> bytes:
    headers = {"authorization": f"Bearer {key}"}
    async with chain.http.get(f"{chain.vln.url}/vln/task/{task}/recordings/{name}", headers=headers) as response:
        assert response.status == 200, await response.text()
        return await response.read()


async def files(chain: Chain, task: str) -> list[dict[str, Any]]:
    status, body = await chain.ask("GET", f"/vln/task/{task}/recordings", key="view-key")
    assert status == 200, body
    return list(body["recordings"])


async def finished(chain: Chain, task: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until the recording has its end."""

    async def enough() -> list[dict[str, Any]]:
        found = [one for one in await files(chain, task) if one["finished"]]
        return found if len(found) >= count else []

    return await until(enough)


def read(data: bytes) -> dict[str, list[dict[str, Any]]]:
    """Messages by topic, each seen to be what its schema says."""
    topics: dict[str, list[dict[str, Any]]] = {}
    for schema, channel, message in make_reader(BytesIO(data), validate_crcs=True).iter_messages():
        assert schema is not None
        body = json.loads(message.data)
        jsonschema.validate(body, json.loads(schema.data))
        topics.setdefault(channel.topic, []).append(body)
    return topics


async def walk(chain: Chain) -> tuple[str, bytes]:
    """A recorded task that walks, is told nonsense, is told to walk elsewhere, and arrives."""
    task = await chain.create(**RECORDED)
    await chain.says(FORWARD)
    async with base(chain, f"/vln/ws/{task}") as driven:
        await driven.moves()
        await chain.says("Do not move, there are stairs.")
        await driven.stands()
        await chain.says(GOAL)
        await driven.stands("goal_reached")
    (one,) = await finished(chain, task)
    return task, await fetch(chain, task, one["name"])


async def test_a_walk_is_in_its_recording(chain: Chain) -> None:
    task, data = await walk(chain)
    topics = read(data)
    assert set(topics) == {"/camera", "/frames", "/model", "/plan", "/plans", "/answers", "/events", "/log"}
    calls = topics["/model"]
    assert {"plan", "goal"} < {one["outcome"] for one in calls} and json.loads(calls[0]["text"]) == FORWARD
    assert any(one["outcome"] in ("invalid", "stop", "hold") for one in calls)
    assert all(one["instruction"] == "Walk on." and one["profile"] == "waypoints" for one in calls)
    frames = {one["frame"]: one for one in topics["/frames"]}
    assert len(topics["/camera"]) == len(topics["/frames"]) and all(frames[one["frame"]]["key"] for one in calls)
    assert topics["/plans"][0]["plan_id"] in {one["plan_id"] for one in topics["/answers"]}
    assert topics["/plans"][0]["waypoints"] == FORWARD["waypoints"]
    moving = [one for one in topics["/answers"] if one["state"] == "moving"]
    assert any(one["linear_mps"] > 0.05 for one in moving) and topics["/answers"][-1]["state"] == "goal"
    assert all(not one["linear_mps"] for one in topics["/answers"] if one["state"] != "moving")
    sequences = [one["seq"] for one in topics["/answers"]]
    assert sequences == list(range(sequences[0], sequences[-1] + 1)), "every answer is there"
    events = topics["/events"]
    assert [one["kind"] for one in events] == ["recording_on", "finished"]
    assert events[0]["task"]["instruction"] == "Walk on." and "GoalReached" in events[1]["message"]
    for secret in (ROBOT_KEY, OPERATOR_KEY, ENGINE_KEY):
        assert secret.encode() not in data and secret not in json.dumps(topics)
    record = await chain.task(task)
    assert record["recording"] == {"enabled": True, "error": None}
    _, metrics = await chain.ask("GET", "/metrics")
    assert f"qwen3vl_vln_recorded_bytes_total {float(len(data))}" in metrics


async def qwen3vl(*arguments: object) -> tuple[int, str]:
    """The command line; exit status, and what it prints."""
    command = (sys.executable, "-m", "qwen3vl_client.command", *map(str, arguments))
    environment = ENVIRONMENT | {"QWEN3VL_ROBOT_KEY": "view-key"}
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=-1, stderr=-1)
    out, error = await process.communicate()
    assert b"Traceback" not in error, error.decode()
    return process.returncode or 0, out.decode()


async def test_the_command_line_fetches_tells_exports_and_replays(chain: Chain, tmp_path: Path) -> None:
    task, data = await walk(chain)
    status, listing = await qwen3vl("record", "list", chain.vln.url, task)
    assert status == 0 and f"{len(data)} bytes" in listing and "unfinished" not in listing
    status, fetched = await qwen3vl("record", "fetch", chain.vln.url, task, "--to", tmp_path / "here")
    path = fetched.strip()
    status, info = await qwen3vl("record", "info", path, "--json")
    facts, topics = json.loads(info), read(data)
    assert facts["verdict"] == "GoalReached" and facts["plans"] == len(topics["/plans"]) > 0
    assert sum(facts["model_calls"].values()) == len(topics["/model"]) and facts["frames"] == len(topics["/frames"])
    status, told = await qwen3vl("record", "export", path, "--to", tmp_path / "out")
    assert status == 0 and f"{len(topics['/camera'])} pictures" in told
    texts = sum(call["text"] is not None for call in topics["/model"])
    assert await qwen3vl("record", "replay", path) == (
        0,
        f"{texts} texts of the model, 0 are understood otherwise now\n",
    )
    status, told = await qwen3vl("record", "list", chain.vln.url, "unknown")
    assert status == 2


async def test_who_may_read_recordings_and_what_leads_nowhere(chain: Chain) -> None:
    task, _ = await walk(chain)
    (one,) = await files(chain, task)
    for key, expected in (("view-key", 200), (ROBOT_KEY, 200), ("stop-key", 403), ("nobody", 401), (None, 401)):
        for path in (f"/vln/task/{task}/recordings", f"/vln/task/{task}/recordings/{one['name']}"):
            status, _ = await chain.ask("GET", path, key=key) if path.endswith("recordings") else (expected, None)
            assert status == expected
            async with chain.http.get(
                chain.vln.url + path, headers={"authorization": f"Bearer {key}"} if key else {}
            ) as response:
                assert response.status == expected
    for task_id, name in (
        (task, "..%2F..%2Fkeys%2Fgo2"),
        ("..", "20260101T000000Z-0.mcap"),
        ("%2E%2E%2Fkeys", "go2"),
        (task, "20260101T000000Z-0.mcap"),
        (task, "%2e%2e"),
        ("unknown", one["name"]),
    ):
        status, body = await raw(chain, f"/vln/task/{task_id}/recordings/{name}")
        assert status == 404 and ROBOT_KEY.encode() not in body
    status, body = await chain.ask("GET", "/vln/task/unknown/recordings")
    assert status == 404 and body["error"]["code"] == "unknown_task"


def worker_of(chain: Chain) -> int:
    assert chain.vln.process is not None
    return child_of(chain.vln.process.pid)


def replace_folder(chain: Chain) -> None:
    folder = Path(chain.vln.arguments[chain.vln.arguments.index("--recordings-dir") + 1])
    folder.rmdir()
    folder.write_text("a file where the folder was")


async def raw(chain: Chain, path: str) -> tuple[int, bytes]:
    """A request whose path no client library tidies up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", chain.vln.port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer view-key\r\nconnection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1]), answer


async def test_a_task_that_is_gone_can_still_be_read_and_one_without_recording_has_none(chain: Chain) -> None:
    task, data = await walk(chain)
    assert (await chain.ask("DELETE", f"/vln/task/{task}"))[0] == 200
    (one,) = await files(chain, task)
    assert await fetch(chain, task, one["name"]) == data
    other = await chain.create()
    assert await files(chain, other) == []


async def test_a_killed_worker_leaves_what_opens_and_the_next_goes_on(chain: Chain) -> None:
    task = await chain.create(**RECORDED)
    await chain.says(FORWARD)
    async with base(chain, f"/vln/ws/{task}") as driven:
        await driven.moves()

        async def has_much() -> bool:
            return bool(sum(one["bytes"] for one in await files(chain, task)) >= 300_000)

        await until(has_much, 20)
        os.kill(worker_of(chain), signal.SIGKILL)
        await driven.stands("worker_silent")
        await driven.moves()
    assert (await chain.ask("POST", f"/vln/task/{task}/stop"))[0] == 200
    first, second = await finished(chain, task, 2)
    before, after = [read(await fetch(chain, task, one["name"])) for one in (first, second)]
    assert before["/camera"] and before["/plans"] and "finished" not in {one["kind"] for one in before["/events"]}
    assert [one["kind"] for one in after["/events"]] == ["worker_restarted", "finished"]
    assert any(one["reason"] == "worker_silent" for one in after["/answers"]), "kept until somebody could write it"


async def test_edits_by_the_operator_are_events(chain: Chain) -> None:
    body = {"owner": OWNER, "instruction": "Walk on.", "robot": "go2", **RECORDED}
    for change in ({}, {"instruction": "Walk back."}, {"state": "Paused"}, {"state": "Running"}, {"state": "Stopped"}):
        body = body | {"instruction": "Walk back."} if change and "state" in change else body
        status, answer = await chain.ask("PUT", "/vln/task/walk-0a1b2c3d", body | change, key=OPERATOR_KEY)
        assert status == 200, answer
    (one,) = await finished(chain, "walk-0a1b2c3d")
    events = read(await fetch(chain, "walk-0a1b2c3d", one["name"]))["/events"]
    kinds = ["recording_on", "instruction_changed", "paused", "resumed", "finished"]
    assert [event["kind"] for event in events] == kinds


async def test_without_a_folder_recording_is_refused(chain: Chain, tmp_path: Path) -> None:
    vln = Program(
        "qwen3vl_vln",
        ("--model-name", "sim", "--gateway-url", f"{chain.engine.url}/v1", "--no-auth"),
        tmp_path / "second.log",
        {"QWEN3VL_OPERATOR_KEY": OPERATOR_KEY},
    )
    await vln.start()
    try:
        other = Chain(chain.engine, vln, chain.http)
        status, body = await other.ask("POST", "/vln/task/create", CREATION)
        assert (status, body["error"]["code"]) == (409, "recording_off") and "--recordings-dir" in body["detail"]
        wish = {"owner": OWNER, "instruction": "Walk on.", "robot": "go2", **RECORDED}
        status, body = await other.ask("PUT", "/vln/task/walk-0a1b2c3d", wish, key=OPERATOR_KEY)
        assert (status, body["error"]["code"]) == (409, "recording_off")
        assert (await other.ask("POST", "/vln/task/create", CREATION | {"config": {}}))[0] == 200
    finally:
        await vln.end()


@pytest.mark.parametrize("trouble", ["full", "gone"])
async def test_trouble_with_the_disk_is_told_and_no_robot_stands_for_it(chain: Chain, trouble: str) -> None:
    if trouble == "gone":
        replace_folder(chain)
    else:
        resource.prlimit(worker_of(chain), resource.RLIMIT_FSIZE, (100_000, 100_000))
    task = await chain.create(**RECORDED)
    await chain.says(FORWARD)
    async with base(chain, f"/vln/ws/{task}") as driven:
        await driven.moves()

        async def failed() -> bool:
            return (await chain.task(task))["recording"]["error"] is not None

        await until(failed)
        mark = len(driven.log)
        await driven.moves()
        assert all(told.reason not in ("worker_silent",) for _, told in driven.log[mark:])
    _, metrics = await chain.ask("GET", "/metrics")
    assert "qwen3vl_vln_recordings_failed_total 1.0" in metrics
    assert chain.vln.log.read_text().count("is given up") == 1
