"""`qwen3vl robot check` against the real VLN API: what is right passes, and each mistake is found by name."""

import asyncio
import json
import sys
from typing import Any

import pytest
from tests.integration.vln.conftest import ROBOT_KEY, Chain
from tests.support.figures import Figures
from tests.support.processes import ENVIRONMENT


async def robot_check(url: str, *arguments: str, key: str = ROBOT_KEY, said: bytes = b"") -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "qwen3vl_client.command", "robot", "check", url, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT | {"QWEN3VL_ROBOT_KEY": key},
    )
    out, err = await asyncio.wait_for(process.communicate(said), 90)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def found(chain: Chain, base: str) -> dict[str, dict[str, Any]]:
    """The failed checks of a base with a mistake."""
    status, out, err = await robot_check(chain.vln.url, "--base", f"tests.support.bases:{base}", "--yes", "--json")
    assert status == 1, err
    report = json.loads(out)
    assert report["passed"] is False
    return {each["name"]: each for each in report["checks"] if each["passed"] is False}


async def test_a_base_that_is_right(chain: Chain, figure: Figures) -> None:
    status, out, err = await robot_check(chain.vln.url, "--simulated", "--yes", "--json")
    assert status == 0, out + err
    report = json.loads(out)
    measured = {each["name"]: each["measured"] for each in report["checks"]}
    assert report["passed"] is True and len(measured) == len(report["checks"])
    assert measured["1 m forward: odometry / commanded"] == pytest.approx(1.0, abs=0.05)
    assert 0.2 <= measured["base stands by itself after the last command"] <= 0.75
    figure("robot check: round trip, p99", measured["round trip, p99"], "ms", 200)
    name = "link cut: last command that is not zero"
    figure("robot check: link cut until the last command that is not zero", measured[name], "s", 0.3)
    figure("robot check: link cut until the base stands", measured["link cut: base stands"], "s", 1.0)
    _, listed = await chain.ask("GET", "/vln/tasks")
    assert listed["tasks"] == [], "the check removes its own task"


async def test_each_mistake_of_a_base_is_found(chain: Chain) -> None:
    names = ("WrongWay", "Short", "Deaf", "Honest")
    wrong_way, short, deaf, honest = await asyncio.gather(*(found(chain, name) for name in names))
    assert "makes yaw fall" in wrong_way["left turn: yaw rises"]["note"] and len(wrong_way) == 1
    assert short["1 m forward: odometry / commanded"]["measured"] == pytest.approx(0.8, abs=0.05) and len(short) == 1
    alone = deaf.pop("base stands by itself after the last command")
    assert alone["measured"] is None and "the base driver needs its own time-out" in alone["note"]
    assert set(deaf) == {"left turn", "1 m forward", "link cut"}, "it is not moved any further"
    assert "the base driver needs its own time-out" in honest["base driver's own time-out"]["note"]


async def test_a_server_that_does_not_know_the_key(chain: Chain) -> None:
    status, out, err = await robot_check(chain.vln.url, "--simulated", "--yes", key="wrong")
    assert (status, out) == (2, "") and "HTTP 401" in err and "wrong" not in err


async def test_without_a_person_who_agrees_nothing_moves(chain: Chain) -> None:
    task = await chain.create(robot="go2")
    url = chain.socket_url("/vln/robot/go2")
    status, out, err = await robot_check(url, "--simulated", said=b"y\nn\n")
    assert status == 1 and out.count("nobody agreed") == 3, out
    assert "pass" in out and "Is there room" in err
    assert (await chain.task(task))["verdict"] is None, "a task that is not its own is left alone"


async def test_what_the_person_saw_counts(chain: Chain) -> None:
    answers = b"y\ny\nn\ny\n0,75\nn\n"
    status, out, _ = await robot_check(chain.vln.url, "--simulated", "--json", said=answers)
    failed = {each["name"] for each in json.loads(out)["checks"] if each["passed"] is False}
    assert status == 1
    assert failed == {"left turn: as seen by the person", "1 m forward: odometry / tape", "link cut"}
