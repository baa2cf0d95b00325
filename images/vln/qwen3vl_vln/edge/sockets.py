"""The WebSockets, straight on ASGI: no framework stands between a robot's frame and its answer.

Binary: `/vln/ws/{task}` and `/vln/robot/{robot}`. JSON of the older protocol: `/vln/stream/{task}`."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from qwen3vl_common.errors import ApiError, InvalidRequest
from qwen3vl_vln.edge.http.app import picture, robot_named
from qwen3vl_vln.edge.http.errors import UnknownTask, api_error, error_body
from qwen3vl_vln.edge.identity import BEARER_SUBPROTOCOL, DRIVE, Authenticator, Caller
from qwen3vl_vln.edge.images import START, size
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.edge.own_robots import RobotNotOfKeyError
from qwen3vl_vln.edge.peers import Proxies, peer_of
from qwen3vl_vln.edge.pings import ROUND_TRIPS
from qwen3vl_vln.edge.stopping import SHORT_BYTES, text_stops
from qwen3vl_vln.edge.wire import MAGIC, SUBPROTOCOL, Bounds, UnknownVersionError, read
from qwen3vl_vln.motion.dead_reckoning import HOLD_SECONDS
from qwen3vl_vln.task.delays import Delay, Stamps
from qwen3vl_vln.task.errors import RobotChangedError
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.lease import LeaseBusyError
from qwen3vl_vln.task.round_trips import RoundTrips
from qwen3vl_vln.task.tasks import Entry
from qwen3vl_vln.unused import NoUnusedIdError, unused

BAD_VERSION, FORBIDDEN, NO_TASK, BUSY, LEASE_LOST, LIMIT = 4400, 4403, 4004, 4409, 4410, 4429
CONNECTIONS_PER_TASK, CONNECTIONS_MOST = 16, 1024
"""One of them drives; the others wait for it, or hear the end of the task."""
GOING_AWAY = 1001
LONGEST_REASON_BYTES = 123
LONGEST_NAME = 253
HELLO_FIELDS = {"writer", "run", "robot", "takeover", "stop_epoch"}


class Closing(Exception):
    """The connection ends, with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(eq=False)
