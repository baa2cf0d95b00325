"""What a robot says to a server, and when it comes back: stops, flags, old pictures, who took the task."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.support.polling import until
from tests.support.stub_vln_servers import BLOCKED, EMERGENCY_STOP, WITHHELD, Vln, answer, answer_all, greet, read, vln
from websockets.asyncio.server import ServerConnection

from qwen3vl_client import ClosedError, Robot, boot_time

PICTURE = b"\xff\xd8 picture"


async def well(connection: ServerConnection, server: Vln, _: int) -> None:
    """A server that is well and has a plan."""
    await greet(connection)
    await answer_all(connection, server)


@contextlib.asynccontextmanager
async def sending(robot: Robot, jpeg: bytes | None = PICTURE) -> AsyncIterator[None]:
    """Send at 50 Hz meanwhile."""

    async def send() -> None:
        while True:
            robot.send(jpeg)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("url", ["http://h/vln/robot/a", "h:80/vln/robot/a", "ws:///vln/robot/a", ""])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="ws://HOST/vln/robot/ROBOT"):
        Robot(url)


async def test_after_its_end_it_stands_and_says_so() -> None:
    async with vln(well) as server, Robot(server.url()) as robot, sending(robot):
        await until(lambda: robot.command().linear_mps > 0)
    told = robot.command()
    assert (told.linear_mps, told.reason) == (0.0, "closed")
    with pytest.raises(ClosedError):
        robot.send(PICTURE)
    with pytest.raises(ClosedError):
        await robot.stop()


async def test_a_stop_is_confirmed_and_holds_until_another_task() -> None:
    async def talk(connection: ServerConnection, server: Vln, number: int) -> None:
        task = "t" if number < 3 else "next"
        await greet(connection, task=task)
        if number == 2:
            return
        await answer_all(connection, server, task_id=task)

    async with vln(talk) as server, Robot(server.url()) as robot, sending(robot):
        await until(lambda: robot.command().linear_mps > 0)
        assert await robot.stop()
        assert server.texts == [{"stop": True}]
        assert robot.command().reason == "stop_requested"
        seen = len(server.heard)
        await until(lambda: len(server.heard) > seen + 3)
        assert robot.command().linear_mps == 0.0, "the server says it moves; the robot was stopped"
        link = robot._link
        assert link is not None
        link.connection.transport.abort()
        await until(lambda: robot.command().linear_mps > 0)
    assert [hello["stop_epoch"] for hello in server.greetings] == [0, 0, 0], "the next task must not be stopped"


async def test_a_stop_without_a_connection_goes_with_the_next_greeting() -> None:
    async def talk(connection: ServerConnection, server: Vln, number: int) -> None:
        if number == 1:
            await connection.close(4004, "robot has no unfinished task")
            return
        if server.greetings[-1]["stop_epoch"]:
            await connection.send(json.dumps({"stopped": True, "task_id": "t", "seq": None}))
        await greet(connection)
        await answer_all(connection, server)

    async with vln(talk) as server, Robot(server.url()) as robot, sending(robot):
        await until(lambda: server.greetings)
        assert await robot.stop(wait_seconds=5)
        assert [hello["stop_epoch"] for hello in server.greetings][-1] == 1
        assert robot.command().reason == "stop_requested"
        assert not any(hello["stop_epoch"] for hello in server.greetings[:-1])


async def test_a_stop_that_is_not_confirmed_is_said_again_on_a_new_connection() -> None:
    async def talk(connection: ServerConnection, server: Vln, number: int) -> None:
        if number > 1:
            await connection.send(json.dumps({"stopped": True, "task_id": "t", "seq": None}))
        await greet(connection)
        async for data in connection:
            if isinstance(data, bytes):
                await connection.send(json.dumps(answer(read(data).sequence)))

    async with vln(talk) as server, Robot(server.url()) as robot, sending(robot):
        await until(lambda: robot.command().linear_mps > 0)
        assert not await robot.stop(wait_seconds=0.1), "it was not confirmed yet"
        assert robot.command().linear_mps == 0.0
        await until(lambda: not robot._stop.pending)
        assert [hello["stop_epoch"] for hello in server.greetings] == [0, 1]


async def test_a_stop_needs_no_frames_to_be_noticed_as_lost() -> None:
    """Nothing is sent but the stop, and the server is frozen."""

    async def talk(connection: ServerConnection, server: Vln, number: int) -> None:
        if number > 1:
            await connection.send(json.dumps({"stopped": True, "task_id": "t", "seq": None}))
        await greet(connection)
        await connection.wait_closed()

    async with vln(talk) as server, Robot(server.url()) as robot:
        await until(lambda: robot._link is not None and robot._link.greeted)
        assert await robot.stop(wait_seconds=5)
        assert [hello["stop_epoch"] for hello in server.greetings] == [0, 1]


async def test_a_pressed_button_reaches_the_server_though_a_picture_waits() -> None:
    go = asyncio.Event()

    async def talk(connection: ServerConnection, server: Vln, _: int) -> None:
        await greet(connection)
        await go.wait()
        await answer_all(connection, server)

    async with vln(talk) as server, Robot(server.url()) as robot:
        await until(lambda: robot._link is not None and robot._link.greeted)
        for _ in range(3):
            robot.send(PICTURE)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        robot.tick(emergency_stop=True)
        robot.send(PICTURE)
        go.set()
        await until(lambda: any(frame.flags & EMERGENCY_STOP for frame in server.heard))


@pytest.mark.parametrize(("flag", "bit"), [("emergency_stop", EMERGENCY_STOP), ("blocked", BLOCKED)])
async def test_a_pressed_button_stands_here_at_once(flag: str, bit: int) -> None:
    async with vln(well) as server, Robot(server.url()) as robot:
        async with sending(robot):
            await until(lambda: robot.command().linear_mps > 0)
        robot.tick(**{flag: True})  # type: ignore[arg-type]
        told = robot.command()
        assert (told.linear_mps, told.reason) == (0.0, flag)
        robot.tick()
        assert robot.command().linear_mps == 0.0, "no answer yet from a server that knows of it"
        async with sending(robot):
            await until(lambda: robot.command().linear_mps > 0)
        assert any(frame.flags & bit for frame in server.heard)


async def test_a_picture_from_before_the_connection_is_not_sent() -> None:
    async with vln(well) as server, Robot(server.url()) as robot:
        robot.send(b"\xff\xd8 old", captured_seconds=boot_time())
        waiting = robot._outbox._image
        assert waiting is not None
        robot._outbox._image = replace(waiting, offered_at=waiting.offered_at - 1.0)
        await until(lambda: robot._link is not None and robot._link.greeted)
        async with sending(robot):
            await until(lambda: len(server.heard) >= 3)
        assert {frame.jpeg for frame in server.heard} == {PICTURE}


async def test_who_lost_the_task_asks_for_no_takeover_again() -> None:
    async def talk(connection: ServerConnection, server: Vln, number: int) -> None:
        await greet(connection)
        if number == 1:
            await connection.close(4410, "another connection drives now")
            return
        await answer_all(connection, server)

    async with vln(talk) as server, Robot(server.url(), takeover=True) as robot:
        await until(lambda: robot.refusal is not None)
        assert robot.refusal == "closed with 4410: another connection drives now"
        loop = asyncio.get_running_loop()
        lost = loop.time()
        await until(lambda: len(server.greetings) > 1)
        assert loop.time() - lost > 0.9
    assert [hello["takeover"] for hello in server.greetings] == [True, False]


async def test_a_refused_key_is_not_hammered() -> None:
    asked: list[float] = []
    loop = asyncio.get_running_loop()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(loop.time())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\nConnection: close\r\n\r\nno key!")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Robot(f"ws://127.0.0.1:{port}/vln/robot/a", key="wrong") as robot:
        await until(lambda: len(asked) > 1, 15)
        assert robot.refusal == "HTTP 401: no key!"
    assert asked[1] - asked[0] > 2.4


async def test_chatter_about_nothing_is_silence() -> None:
    """A server that says much but answers no frame is left."""

    async def talk(connection: ServerConnection, server: Vln, number: int) -> None:
        await greet(connection)
        if number > 1:
            await answer_all(connection, server)
        with contextlib.suppress(Exception):
            while True:
                await connection.send(json.dumps(answer(999_999)))
                await asyncio.sleep(0.05)

    async with vln(talk) as server, Robot(server.url()) as robot, sending(robot):
        await until(lambda: robot.command().linear_mps > 0)
        assert len(server.greetings) == 2 and robot.statistics.reconnects == 1
        assert robot.statistics.unanswered >= 2


async def test_after_the_end_of_a_task_the_next_one_is_looked_for() -> None:
    async def talk(connection: ServerConnection, server: Vln, number: int) -> None:
        if number == 2:
            await connection.close(4004, "robot has no unfinished task")
        elif number == 1:
            await greet(connection)
            await answer_all(connection, server, state="goal", reason="goal_reached", linear_vel=0.0)
        else:
            await greet(connection, task="next")
            await answer_all(connection, server, task_id="next")

    async with vln(talk) as server, Robot(server.url()) as robot, sending(robot):
        await until(lambda: robot.command().state == "goal")
        await until(lambda: len(server.greetings) == 2 and robot._link is None)
        assert (robot.command().state, robot.command().reason) == ("goal", "goal_reached")
        await until(lambda: robot.command().linear_mps > 0)


async def test_the_end_of_a_task_named_by_its_id_is_told_on() -> None:
    async def talk(connection: ServerConnection, server: Vln, _: int) -> None:
        await greet(connection)
        await answer_all(connection, server, state="stopped", reason="stop_requested", linear_vel=0.0)

    async with vln(talk) as server, Robot(server.url("/vln/ws/t")) as robot, sending(robot):
        await until(lambda: robot.command().state == "stopped")
        seen = len(server.heard)
        await until(lambda: len(server.heard) > seen + 60)
        assert robot.connections == 1


async def test_a_server_that_never_greets_is_left() -> None:
    async def talk(connection: ServerConnection, server: Vln, number: int) -> None:
        if number > 1:
            await greet(connection)
        await connection.wait_closed()

    async with vln(talk) as server, Robot(server.url()) as robot:
        await until(lambda: robot._link is not None and robot._link.greeted)
        assert len(server.greetings) == 2


async def test_statistics() -> None:
    async with vln(well) as server, Robot(server.url()) as robot, sending(robot):
        await until(lambda: robot.statistics.count > 20)
        found = robot.statistics
    assert found.p50_ms is not None and found.max_ms is not None and found.p99_ms is not None
    assert 0 < found.p50_ms <= found.p99_ms <= found.max_ms
    assert (found.stale, found.unanswered, found.reconnects) == (0, 0, 0)


async def test_a_late_camera_is_not_walked_by_and_its_pictures_are_not_sent() -> None:
    """Ten seconds late from the start: no difference between two pictures would show it."""
    async with vln(well) as server, Robot(server.url()) as robot, sending(robot):
        await until(lambda: robot.command().linear_mps > 0)
        began = len(server.heard)
    async with vln(well) as server, Robot(server.url()) as robot:
        for _ in range(60):
            robot.send(PICTURE, captured_seconds=boot_time() - 10.0)
            robot.tick()
            await asyncio.sleep(0.02)
            assert robot.command().linear_mps == 0.0
        told = robot.command()
        assert (told.state, told.reason) == ("stale", "picture_too_old") and "10.0" in told.message
        withheld = [frame for frame in server.heard if frame.flags & WITHHELD]
        assert len(withheld) > 10 and not any(frame.jpeg for frame in server.heard)
        assert all(10_000 <= frame.age_ms < 10_300 for frame in withheld)
        assert robot.statistics.withheld == len(withheld)
    assert began > 0


async def withheld(robot: Robot, count: int) -> None:
    """Wait until so many pictures were too old to be sent."""
    await until(lambda: robot.statistics.withheld == count)


async def answered(robot: Robot) -> None:
    """A tick and its answer."""
    seen = robot.statistics.count
    robot.tick()
    await until(lambda: robot.statistics.count > seen)


async def test_a_plan_goes_on_for_two_pictures_that_are_too_old_and_not_for_three() -> None:
    async with vln(well) as server, Robot(server.url()) as robot:
        async with sending(robot):
            await until(lambda: robot.command().linear_mps > 0)
        for count in (1, 2, 3):
            robot.send(PICTURE, captured_seconds=boot_time() - 0.6)
            await withheld(robot, count)
            await answered(robot)
            assert (robot.command().linear_mps > 0) is (count < 3)
        robot.send(PICTURE, captured_seconds=boot_time())
        await until(lambda: robot.command().linear_mps > 0)
        assert server.heard[-1].age_ms >= 1


@pytest.mark.parametrize("off", [-1.7e9, -1.0, 3601.0, float("nan")])
async def test_a_capture_time_of_another_clock_is_said_and_nothing_is_sent(off: float) -> None:
    async with vln(well) as server, Robot(server.url()) as robot:
        async with sending(robot):
            await until(lambda: robot.command().linear_mps > 0)
        await until(lambda: robot._link is not None and not robot._link.freshness._sent)
        heard = len(server.heard)
        robot.send(PICTURE, captured_seconds=boot_time() - off)
        told = robot.command()
        assert (told.linear_mps, told.state, told.reason) == (0.0, "stale", "picture_clock")
        assert "boot_time()" in told.message
        await asyncio.sleep(0.1)
        assert len(server.heard) == heard
        async with sending(robot):
            await until(lambda: robot.command().linear_mps > 0)


async def test_a_button_is_pressed_by_whatever_clock() -> None:
    async with vln(well) as server, Robot(server.url()) as robot:
        await until(lambda: robot._link is not None and robot._link.greeted)
        robot.send(PICTURE, captured_seconds=0.0 - 1e9, emergency_stop=True)
        await until(lambda: any(frame.flags & EMERGENCY_STOP and not frame.jpeg for frame in server.heard))


async def test_pictures_without_a_capture_time_are_counted() -> None:
    async with vln(well) as server, Robot(server.url()) as robot:
        await until(lambda: robot._link is not None and robot._link.greeted)
        robot.send(PICTURE)
        await until(lambda: server.heard)
        assert (robot.statistics.undated, robot.statistics.withheld) == (1, 0)
        await until(lambda: robot.statistics.count == 1)
        robot.send(PICTURE, captured_seconds=boot_time())
        await until(lambda: len(server.heard) == 2)
        assert robot.statistics.undated == 1


async def test_ticks_go_on_while_pictures_wait_for_their_answers() -> None:
    async def talk(connection: ServerConnection, server: Vln, _: int) -> None:
        await greet(connection)
        async for data in connection:
            assert isinstance(data, bytes)
            server.heard.append(read(data))

    async with vln(talk) as server, Robot(server.url()) as robot:
        await until(lambda: robot._link is not None and robot._link.greeted)
        for _ in range(12):
            robot.send(PICTURE)
            await asyncio.sleep(0.01)
            robot.tick()
            await asyncio.sleep(0.01)
        assert sum(bool(frame.jpeg) for frame in server.heard) == 2
        assert sum(not frame.jpeg for frame in server.heard) == 8
