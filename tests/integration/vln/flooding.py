"""One connection that sends far more than any robot does."""

import base64
import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator

from tests.integration.vln.conftest import ROBOT_KEY, Chain

from qwen3vl_client import protocol


class Flood:
    """A connection that sends so many ticks a second from a thread, and reads what comes.

    Attributes:
        heard: answers to it.
        code: of the server's close message.
    """

    def __init__(self, chain: Chain, task: str, per_second: int) -> None:
        self._socket = socket.create_connection((chain.vln.host, chain.vln.port))
        head = f"GET /vln/ws/{task} HTTP/1.1\r\nHost: vln\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
        head += f"Authorization: Bearer {ROBOT_KEY}\r\n\r\n"
        self._socket.sendall(head.encode())
        assert self._socket.recv(4096).startswith(b"HTTP/1.1 101")
        self._per_turn, self._over = per_second // 100, threading.Event()
        self.heard, self.code = 0, 0
        self.texts: list[bytes] = []
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._send, self._read)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        number, began, turn = 0, time.monotonic(), 0
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                messages = list(self.texts)
                self.texts.clear()
                for _ in range(self._per_turn):
                    number += 1
                    messages.append(protocol.message(number, 0.0))
                self._socket.sendall(b"".join(map(_masked, messages)))
                turn += 1
                time.sleep(max(0.0, began + turn / 100 - time.monotonic()))

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._socket.makefile("rb") as stream:
            while head := stream.read(2):
                opcode, length = head[0] & 15, head[1]
                if length == 126:
                    (length,) = struct.unpack(">H", stream.read(2))
                body = stream.read(length)
                if opcode == 8:
                    self.code = int.from_bytes(body[:2], "big")
                    return
                self.heard += 1

    def end(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._socket.close()


def _masked(message: bytes) -> bytes:
    opcode, length = (0x81 if message.startswith(b"{") else 0x82), len(message)
    return bytes((opcode, 0x80 | length)) + bytes(4) + message


@contextlib.contextmanager
def flood(chain: Chain, task: str, per_second: int) -> Iterator[Flood]:
    flood = Flood(chain, task, per_second)
    try:
        yield flood
    finally:
        flood.end()