class Connection:
    """One open WebSocket.

    Attributes:
        writer, run: who drives by it; a writer that does not name its run has another one on each connection.
        dated: it has named its run, and says how old its pictures are.
        known_as: whom it is remembered as; one that does not greet, by key and address.
        robot: that it has named.
    """

    entry: Entry
    caller: Caller
    receive: Receive
    send: Send
    writer: str
    run: str
    known_as: str
    robot: str | None = None
    dated: bool = False
    lease_epoch: int | None = None
    delay: Delay = field(default_factory=Delay)
    stamps: Stamps = field(default_factory=Stamps)
    trips: RoundTrips = field(default_factory=RoundTrips)
    replaced: bool = False
    orphaned: bool = False
    greeted: bool = False

    async def answer(self, body: Any) -> None:
        """Send one JSON text message."""
        await self.send({"type": "websocket.send", "text": orjson.dumps(body).decode()})


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
        self._draw, self._proxies = draw, proxies or Proxies()
        self._writing: dict[str, Connection] = {}
        self._open: set[Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()
        navigation.robot_changed = self._robot_changed

    def _robot_changed(self, entry: Entry) -> None:
        """Close all connections to a task that got another robot."""
        reason = f"robot_changed: this task is of robot {entry.task.settings.robot!r} now"
        for connection in [each for each in self._open if each.entry is entry]:
            connection.orphaned = True
            self._send_quietly(connection.send({"type": "websocket.close", "code": NO_TASK, "reason": _short(reason)}))

    def _send_quietly(self, sending: Awaitable[None]) -> None:
        """Have it sent beside everything else: whoever it is for may be slow, or gone."""
        task = asyncio.ensure_future(_quietly(sending))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        try:
            headers, caller, chosen = self._greet(scope)
        except Exception as error:
            refusal = api_error(error)
            if refusal is None:
                raise
            await _refuse(send, refusal, error)
            return
        await send({"type": "websocket.accept", "subprotocol": chosen})
        self._navigation.metrics.connected(+1)
        try:
            await self._serve(self._admit(scope, headers, caller, receive, send))
        except Closing as closing:
            # It may be closed already, by the one who took its place.
            await _quietly(send({"type": "websocket.close", "code": closing.code, "reason": _short(str(closing))}))
        except OSError:
            pass  # the robot is gone; its own watchdog stands in for us
        finally:
            self._navigation.metrics.connected(-1)

    def _greet(self, scope: Scope) -> tuple[dict[str, str], Caller, str | None]:
        """Who connects, by which subprotocol; refused here is what is answered with an HTTP status."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        offered: list[str] = list(scope.get("subprotocols", ()))
        caller = self._authenticator.caller(headers, offered)
        kind, _ = _parts(scope["path"])
        if kind not in ("ws", "robot", "stream"):
            raise UnknownTask(
                "no such path; robots connect to /vln/ws/{task} or /vln/robot/{robot}", code="unknown_path"
            )
        real = [name for name in offered if not name.startswith(BEARER_SUBPROTOCOL)]
        if kind == "stream" or not real:
            return headers, caller, None
        if SUBPROTOCOL not in real:
            raise InvalidRequest(f"the one subprotocol is {SUBPROTOCOL}", param="sec-websocket-protocol")
        return headers, caller, SUBPROTOCOL

    def _admit(
        self, scope: Scope, headers: dict[str, str], caller: Caller, receive: Receive, send: Send
    ) -> tuple[Connection, bool]:
        """The connection to its task, and whether it is binary; what a browser too should hear of is a close code."""
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            raise Closing(FORBIDDEN, "pages of other origins may not drive a robot")
        if DRIVE not in caller.rights:
            raise Closing(FORBIDDEN, f"the key {caller.name!r} has not the right {DRIVE}")
        kind, name = _parts(scope["path"])
        tasks = self._navigation.tasks
        entry = tasks.of_robot(name) if kind == "robot" else tasks.find(name)
        if entry is None:
            what = f"robot {name!r} has no unfinished task" if kind == "robot" else f"there is no task {name!r}"
            raise Closing(NO_TASK, f"{what}: apply a NavTask or create one")
        try:
            caller.need_robot(entry.task.settings.robot)
        except RobotNotOfKeyError as error:
            raise Closing(FORBIDDEN, str(error)) from None
        if len(self._open) >= CONNECTIONS_MOST or self._of(entry) >= CONNECTIONS_PER_TASK:
            most = f"{CONNECTIONS_PER_TASK} connections to a task and {CONNECTIONS_MOST} to all"
            raise Closing(LIMIT, f"{most} are open at most; close one")
        writer = self._new_writer(caller, entry)
        client = scope.get("client")
        known_as = peer_of(headers, client, caller.name, self._proxies).writer
        robot = name if kind == "robot" else None
        connection = Connection(entry, caller, receive, send, writer, writer, known_as, robot)
        connection.trips = scope.get("state", {}).get(ROUND_TRIPS, connection.trips)
        return connection, kind != "stream"

    def _new_writer(self, caller: Caller, entry: Entry) -> str:
        # The holder of a lease may be gone for a moment: its name is not free.
        taken = {name for one in self._open for name in (one.writer, one.run)} | {entry.lease.writer, entry.lease.run}
        try:
            return unused("writer", lambda: f"{caller.name}/{self._draw()}", taken.__contains__)
        except NoUnusedIdError as error:
            raise Closing(LIMIT, str(error)) from None

    def _of(self, entry: Entry) -> int:
        return sum(connection.entry is entry for connection in self._open)

    async def _serve(self, admitted: tuple[Connection, bool]) -> None:
        connection, binary = admitted
        self._open.add(connection)
        try:
            await (self._binary(connection) if binary else self._json(connection))
        finally:
            self._open.discard(connection)
            connection.entry.lease.close(connection.lease_epoch)
            if self._writing.get(connection.entry.task.task_id) is connection:
                del self._writing[connection.entry.task.task_id]

    async def close(self) -> None:
        """Tell every robot that this process ends."""
        for connection in list(self._open):
            await connection.send({"type": "websocket.close", "code": GOING_AWAY, "reason": "the server ends"})

    # Binary ---------------------------------------------------------------------------------------------------------

    async def _binary(self, connection: Connection) -> None:
        navigation, entry, receive = self._navigation, connection.entry, connection.receive
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            now = navigation.now()
            data = message.get("bytes")
            if data is None:
                await self._control(connection, message.get("text") or "")
                continue
            if len(data) <= SHORT_BYTES and data[:2] not in (MAGIC, START[:2]) and text_stops(data, _parsed(data)):
                await self._stop(connection)
                continue
            try:
                frame = read(
                    data, now, self._bounds, connection.delay, watchdog=connection.greeted, dated=connection.dated
                )
            except UnknownVersionError as error:
                raise Closing(BAD_VERSION, str(error)) from None
            if frame is None:
                navigation.metrics.unknown_message()
                continue
            if connection.lease_epoch is None:
                await self._grant(connection, takeover=False)
            self._keep_lease(connection, now)
            entry.task.linked(connection.trips.recent(now))
            await connection.answer(navigation.frame(entry, frame))

    def _keep_lease(self, connection: Connection, now: float) -> None:
        entry = connection.entry
        if entry.lease.holds(connection.writer, connection.lease_epoch, now, run=connection.run):
            return
        if connection.orphaned:
            raise Closing(NO_TASK, f"this task is of robot {entry.task.settings.robot!r} now")
        if connection.replaced or entry.lease.writer != connection.writer:
            raise Closing(LEASE_LOST, "another writer has this task")
        raise Closing(LEASE_LOST, "the lease was granted anew")

    async def _control(self, connection: Connection, text: str) -> None:
        body = _parsed(text)
        if text_stops(text, body):
            await self._stop(connection)
        elif isinstance(body, dict) and isinstance(body.get("hello"), dict):
            await self._hello(connection, body["hello"])
        else:
            await connection.answer({"error": 'a text message is {"hello": {...}} or {"stop": true}'})

    async def _stop(self, connection: Connection) -> None:
        self._navigation.stop(connection.entry, f"stopped by {connection.caller.name}")
        await connection.answer({"stopped": True} | self._navigation.answer_now(connection.entry, None))

    async def _hello(self, connection: Connection, hello: dict[str, Any]) -> None:
        task = connection.entry.task
        robot = hello.get("robot")
        if robot and robot != task.settings.robot:
            raise Closing(NO_TASK, f"this task is of robot {task.settings.robot!r}")
        connection.robot = connection.robot or robot or None
        writer = hello.get("writer")
        if isinstance(writer, str) and writer:
            connection.writer = connection.known_as = writer[:LONGEST_NAME]
        run = hello.get("run")
        if isinstance(run, str) and run:
            connection.run, connection.dated = run[:LONGEST_NAME], True
        # Whatever is not a clear no was a stop, pressed while nobody heard it.
        if hello.get("stop_epoch") not in (None, False, 0, "", "0"):
            self._navigation.stop(connection.entry, f"{connection.writer} was stopped while it was not connected")
            # Before the lease: a stop is confirmed even to a writer whom another one keeps out.
            await connection.answer({"stopped": True} | self._navigation.answer_now(connection.entry, None))
        await self._grant(connection, takeover=hello.get("takeover") is True)
        connection.greeted = True
        await connection.answer(
            {
                "hello": {
                    "boot_id": self._navigation.boot_id,
                    "task_id": task.task_id,
                    "lease_epoch": connection.lease_epoch,
                    "hold_ms": round(HOLD_SECONDS * 1000),
                    "max_bytes": self._bounds.max_bytes,
                    "max_pixels": self._bounds.max_pixels,
                    "limits": task.settings.limits.as_json(),
                    "ignored": sorted(hello.keys() - HELLO_FIELDS),
                }
            }
        )

    async def _grant(self, connection: Connection, *, takeover: bool) -> None:
        entry, task_id = connection.entry, connection.entry.task.task_id
        try:
            entry.need_robot(connection.known_as, connection.robot)
        except RobotChangedError as error:
            raise Closing(NO_TASK, str(error)) from None
        try:
            connection.lease_epoch = self._navigation.grant(
                entry, connection.writer, run=connection.run, takeover=takeover
            )
        except LeaseBusyError as error:
            raise Closing(BUSY, str(error)) from None
        entry.drives(connection.known_as)
        before = self._writing.get(task_id)
        self._writing[task_id] = connection
        if before is not None and before is not connection:
            before.replaced = True
            closing = {"type": "websocket.close", "code": LEASE_LOST, "reason": "another connection drives now"}
            self._send_quietly(before.send(closing))

    # JSON -----------------------------------------------------------------------------------------------------------

    async def _json(self, connection: Connection) -> None:
        navigation, entry = self._navigation, connection.entry
        while True:
            message = await connection.receive()
            if message["type"] == "websocket.disconnect":
                return
            now = navigation.now()
            text = message.get("text") or message.get("bytes") or ""
            body = _parsed(text)
            if text_stops(text, body):
                # Before the lease, which only frames need.
                await self._stop(connection)
                continue
            try:
                frame = self._json_frame(connection, body, now)
            except InvalidRequest as error:
                await connection.answer({"error": str(error)})
                continue
            if entry.task.verdict is None:
                connection.robot = connection.robot or robot_named(body)
                if connection.lease_epoch is None:
                    await self._grant(connection, takeover=False)
                self._keep_lease(connection, now)
            entry.task.linked(connection.trips.recent(now))
            answer = navigation.frame(entry, frame)
            await connection.answer({"status": "goal_reached"} | answer if answer["reached_goal"] else answer)

    def _json_frame(self, connection: Connection, body: Any, now: float) -> Frame:
        if not isinstance(body, dict):
            raise InvalidRequest("a message is a JSON object: {frame, timestamp}")
        data, fault = picture(body.get("frame"), self._bounds)
        dated = connection.stamps.read(body.get("timestamp"), self._navigation.wall(), now)
        return dated.frame(now, image=data, size=size(data), fault=fault)


def _parsed(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


async def _quietly(closing: Awaitable[None]) -> None:
    # It may have gone meanwhile.
    with contextlib.suppress(OSError, RuntimeError):
        await closing


def _short(reason: str) -> str:
    """What fits into a close message, which counts bytes."""
    return reason.encode(errors="replace")[:LONGEST_REASON_BYTES].decode(errors="ignore")


def _parts(path: str) -> tuple[str, str]:
    """Kind and name in `/vln/<kind>/<name>`."""
    kind, _, name = path.removeprefix("/vln/").partition("/")
    return kind, name


async def _refuse(send: Send, refusal: ApiError, cause: Exception) -> None:
    body = orjson.dumps(error_body(refusal, cause))
    headers = {"content-type": "application/json", **refusal.headers()}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "websocket.http.response.body", "body": body})
