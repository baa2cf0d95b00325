"""The load generator, a process of its own: raw WebSockets, messages on an absolute schedule, nothing else."""

import argparse
import base64
import contextlib
import gc
import json
import math
import os
import random
import select
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from qwen3vl_client.protocol import Odometry, message

KEY = "bench-key-of-this-run"
"""The first of the keys; see `key_of`."""
UNANSWERED_MS = 250.0
WARM_SECONDS = 2.0


def key_of(number: int) -> str:
    """The key of that number."""
    return f"{KEY}-{number}" if number else KEY


@dataclass
class LoadRobot:
    """One robot of the load: a raw WebSocket whose messages are built beforehand, so that sending costs one call."""

    sock: socket.socket
    offset: float
    sent: dict[int, float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    moving: int = 0
    errors: int = 0
    sequence: int = 0
    buffer: bytes = b""
    v: float = 0.0
    w: float = 0.0
    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0

    def odometry(self, seconds: float) -> Odometry:
        """Of a robot that has done what it was told for so long."""
        self.yaw += self.w * seconds
        self.x += self.v * math.cos(self.yaw) * seconds
        self.y += self.v * math.sin(self.yaw) * seconds
        return Odometry(self.x, self.y, self.yaw, self.v, self.w)


def connect(port: int, path: str, key: str = KEY) -> socket.socket:
    """An open WebSocket."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    nonce = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {key}\r\n\r\n"
    )
    sock.sendall(head.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        got = sock.recv(4096)
        if not got:
            raise SystemExit(f"no WebSocket: {answer.decode(errors='replace')}")
        answer += got
    if b" 101 " not in answer.split(b"\r\n", 1)[0]:
        raise SystemExit(f"no WebSocket: {answer.decode(errors='replace')}")
    return sock


def wrapped(payload: bytes, opcode: int) -> bytes:
    """A client's WebSocket frame."""
    return wrapped_head(len(payload), opcode) + payload


def wrapped_head(size: int, opcode: int) -> bytes:
    """Its head; masked with zeros, which leaves the payload as it is."""
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    if size > 0xFFFF:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([0x80 | opcode]) + length + bytes(4)


def texts(robot: LoadRobot) -> Iterator[bytes]:
    """Whole text messages among what was received; a ping is answered."""
    data = robot.buffer
    while len(data) >= 2:
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size:
            break
        if data[0] & 0x0F == 1:
            yield data[at : at + size]
        elif data[0] & 0x0F == 9:
            robot.sock.sendall(wrapped(data[at : at + size], 10))
        elif data[0] & 0x0F == 8:
            raise SystemExit(f"the server closed: {data[at : at + size]!r}")
        data = data[at + size :]
    robot.buffer = data


def load(options: argparse.Namespace) -> None:
    """Run one step and print its raw figures; the process of its own."""
    gc.disable()
    with contextlib.suppress(OSError):
        # A generator that waits for the CPU measures itself.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    pictures = [path.read_bytes() for path in sorted(Path(options.pictures).iterdir())]
    paths = options.paths.split(",")
    interval = 1.0 / options.hz
    dice = random.Random(1)  # noqa: S311 - a repeatable order, nothing secret
    robots = []
    for number, path in enumerate(paths):
        sock = connect(options.port, path, key_of(number % options.keys))
        robot = LoadRobot(sock, dice.random() * interval if options.phase == "random" else 0.0)
        robot.sock.sendall(wrapped(json.dumps({"hello": {"writer": f"bench-{path}"}}).encode(), 1))
        robots.append(robot)
    by_sock = {robot.sock: robot for robot in robots}
    socks = list(by_sock)
    start = time.monotonic() + 0.2
    warm_until, end = start + WARM_SECONDS, start + WARM_SECONDS + options.seconds
    dues = [(start + robot.offset, index) for index, robot in enumerate(robots)]
    lags: list[float] = []
    while True:
        now = time.monotonic()
        due, index = min(dues)
        if due >= end and now > end + UNANSWERED_MS / 1000:
            break
        if due <= now and due < end:
            robot = robots[index]
            robot.sequence += 1
            picture = pictures[(robot.sequence + index * 7) % len(pictures)]
            odometry = robot.odometry(interval)
            robot.sent[robot.sequence] = due
            header = message(robot.sequence, due, jpeg=b"", odometry=odometry)
            head = wrapped_head(len(header) + len(picture), 2) + header
            sent = robot.sock.sendmsg([head, picture])
            if sent < len(head) + len(picture):
                robot.sock.sendall((head + picture)[sent:])
            if due > warm_until:
                lags.append(now - due)
            dues[index] = (due + interval, index)
            continue
        wait = max(0.0, min((due if due < end else end + 1) - now, 0.05))
        # One at a time: a frame that falls due must not wait for the answers of all others to be read.
        for sock in select.select(socks, [], [], wait)[0][:1]:
            receive(by_sock[sock], warm_until)
            socks.append(socks.pop(socks.index(sock)))
    unanswered = 0
    for robot in robots:
        late = [at for at in robot.sent.values() if at > warm_until]
        unanswered += len(late)
        robot.latencies += [UNANSWERED_MS / 1000] * len(late)
    json.dump(
        {
            "latencies": [robot.latencies for robot in robots],
            "lags": lags,
            "moving": sum(robot.moving for robot in robots),
            "errors": sum(robot.errors for robot in robots) + unanswered,
        },
        sys.stdout,
    )


def receive(robot: LoadRobot, warm_until: float) -> None:
    """Take what came and check it."""
    robot.buffer += robot.sock.recv(1 << 18)
    now = time.monotonic()
    for text in texts(robot):
        body = json.loads(text)
        if "hello" in body:
            continue
        due = robot.sent.pop(body.get("seq"), None)
        if due is None:
            robot.errors += 1
            continue
        v, w = robot.v, robot.w = body.get("linear_vel", 0.0), body.get("angular_vel", 0.0)
        if due <= warm_until:
            continue
        robot.latencies.append(now - due)
        moves = body["state"] == "moving"
        robot.moving += moves
        robot.errors += bool((v or w) and not moves) or not (abs(v) <= 0.6 and abs(w) <= 0.8)
