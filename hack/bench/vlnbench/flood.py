"""A neighbour that sends far more than any robot does, a process of its own; where it is shown out it comes again."""

import argparse
import contextlib
import time

from qwen3vl_client.protocol import message

from .load import connect, key_of, wrapped

TURN_SECONDS = 0.01
AGAIN_SECONDS = 0.2


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
