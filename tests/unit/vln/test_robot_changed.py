"""A task that is given to another robot: the former is driven no further, and its program has to say whom it means."""

import asyncio
import json
from typing import Any

import pytest
from tests.support.images import jpeg

from qwen3vl_vln.edge.navigation import Assertion
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.tasks import WRITERS_MOST

from .door import Door
from .socket_server import Robot, Server

OF_A, OF_B = "10.0.0.1", "10.0.0.2"


def wish(robot: str, generation: int) -> Assertion:
    return Assertion(Owner("uid", "robots", "walk", generation), Settings(robot=robot, instruction="Walk."), "Running")


class Owned(Server):
    """A task of a NavTask, of robot a."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 4000
        self.entry = self.navigation.assert_task("walk-uid", wish("a", 1))

    def given_to(self, robot: str) -> None:
        owner = self.entry.task.owner
        assert owner is not None
        self.navigation.assert_task("walk-uid", wish(robot, owner.generation + 1))

    async def opened(self, path: str = "/vln/ws/walk-uid", address: str = OF_A) -> Robot:
        self.port += 1
        robot = self.connect(path, (address, self.port))
        assert (await robot.heard())["type"] == "websocket.accept"
        return robot


def hello(**more: Any) -> str:
    return json.dumps({"hello": {"writer": "w", "run": "1"} | more})


@pytest.mark.parametrize("path", ["/vln/ws/walk-uid", "/vln/robot/a"])
async def test_the_former_robot_is_dropped_at_once(path: str) -> None:
    server = Owned()
    former, waiting = await server.opened(path), await server.opened(path)
    await former.says(hello())
    task, epoch = server.entry.task, server.entry.task.epoch
    await former.says(jpeg(seed=1))
    server.plan()
    server.given_to("b")
    assert (task.follower, task.epoch > epoch, server.entry.lease.writer) == (None, True, None)
    for each in (former, waiting):
        closed = await each.heard()
        assert closed["code"] == 4004 and closed["reason"].startswith("robot_changed") and "'b'" in closed["reason"]
    assert task.camera_monitor.newest is None and not server.navigation.tasks.of_robot("a")


async def test_the_former_writer_has_to_name_the_new_robot() -> None:
    server = Owned()
    former = await server.opened()
    await former.says(hello())
    server.given_to("b")
    await former.heard()
    again = await server.opened()
    closed = await again.says_and_is_closed(hello())
    assert closed["code"] == 4004 and closed["reason"].startswith("robot_changed")
    again = await server.opened()
    assert (await again.says_and_is_closed(hello(robot="a")))["code"] == 4004
    other = await server.opened(address=OF_B)
    assert "hello" in await other.says(hello(writer="of b")), "who never drove a needs to name nobody"
    server.now += 3.0
    again = await server.opened()
    assert "hello" in await again.says(hello(robot="b"))
    await again.leaves()
    last = await server.opened()
    assert "hello" in await last.says(hello(run="2")), "it has named it once"
    await last.leaves()


async def test_a_program_that_does_not_greet_is_known_by_key_and_address() -> None:
    server = Owned()
    former = await server.opened()
    await former.says(jpeg(seed=1))
    server.given_to("b")
    await former.heard()
    again = await server.opened()
    again._inbox.put_nowait({"type": "websocket.receive", "bytes": jpeg(seed=2)})
    assert (await again.heard())["code"] == 4004
    by_name = await server.opened("/vln/robot/b")
    assert (await by_name.says(jpeg(seed=3)))["reason"] == "lease_changed"
    await by_name.leaves()


async def test_a_program_that_names_itself_anew_at_each_start_is_known_by_key_and_address() -> None:
    server = Owned()
    former = await server.opened()
    await former.says(hello(writer="start-1"))
    server.given_to("b")
    await former.heard()
    again = await server.opened()
    closed = await again.says_and_is_closed(hello(writer="start-2"))
    assert closed["code"] == 4004 and closed["reason"].startswith("robot_changed")
    assert server.entry.lease.writer is None
    named = await server.opened()
    assert "hello" in await named.says(hello(writer="start-3", robot="b"))
    await named.leaves()
    again = await server.opened()
    assert "hello" in await again.says(hello(writer="start-3", run="2")), "that one has named the robot"
    await again.leaves()
    again = await server.opened()
    closed = await again.says_and_is_closed(hello(writer="start-4"))
    assert closed["code"] == 4004, "that another program at its address named the robot says nothing of this one"


async def test_however_often_it_starts() -> None:
    server = Owned()
    for start in range(WRITERS_MOST + 1):
        former = await server.opened()
        await former.says(hello(writer=f"start-{start}"))
        await former.leaves()
        server.now += 3.0
    server.given_to("b")
    again = await server.opened()
    assert (await again.says_and_is_closed(hello(writer=f"start-{WRITERS_MOST}")))["code"] == 4004


class Given(Door):
    """A task of a NavTask by HTTP, of robot a; the operator gives it to b."""

    def __init__(self) -> None:
        super().__init__(operator_key="operator")
        assert self.put("/vln/task/walk-0a1b2c3d", self.wish("a", 1))[0] == 200
        self.entry = self.navigation.tasks.get("walk-0a1b2c3d")

    @staticmethod
    def wish(robot: str, generation: int) -> dict[str, Any]:
        owner = {"uid": "0a1b2c3d-0000", "namespace": "robots", "name": "walk", "generation": generation}
        return {"owner": owner, "robot": robot, "instruction": "Walk.", "state": "Running"}

    def given_to_b(self) -> None:
        status, record = self.put("/vln/task/walk-0a1b2c3d", self.wish("b", 2))
        assert (status, record["robot"], record["state"]) == (200, "b", "hold")


@pytest.mark.parametrize("name", ["start-1", "start-2"])
def test_by_http_a_program_that_names_itself_is_known_by_its_address_too(name: str) -> None:
    door = Given()
    assert door.sends((OF_A, 4001), x_writer_id="start-1")[0] == 200
    door.given_to_b()
    status, refused = door.sends((OF_A, 4002), x_writer_id=name)
    assert status == 409 and refused["error"]["code"] == "robot_changed"
    assert door.sends((OF_B, 4001), x_writer_id="of b")[0] == 200, "who never drove a needs to name nobody"


def test_who_names_the_new_robot_speaks_for_no_other_program_of_its_address() -> None:
    """That of the former robot starts again under another name, while the new one's has none."""
    door = Given()
    assert door.sends((OF_A, 4001), x_writer_id="a-1")[0] == 200
    door.given_to_b()
    assert door.sends((OF_A, 4002), x_writer_id="a-2")[0] == 409
    assert door.sends((OF_A, 4003), robot="b")[0] == 200
    door.now += 3.0
    assert door.sends((OF_A, 4004), x_writer_id="a-3")[1]["error"]["code"] == "robot_changed"
    assert door.sends((OF_A, 4003))[0] == 200, "it has named it"


def test_by_http_the_body_names_it() -> None:
    door = Given()
    assert door.frame()[0] == 200
    door.given_to_b()
    status, refused = door.frame()
    assert status == 409 and refused["error"]["code"] == "robot_changed" and "'b'" in refused["detail"]
    assert door.frame(robot="a")[0] == 409
    assert door.frame(robot="b")[0] == 200
    assert door.frame()[0] == 200


async def test_a_new_robot_that_has_not_come_yet_is_not_silent() -> None:
    server = Owned()
    former = await server.opened()
    await former.says(jpeg(seed=1))
    server.given_to("b")
    await former.heard()
    server.now += 60.0
    server.navigation.look_at_clock()
    await asyncio.sleep(0)
    assert server.entry.task.verdict is None
