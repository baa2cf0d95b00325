"""The HTTP face without its worker, called as the server calls it."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from tests.support.images import jpeg

from qwen3vl_common.keys import KeyRing
from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.edge.http import app
from qwen3vl_vln.edge.identity import Authenticator
from qwen3vl_vln.edge.peers import Proxies
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.task.calls import FramePose
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.waypoint import Waypoint

from .samples import navigation_without_worker


class Door:
    """The application with one task, on a clock that only the test moves."""

    def __init__(
        self,
        operator_key: str | None = None,
        proxies: tuple[str, ...] = (),
        *,
        keys_dir: Path | None = None,
        recordings_dir: Path | None = None,
    ) -> None:
        self.now = 1000.0
        self.ready = True
        self.navigation = navigation_without_worker()
        if recordings_dir is not None:
            link = self.navigation.link
            link.options = replace(link.options, recordings_dir=recordings_dir)
        self.navigation.now = lambda: self.now  # type: ignore[method-assign]
        ring = None if keys_dir is None else KeyRing(keys_dir)
        authenticator = Authenticator(ring, operator_key)
        listed = Proxies(ip_network(one) for one in proxies)
        self.app = app.build(
            self.navigation, authenticator, Bounds(), model="m", ready=lambda: self.ready, proxies=listed
        )
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

    def sends(
        self, client: tuple[str, int] | None, *, robot: str | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """A frame of a program at this address, by this port of its: status and answer."""
        self.pictures += 1
        picture = base64.b64encode(jpeg(seed=self.pictures)).decode()
        named = {} if robot is None else {"robot": robot}
        body = json.dumps({"task_id": self.entry.task.task_id, "frame": picture} | named).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(self._post("/vln/frame", body, lambda: None, client=client, **given))

    def put(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What the operator asserts: status and answer."""
        key, data = f"Bearer {self.operator_key}", json.dumps(body).encode()
        return asyncio.run(self._post(path, data, lambda: None, method="PUT", authorization=key))

    async def asked(self, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, Any]]:
        """Any request: status and answer."""
        return await self._post(path, body, lambda: None, method=method)

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
        task.calls.remember(frame, FramePose(task.execution.reckoning.fix(), self.now, None))
        walk = tuple(Waypoint(1.0, 0.0, 0.0) for _ in range(3))
        task.result(Result(task.epoch, frame, "plan", waypoints=walk, model_seconds=0.1), self.now, 0.0)
