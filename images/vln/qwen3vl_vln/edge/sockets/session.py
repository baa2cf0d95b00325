"""What is said on one open WebSocket: greetings, stops and frames, and the lease that only frames need."""

from dataclasses import replace
from typing import Any

import orjson

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_vln.edge.images import START
from qwen3vl_vln.edge.json_frames import PendingFrame, pending
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.edge.sockets.connection import Connection
from qwen3vl_vln.edge.sockets.connections import Connections
from qwen3vl_vln.edge.sockets.handshake import Hello
from qwen3vl_vln.edge.stopping import SHORT_BYTES, text_stops
from qwen3vl_vln.edge.wire import MAGIC, Bounds, read
from qwen3vl_vln.errors import LeaseLostError, RobotChangedError
from qwen3vl_vln.motion.dead_reckoning import HOLD_SECONDS


class Session:
    """One connection, until it ends.

    Args:
        connections: all that are open, of which one to each task drives.
    """

    def __init__(
        self, navigation: Navigation, bounds: Bounds, connections: Connections, connection: Connection
    ) -> None:
        self._navigation, self._bounds, self._connections = navigation, bounds, connections
        self._connection = connection

    async def binary(self) -> None:
        """Frames of `qwen3vl.vln.v1`, and texts beside them.

        Raises:
            UnknownVersionError, RobotChangedError, LeaseBusyError, LeaseLostError: the connection ends for it.
        """
        navigation, connection, entry = self._navigation, self._connection, self._connection.entry
        receive = connection.receive
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            now = navigation.now()
            data = message.get("bytes")
            if data is None:
                await self._control(message.get("text") or "")
                continue
            if len(data) <= SHORT_BYTES and data[:2] not in (MAGIC, START[:2]) and text_stops(data, _parsed(data)):
                await self._stop()
                continue
            frame = read(data, now, self._bounds, connection.delay, watchdog=connection.greeted, dated=connection.dated)
            if frame is None:
                navigation.metrics.unknown_message()
                continue
            if connection.lease_epoch is None:
                self._grant(takeover=False)
            self._keep_lease(now)
            entry.task.linked(connection.trips.recent(now))
            await connection.answer(navigation.frame(entry, frame))

    async def json(self) -> None:
        """Frames as the older protocol has them.

        Raises:
            RobotChangedError, LeaseBusyError, LeaseLostError: the connection ends for it.
        """
        navigation, connection, entry = self._navigation, self._connection, self._connection.entry
        while True:
            message = await connection.receive()
            if message["type"] == "websocket.disconnect":
                return
            now = navigation.now()
            text = message.get("text") or message.get("bytes") or ""
            body = _parsed(text)
            if text_stops(text, body):
                # Before the lease, which only frames need.
                await self._stop()
                continue
            try:
                brought = self._brought(body)
            except InvalidRequest as error:
                await connection.answer({"error": str(error)})
                continue
            frame = brought.dated(connection.stamps, navigation.wall(), now)
            if entry.task.verdict is None:
                connection.robot = connection.robot or brought.robot
                if connection.lease_epoch is None:
                    self._grant(takeover=False)
                self._keep_lease(now)
            entry.task.linked(connection.trips.recent(now))
            answer = navigation.frame(entry, frame)
            await connection.answer({"status": "goal_reached"} | answer if answer["reached_goal"] else answer)

    def _brought(self, body: Any) -> PendingFrame:
        if not isinstance(body, dict):
            raise InvalidRequest("a message is a JSON object: {frame, timestamp}")
        return pending(body, self._bounds)

    async def _control(self, text: str) -> None:
        body = _parsed(text)
        if text_stops(text, body):
            await self._stop()
        elif isinstance(body, dict) and isinstance(body.get("hello"), dict):
            await self._hello(Hello.read(body["hello"]))
        else:
            await self._connection.answer({"error": 'a text message is {"hello": {...}} or {"stop": true}'})

    async def _stop(self) -> None:
        await self._stopped(f"stopped by {self._connection.caller.name}")

    async def _stopped(self, message: str) -> None:
        entry = self._connection.entry
        self._navigation.stop(entry, message)
        await self._connection.answer({"stopped": True} | self._navigation.answer_now(entry, None))

    async def _hello(self, hello: Hello) -> None:
        connection, task = self._connection, self._connection.entry.task
        if hello.robot is not None and hello.robot != task.settings.robot:
            raise RobotChangedError(f"this task is of robot {task.settings.robot!r}")
        connection.robot = connection.robot or hello.robot
        if hello.writer:
            connection.writer, connection.peer = hello.writer, replace(connection.peer, name=hello.writer)
        if hello.run:
            connection.run, connection.dated = hello.run, True
        if hello.stopped:
            # Before the lease: a stop is confirmed even to a writer whom another one keeps out.
            await self._stopped(f"{connection.writer} was stopped while it was not connected")
        self._grant(takeover=hello.takeover)
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
                    "ignored": hello.ignored,
                }
            }
        )

    def _grant(self, *, takeover: bool) -> None:
        connection, entry = self._connection, self._connection.entry
        entry.need_robot(connection.peer, connection.robot)
        connection.lease_epoch = self._navigation.grant(entry, connection.writer, run=connection.run, takeover=takeover)
        entry.drives(connection.peer)
        self._connections.drives(connection)

    def _keep_lease(self, now: float) -> None:
        connection, entry = self._connection, self._connection.entry
        if entry.lease.holds(connection.writer, connection.lease_epoch, now, run=connection.run):
            return
        if connection.orphaned:
            raise RobotChangedError(f"this task is of robot {entry.task.settings.robot!r} now")
        if connection.replaced or entry.lease.writer != connection.writer:
            raise LeaseLostError("another writer has this task")
        raise LeaseLostError("the lease was granted anew")


def _parsed(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
