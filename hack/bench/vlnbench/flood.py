"""A neighbour that sends far more than any robot does, a process of its own; where it is shown out it comes again."""

import argparse
import contextlib
import time
from typing import Any

from qwen3vl_client.protocol import message

from .load import connect, key_of, wrapped
from .steps import Bench, measure

TURN_SECONDS = 0.01
AGAIN_SECONDS = 0.2


def flooded(bench: Bench, count: int) -> dict[str, Any]:
    """A step without a neighbour, then beside one that sends as many ticks as it can, and the echo beside the same one.

    `added_p99_ms` flatters: the echo takes and answers every message of the neighbour, of which the VLN API reads only
    so many a second. What the neighbour costs the robots is `p99_ms` beside `quiet_p99_ms`, that of as many robots
    without it."""
    quiet = measure(bench, count, "random")
    [task] = bench.create(1)
    found = measure(bench, count, "random", flooded=task)
    bench.stop([task])
    shown = ("robots", "p50_ms", "p99_ms", "max_ms", "echo_p50_ms", "echo_p99_ms", "answered", "errors", "void")
    added = round(found["p99_ms"] - found["echo_p99_ms"], 3)
    more = {"flood_per_second": bench.options.flood, "added_p99_ms": added, "quiet_p99_ms": quiet["p99_ms"]}
    return {name: found[name] for name in shown} | more | {"void": found["void"] or quiet["void"]}


def flood(options: argparse.Namespace) -> None:
    """Send ticks until killed: `options.flood` a second, to the first of `options.paths`."""
    while True:
        with contextlib.suppress(OSError, SystemExit):
            _once(options.port, options.paths, options.flood)
        time.sleep(AGAIN_SECONDS)


def _once(port: int, path: str, per_second: int) -> None:
    number, began, turn = 0, time.monotonic(), 0
    with connect(port, path, key_of(0)) as sock:
        sock.settimeout(5)
        while True:
            count = int(per_second * TURN_SECONDS)
            ticks = (message(number + each, 0.0) for each in range(1, count + 1))
            sock.sendall(b"".join(wrapped(tick, 2) for tick in ticks))
            number, turn = number + count, turn + 1
            while True:
                sock.setblocking(False)
                try:
                    if not sock.recv(1 << 18):
                        return
                except BlockingIOError:
                    break
                finally:
                    sock.settimeout(5)
            time.sleep(max(0.0, began + turn * TURN_SECONDS - time.monotonic()))
