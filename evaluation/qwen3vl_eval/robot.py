"""The robot's side: the world's body and camera, the client's messages and rules of freshness, and its control loop.

The same as the client's `Robot` does on a socket, without the socket."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from qwen3vl_client.freshness import STAND, Command, Freshness
from qwen3vl_client.outbox import Outbox, PendingFrame
from qwen3vl_client.protocol import Odometry, message
from qwen3vl_eval.film import undeveloped
from qwen3vl_eval.network import Conditions, Way
from qwen3vl_eval.server import BOOT_ID, Connection, Server
from qwen3vl_world.world import Moment, World

RECONNECT_SECONDS = 0.1
SHOTS_REMEMBERED = 300


@dataclass(frozen=True)
class CommandHorizon:
    """How often the robot sends: messages and, among them, pictures a second; its clock trembles by this much."""

    hz: float = 30.0
    image_hz: float = 10.0
    jitter_seconds: float = 0.004
    odometry: bool = True


class RobotSide:
    """One robot and its connection.

    Attributes:
        command: what the base was told last.
        shots: what each picture under way shows, by its number.
        heard: is called with each answer that came.
    """

    def __init__(
        self,
        world: World,
        server: Server,
        rhythm: CommandHorizon,
        conditions: Conditions,
        seed: int,
        heard: Callable[[dict[str, Any]], None] = lambda body: None,
    ) -> None:
        self.world, self.rhythm, self.heard = world, rhythm, heard
        self.command: Command = STAND
        self.shots: dict[int, Moment] = {}
        self.connections = 0
        self._server, self._conditions = server, conditions
        self._rng = random.Random(f"robot {seed}")  # noqa: S311 - a tremble, not a secret
        self._network = random.Random(f"network {seed}")  # noqa: S311
        self._sequence = self._turn = 0
        self._outbox = Outbox()
        self._not_before = 0.0
        self._connect()

    def _connect(self) -> None:
        self.connections += 1
        self._freshness = Freshness(boot_id=BOOT_ID)
        conditions = self._conditions
        late = conditions.delay_seconds, conditions.jitter_seconds
        self._up = Way(*late, conditions.frame_loss, self._network)
        self._down = Way(*late, conditions.answer_loss, self._network)
        self._connection: Connection | None = self._server.connect()

    async def tick(self) -> float:
        """Wait for the next turn of the control loop and do it; its time."""
        loop = asyncio.get_running_loop()
        self._turn += 1
        due = self._turn / self.rhythm.hz + self._rng.uniform(0, self.rhythm.jitter_seconds)
        await asyncio.sleep(max(0.0, due - loop.time()))
        now = loop.time()
        self.world.step(now)
        self._watch(now)
        self.command = self._freshness.command(now) if self._connection else STAND
        self.world.command(now, self.command.linear_mps, self.command.angular_rps)
        every = max(1, round(self.rhythm.hz / self.rhythm.image_hz))
        self._send(now, image=self._turn % every == 1 or every == 1)
        return now

    def _watch(self, now: float) -> None:
        if self._connection is not None and self._freshness.silent(now):
            self._connection = None
            self._not_before = now + RECONNECT_SECONDS + 2 * self._conditions.delay_seconds
        elif self._connection is None and now >= self._not_before:
            self._connect()

    def _send(self, now: float, *, image: bool) -> None:
        shot = self.world.shot(now)
        odometry = None
        if self.rhythm.odometry:
            seen = shot.reading
            odometry = Odometry(seen.x, seen.y, seen.yaw, linear_mps=seen.v, angular_rps=seen.w)
        if image:
            self.shots[self._turn] = shot
            self.shots.pop(self._turn - SHOTS_REMEMBERED, None)
        self._outbox.put(PendingFrame(undeveloped(self._turn) if image else None, now, now, odometry))
        self._flush(now)

    def _flush(self, now: float) -> None:
        connection = self._connection
        if connection is None:
            return
        ticks = self._freshness.may_send(image=False)
        letter = self._outbox.take(now, images=ticks and self._freshness.may_send(image=True), ticks=ticks)
        if letter is None:
            return
        self._sequence += 1
        self._freshness.sent(self._sequence, now, image=letter.jpeg is not None)
        # No letter waits for longer than 0.25 s: none of its pictures is too old to be sent.
        data = message(
            self._sequence,
            letter.captured_seconds,
            jpeg=letter.jpeg,
            odometry=letter.odometry,
            age_seconds=now - letter.captured_seconds,
        )
        arrival = self._up.arrival(now)
        if arrival is not None:
            asyncio.get_running_loop().call_at(arrival, self._arrive, connection, data)

    def _arrive(self, connection: Connection, data: bytes) -> None:
        text = orjson.dumps(connection.take(data))
        loop = asyncio.get_running_loop()
        arrival = self._down.arrival(loop.time())
        if arrival is not None:
            loop.call_at(arrival, self._answered, connection, text)

    def _answered(self, connection: Connection, text: bytes) -> None:
        if connection is not self._connection:
            return
        now, body = asyncio.get_running_loop().time(), orjson.loads(text)
        self._freshness.answered(body, now)
        self.heard(body)
        self._flush(now)
