"""The worker process. Started by the edge, with one end of a socket pair and the memory of images inherited; what it
works with comes in the first message."""

import argparse
import asyncio
import contextlib
import os
import socket

import uvloop

from qwen3vl_common import logs
from qwen3vl_vln.ipc.channel import WorkerEnd
from qwen3vl_vln.ipc.messages import UnreadableMessageError, decode_to_worker
from qwen3vl_vln.ipc.to_edge import Alive
from qwen3vl_vln.ipc.to_worker import WorkerSettings
from qwen3vl_vln.worker.worker import build

HEARTBEAT_SECONDS = 0.2
NICENESS = 10


def main() -> None:
    """Serve until the edge is gone."""
    fds = _fds()
    with contextlib.suppress(OSError):  # some sandboxes forbid it; the order of the processes is then the kernel's
        os.nice(NICENESS)
    uvloop.run(_serve(fds))


async def _serve(fds: argparse.Namespace) -> None:
    channel = await WorkerEnd.over(socket.socket(fileno=fds.channel_fd), decode_to_worker)
    messages = channel.messages()
    settings = await anext(messages, None)
    if settings is None:  # the edge is gone already
        return
    if not isinstance(settings, WorkerSettings):
        raise UnreadableMessageError(f"the first message is {type(settings).__name__}, not the settings")
    logs.configure(settings.log_level)
    worker = build(
        settings,
        channel.send,
        frames_fd=fds.frames_fd,
        view_inputs_fd=fds.view_inputs_fd,
        view_outputs_fd=fds.view_outputs_fd,
    )
    beating = asyncio.create_task(_beat(channel))
    try:
        async for message in messages:
            worker.take(message)
    finally:
        beating.cancel()
        await worker.close()


async def _beat(channel: WorkerEnd) -> None:
    while True:
        channel.send(Alive())
        await asyncio.sleep(HEARTBEAT_SECONDS)


def _fds() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="qwen3vl_vln.worker")
    for name in ("--channel-fd", "--frames-fd", "--view-inputs-fd", "--view-outputs-fd"):
        parser.add_argument(name, type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
