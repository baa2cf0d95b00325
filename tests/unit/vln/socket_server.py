"""The VLN API's sockets without its worker, and a robot that speaks to them."""

import asyncio
import json
from typing import Any

from starlette.types import Message

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.edge.identity import Authenticator
from qwen3vl_vln.edge.sockets import Sockets
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.task.calls import FramePose
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.waypoint import Waypoint

from .samples import navigation_without_worker


class Server:
    """A VLN API without its worker, and one task."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.navigation = navigation_without_worker()
        self.navigation.now = lambda: self.now  # type: ignore[method-assign]
        self.sockets = Sockets(self.navigation, Authenticator(None, None), Bounds(), frozenset())
        limits = Limits(linear_acceleration=10.0)
        self.entry = self.navigation.create(Settings(robot="go2", instruction="Walk.", limits=limits))

    def connect(self, path: str | None = None, client: tuple[str, int] | None = None) -> "Robot":
        return Robot(self, path or f"/vln/ws/{self.entry.task.task_id}", client)

    def plan(self) -> None:
        """The model says to walk half a metre, by a picture of now."""
        task = self.entry.task
        frame = task.counts.frames
        task.calls.remember(frame, FramePose(task.execution.reckoning.fix(), self.now, None))
        task.result(Result(task.epoch, frame, "plan", waypoints=(Waypoint(0.5, 0.0, 0.0),)), self.now, 0.0)


class Robot:
    """One connection; `said` holds what the server sent and nobody has taken."""

    def __init__(self, server: Server, path: str, client: tuple[str, int] | None = None) -> None:
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._inbox.put_nowait({"type": "websocket.connect"})
        scope: dict[str, Any] = {"type": "websocket", "path": path, "headers": [], "subprotocols": [], "client": client}
        self._serving = asyncio.create_task(server.sockets(scope, self._inbox.get, self._said.put))

    async def heard(self) -> Message:
        """The next thing the server says."""
        return await asyncio.wait_for(self._said.get(), 5)

    async def says(self, message: str | bytes) -> dict[str, Any]:
        """Send, and read the answer."""
        name = "text" if isinstance(message, str) else "bytes"
        self._inbox.put_nowait({"type": "websocket.receive", name: message})
        answer: dict[str, Any] = json.loads((await self.heard())["text"])
        return answer

    async def says_and_is_closed(self, message: str) -> Message:
        """Send, and read how the server ends it."""
        self._inbox.put_nowait({"type": "websocket.receive", "text": message})
        closed = await self.heard()
        assert closed["type"] == "websocket.close", closed
        return closed

    async def leaves(self) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self._serving
