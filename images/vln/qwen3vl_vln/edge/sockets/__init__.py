"""The WebSockets, straight on ASGI: no framework stands between a robot's frame and its answer.

Binary: `/vln/ws/{task}` and `/vln/robot/{robot}`. JSON of the older protocol: `/vln/stream/{task}`."""

import secrets
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from qwen3vl_common.errors import ApiError
from qwen3vl_vln.edge.identity import DRIVE, Authenticator
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.edge.peers import Proxies, peer_of
from qwen3vl_vln.edge.pings import ROUND_TRIPS
from qwen3vl_vln.edge.sockets.connection import Connection, close, quietly
from qwen3vl_vln.edge.sockets.connections import Connections
from qwen3vl_vln.edge.sockets.handshake import Greeting, greeting, refuse
from qwen3vl_vln.edge.sockets.session import Session
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.errors import NoRightError, NoTaskError, UnknownTaskError, VlnError
from qwen3vl_vln.task.tasks import Entry

__all__ = ["Sockets"]


class Sockets:
    """All WebSockets of this process.

    Args:
        origins: whose pages may open one.
        proxies: whose word about the addresses of programs is taken.
        draw: random characters that tell the writers of one key apart.
    """

    def __init__(
        self,
        navigation: Navigation,
        authenticator: Authenticator,
        bounds: Bounds,
        origins: frozenset[str],
        *,
        proxies: Proxies | None = None,
        draw: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        self._navigation, self._authenticator, self._bounds, self._origins = navigation, authenticator, bounds, origins
        self._proxies = proxies or Proxies()
        self.connections = Connections(draw)
        navigation.robot_changed = self.connections.robot_changed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        try:
            greeted = greeting(scope, self._authenticator)
        except ApiError as refusal:
            await refuse(send, refusal)
            return
        await send({"type": "websocket.accept", "subprotocol": greeted.subprotocol})
        self._navigation.metrics.connected(+1)
        try:
            await self._serve(self._admit(greeted, scope, receive, send), binary=greeted.kind != "stream")
        except VlnError as refusal:
            # It may be closed already, by the one who took its place.
            await quietly(close(send, refusal.close_code, str(refusal)))
        except OSError:
            pass  # the robot is gone; its own watchdog stands in for us
        finally:
            self._navigation.metrics.connected(-1)

    def _admit(self, greeted: Greeting, scope: Scope, receive: Receive, send: Send) -> Connection:
        """The connection to its task; what a browser too should hear of is a close code.

        Raises:
            NoRightError, RobotNotOfKeyError, NoTaskError, UnknownTaskError, TooManyConnectionsError, NoUnusedIdError:
                it is closed at once.
        """
        origin, caller = greeted.headers.get("origin"), greeted.caller
        if origin is not None and origin not in self._origins:
            raise NoRightError("pages of other origins may not drive a robot")
        if DRIVE not in caller.rights:
            raise NoRightError(f"the key {caller.name!r} has not the right {DRIVE}")
        entry = self._entry(greeted)
        caller.need_robot(entry.task.settings.robot)
        self.connections.need_room(entry)
        writer = self.connections.new_writer(caller, entry)
        peer = peer_of(greeted.headers, scope.get("client"), caller.name, self._proxies)
        robot = greeted.name if greeted.kind == "robot" else None
        connection = Connection(entry, caller, receive, send, writer, writer, peer, robot)
        connection.trips = scope.get("state", {}).get(ROUND_TRIPS, connection.trips)
        return connection

    def _entry(self, greeted: Greeting) -> Entry:
        tasks, name = self._navigation.tasks, greeted.name
        if greeted.kind == "robot":
            entry = tasks.of_robot(name)
            if entry is None:
                raise NoTaskError(f"robot {name!r} has no unfinished task: apply a NavTask or create one")
            return entry
        entry = tasks.find(name)
        if entry is None:
            raise UnknownTaskError(f"there is no task {name!r}: apply a NavTask or create one")
        return entry

    async def _serve(self, connection: Connection, *, binary: bool) -> None:
        session = Session(self._navigation, self._bounds, self.connections, connection)
        self.connections.add(connection)
        try:
            await (session.binary() if binary else session.json())
        finally:
            self.connections.remove(connection)

    async def close(self) -> None:
        """Tell every robot that this process ends."""
        await self.connections.close()
