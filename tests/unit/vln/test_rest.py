"""The HTTP face, called as the server calls it: what a frame's body may do to the answer."""

import asyncio
import base64
import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from tests.support.images import jpeg

from qwen3vl_vln.edge import rest
from qwen3vl_vln.edge.identity import Doorkeeper
from qwen3vl_vln.edge.peers import Proxies
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.motion.limits import Limits
from qwen3vl_vln.task.calls import Seen
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.task.task import Settings
from qwen3vl_vln.task.words import Reason
from qwen3vl_vln.waypoint import Waypoint

from .samples import navigation_without_worker


class Door:
    """The application with one task, on a clock that only the test moves."""

    def __init__(self, operator_key: str | None = None, proxies: tuple[str, ...] = ()) -> None:
        self.now = 1000.0
        self.navigation = navigation_without_worker()
        self.navigation.now = lambda: self.now  # type: ignore[method-assign]
        doors = Doorkeeper(None, operator_key)
        listed = Proxies(ip_network(one) for one in proxies)
        self.app = rest.build(self.navigation, doors, Bounds(), model="m", ready=lambda: True, proxies=listed)
        self.operator_key = operator_key
        limits = Limits(blind_meters=5.0, linear_meters_per_second=0.5)
        self.entry = self.navigation.create(Settings(robot="go2", instruction="Walk.", limits=limits))
        self.pictures = 0

    def frame(self, *, meanwhile: Callable[[], object] = lambda: None, **more: Any) -> tuple[int, dict[str, Any]]:
        """A frame whose body is there after `meanwhile`: status and answer."""
        self.pictures += 1
        picture = base64.b64encode(jpeg(seed=self.pictures)).decode()
        body = json.dumps({"task_id": self.entry.task.task_id, "frame": picture} | more).encode()
        return asyncio.run(self._post("/vln/frame", body, meanwhile))

    def sends(self, client: tuple[str, int] | None, **headers: str) -> tuple[int, dict[str, Any]]:
        """A frame of a program at this address, by this port of its: status and answer."""
        self.pictures += 1
        picture = base64.b64encode(jpeg(seed=self.pictures)).decode()
        body = json.dumps({"task_id": self.entry.task.task_id, "frame": picture}).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(self._post("/vln/frame", body, lambda: None, client=client, **given))

    def put(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What the operator asserts: status and answer."""
        key, data = f"Bearer {self.operator_key}", json.dumps(body).encode()
        return asyncio.run(self._post(path, data, lambda: None, method="PUT", authorization=key))

    async def _post(
        self,
        path: str,
        body: bytes,
        meanwhile: Callable[[], object],
        *,
        method: str = "POST",
        client: tuple[str, int] | None = None,
        **headers: str,
    ) -> tuple[int, dict[str, Any]]:
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            await asyncio.to_thread(meanwhile)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        scope = {"type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode()}
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.app(
            {**scope, "query_string": b"", "headers": given, "scheme": "http", "client": client}, receive, send
        )
        return said[0]["status"], json.loads(b"".join(part.get("body", b"") for part in said[1:]))

    def plan(self) -> None:
        """The model says to walk on, by the newest picture."""
        task = self.entry.task
        frame = task.counts.frames
        task.calls.remember(frame, Seen(task.reckoning.fix(), self.now, None))
        walk = tuple(Waypoint(1.0, 0.0, 0.0) for _ in range(3))
        task.result(Result(task.epoch, frame, "plan", waypoints=walk, model_seconds=0.1), self.now, 0.0)


@pytest.fixture
def door() -> Door:
    door = Door()
    door.frame()
    door.plan()
    for _ in range(30):
        door.now += 0.05
        status, body = door.frame()
    assert status == 200 and body["linear_vel"] == pytest.approx(0.5)
    return door


def test_a_slow_upload_among_quick_ones_makes_no_robot_quicker(door: Door) -> None:
    def others() -> None:
        for _ in range(40):
            door.now += 0.05
            door.frame()

    _, body = door.frame(meanwhile=others)
    assert abs(body["linear_vel"]) <= 0.5 and abs(body["angular_vel"]) <= 0.8


def test_a_picture_that_was_long_under_way_is_not_walked_by(door: Door) -> None:
    def crawl() -> None:
        door.now += 1.5

    _, body = door.frame(meanwhile=crawl)
    assert (body["linear_vel"], body["state"], body["reason"]) == (0.0, "stale", "frame_delayed")
    assert body["age_ms"] == 3000


def test_a_task_is_named_by_a_text(door: Door) -> None:
    status, body = door.frame(task_id=[[]] * 1000)
    assert status == 400 and len(json.dumps(body)) < 1000


def test_a_good_picture_of_before_does_not_uncover_the_present_camera(door: Door) -> None:
    task = door.entry.task
    old = {"task": task.task_id, "epoch": task.epoch}
    door.navigation.grant(door.entry, "another", takeover=True)
    door.navigation.heard({**old, "epoch": task.epoch, "type": "fault", "reason": "covered_camera"})
    door.navigation.heard({**old, "type": "looked", "key": True, "changed": True})
    assert task.eyes.fault is Reason.COVERED_CAMERA


@pytest.mark.parametrize(("origin", "status"), [("http://evil.example", 403), ("http://robots.local", 200)])
def test_where_no_keys_are_asked_for_a_foreign_page_may_not_steer(origin: str, status: int) -> None:
    door = Door()
    path = f"/vln/task/{door.entry.task.task_id}/stop"
    answer = asyncio.run(door._post(path, b"{}", lambda: None, origin=origin, host="robots.local"))
    assert answer[0] == status, answer
