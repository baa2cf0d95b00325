"""The processes of the bench, and what can be asked of them."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .load import key_of

COMMAND = ("-m", "hack.bench.vlnbench")
"""The bench itself, as python's arguments: its other processes are the same program."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(port: int, path: str | None = None) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError):
            if path is None:
                socket.create_connection(("127.0.0.1", port), 1).close()
            else:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).close()
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing answers on port {port}")
        time.sleep(0.05)


@contextlib.contextmanager
def process(*arguments: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the bench, ended with it."""
    child = subprocess.Popen([sys.executable, "-P", *arguments], env=os.environ | environment)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def request(port: int, path: str, body: object = None, key: int = 0) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key_of(key)}", "Content-Type": "application/json"}
    ask = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(ask, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def usage(pid: int) -> tuple[float, float]:
    """CPU seconds and resident MiB of a process."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = Path(f"/proc/{pid}/status").read_text()
    kib = int(status.split("VmRSS:")[1].split()[0])
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK"), kib / 1024


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def quantile(values: list[float], share: float) -> float:
    """In milliseconds, of values in seconds."""
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
