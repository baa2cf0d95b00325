"""The robot of a program with threads: it drives, never waits, and stands when its thread is gone."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from tests.support.processes import PYTHONPATH
from tests.support.stub_vln_servers import Vln, answer_all, greet, vln
from websockets.asyncio.server import ServerConnection

from qwen3vl_client import ClosedError, Command, SyncRobot

PICTURE = b"\xff\xd8 picture"
NOWHERE = "ws://127.0.0.1:9/vln/robot/a"


async def well(connection: ServerConnection, server: Vln, _: int) -> None:
    await greet(connection)
    await answer_all(connection, server)


def drive(robot: SyncRobot, true: Callable[[Command], bool], seconds: float = 10.0) -> Command:
    """A control loop until its command is so."""
    deadline = time.monotonic() + seconds
    while not true(told := robot.command()):
        assert time.monotonic() < deadline, told
        robot.send(PICTURE)
        time.sleep(0.02)
    return told


async def test_a_plain_loop_drives_stops_and_ends() -> None:
    def program(url: str) -> SyncRobot:
        with SyncRobot(url, writer="loop") as robot:
            drive(robot, lambda told: told.linear_mps == 0.4)
            assert robot.connections == 1 and robot.refusal is None and robot.answer is not None
            assert robot.statistics.count >= 1
            assert robot.stop()
            assert robot.command().reason == "stop_requested"
        return robot

    async with vln(well) as server:
        robot = await asyncio.to_thread(program, server.url())
    assert not any(thread.name == "qwen3vl-robot" for thread in threading.enumerate())
    assert robot.command().linear_mps == 0.0 and robot.command().reason == "closed" and not robot.alive
    for use in (lambda: robot.send(PICTURE), robot.tick, robot.stop, robot.start):
        with pytest.raises(ClosedError):
            use()
    robot.close()


def test_before_its_start_it_stands() -> None:
    robot = SyncRobot(NOWHERE)
    assert robot.command().reason == "not_started"
    with pytest.raises(ClosedError, match="not_started"):
        robot.send(PICTURE)
    robot.close()


def test_a_stop_that_nobody_hears_says_so_and_holds() -> None:
    with SyncRobot(NOWHERE) as robot:
        assert not robot.stop(wait_seconds=0.1)
        assert robot.command().reason == "stop_requested"


async def test_a_dead_thread_stands_and_says_why() -> None:
    def die() -> None:
        raise SystemExit("killed by the test")

    def program(url: str) -> Command:
        robot = SyncRobot(url).start()
        drive(robot, lambda told: told.linear_mps > 0)
        assert robot._loop is not None and robot._thread is not None
        robot._loop.call_soon_threadsafe(die)
        robot._thread.join(5)
        told = robot.command()
        with pytest.raises(ClosedError, match="killed by the test"):
            robot.send(PICTURE)
        robot.close()
        return told

    async with vln(well) as server:
        told = await asyncio.to_thread(program, server.url())
    assert (told.linear_mps, told.state) == (0.0, "error")
    assert told.reason.startswith("thread_ended") and "killed by the test" in told.reason


async def test_a_thread_that_hangs_delays_no_command_and_is_not_driven_by() -> None:
    def program(url: str) -> tuple[float, Command]:
        with SyncRobot(url) as robot:
            drive(robot, lambda told: told.linear_mps > 0)
            assert robot._loop is not None
            robot._loop.call_soon_threadsafe(time.sleep, 0.6)
            began, longest = time.monotonic(), 0.0
            while time.monotonic() - began < 0.5:
                before = time.monotonic()
                robot.send(PICTURE)
                told = robot.command()
                longest = max(longest, time.monotonic() - before)
                time.sleep(0.001)
            assert len(robot._loop._ready) < 5, "what waits for the thread must not pile up"  # type: ignore[attr-defined]
        return longest, told

    async with vln(well) as server:
        longest, told = await asyncio.to_thread(program, server.url())
    assert longest < 0.25 and told.linear_mps == 0.0


async def test_commands_from_many_threads() -> None:
    def program(url: str) -> list[str]:
        faults: list[str] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                told = robot.command()
                if told.linear_mps not in (0.0, 0.4) or (told.linear_mps and not told.fresh):
                    faults.append(str(told))

        with SyncRobot(url) as robot:
            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            drive(robot, lambda _: robot.statistics.count > 20, 30)
            done.set()
            for thread in threads:
                thread.join()
        return faults

    async with vln(well) as server:
        assert await asyncio.to_thread(program, server.url()) == []


FORKING = f"""
import os, sys
from qwen3vl_client import ClosedError, SyncRobot

robot = SyncRobot({NOWHERE!r}).start()
child = os.fork()
if not child:
    told = robot.command()
    try:
        robot.send(b"")
    except ClosedError:
        robot.close()
        sys.exit(7 if told.reason == "thread_ended: not in this process" else 1)
    sys.exit(2)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
assert robot.alive
"""


FORKING_WHILE_WRITING = f"""
import logging, os, sys, threading, time
from qwen3vl_client import SyncRobot

stream, writing = threading.Lock(), threading.Event()

class Slow(logging.Handler):
    def emit(self, record):
        with stream:
            writing.set()
            time.sleep(0.1)

logging.getLogger("qwen3vl_client").addHandler(Slow())
robot = SyncRobot({NOWHERE!r}).start()
assert writing.wait(10)
child = os.fork()
if not child:
    os._exit(0 if stream.acquire(timeout=2) else 3)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_no_fork_happens_while_a_line_of_the_log_is_written() -> None:
    """The child would have the stream locked for ever, and hang when it ends."""
    ended = subprocess.run(
        [sys.executable, "-c", FORKING_WHILE_WRITING], timeout=20, env={"PYTHONPATH": PYTHONPATH}, capture_output=True
    )
    assert ended.returncode == 0, ended.stderr


HANDLER_THAT_FORKS = """
import logging, os, sys, threading, time
from qwen3vl_client import logs

class Forks(logging.Handler):
    def emit(self, record):
        if record.name == "app":
            time.sleep(0.05)  # the connection's thread comes in here
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)

logging.getLogger().addHandler(Forks())

def connection():
    while True:
        with logs.written("qwen3vl_client.robot") as log:
            log.warning("x")
        time.sleep(0.001)

threading.Thread(target=connection, daemon=True).start()
for _ in range(5):
    logging.getLogger("app").warning("y")
os._exit(0)
"""


def test_a_handler_of_the_program_may_fork_while_the_connection_writes() -> None:
    """It holds the handler's lock, which the connection's thread waits for meanwhile."""
    command = [sys.executable, "-c", HANDLER_THAT_FORKS]
    ended = subprocess.run(command, timeout=20, env={"PYTHONPATH": PYTHONPATH}, capture_output=True)
    assert ended.returncode == 0, ended.stderr


def test_a_fork_leaves_the_connection_with_the_parent_and_the_end_is_clean() -> None:
    """The program ends without `close`; nothing hangs and nothing is printed."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKING],
        capture_output=True,
        text=True,
        timeout=20,
        env={"PYTHONPATH": PYTHONPATH},
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr and "Fatal" not in ended.stderr, ended.stderr
