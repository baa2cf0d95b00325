"""The worker process. Started by the edge, with one end of a socket pair and the memory of pictures inherited."""

import argparse
import asyncio
import contextlib
import os
import socket
from pathlib import Path

import uvloop

from qwen3vl_common import logs
from qwen3vl_vln.ipc.channel import Arena, Channel
from qwen3vl_vln.recording.recorder import Bounds, Recorder
from qwen3vl_vln.worker.model_client import ModelClient
from qwen3vl_vln.worker.renderer import OverlayRenderer
from qwen3vl_vln.worker.scheduler import InferenceScheduler
from qwen3vl_vln.worker.warm_up import WarmModel

HEARTBEAT_SECONDS = 0.2
NICENESS = 10
MIB = 1024 * 1024


def main() -> None:
    """Serve until the edge is gone."""
    options = _options()
    logs.configure(options.log_level)
    with contextlib.suppress(OSError):  # some sandboxes forbid it; the order of the processes is then the kernel's
        os.nice(NICENESS)
    uvloop.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    channel = await Channel.over(socket.socket(fileno=options.channel_fd))
    arena = Arena(options.arena_fd, options.slots, options.slot_bytes)
    key = os.environ.get("QWEN3VL_GATEWAY_KEY") or None
    client = ModelClient(options.gateway_url, key, timeout_seconds=options.model_timeout_seconds)
    model = WarmModel(client, channel.send)
    recorder = _recorder(options, channel)
    scheduler = InferenceScheduler(
        options.model_name,
        model,
        channel.send,
        arena.read,
        calls=options.max_model_calls,
        context_length=options.context_length,
        recorder=recorder,
    )
    pictures = Arena(options.pictures_fd, options.views, options.slot_bytes)
    canvases = Arena(options.canvases_fd, options.views, options.canvas_bytes)
    renderer = OverlayRenderer(channel.send, pictures, canvases)
    background = [asyncio.create_task(_beat(channel))]
    if options.warm_up:
        background.append(asyncio.create_task(model.warm_up(options.model_name, options.context_length)))
    try:
        async for message in channel.messages():
            if message["type"] == "show":
                renderer.take(message)
                continue
            if recorder is not None:
                recorder.take(message)
            scheduler.take(message)
    finally:
        for task in background:
            task.cancel()
        renderer.close()
        await scheduler.close()
        if recorder is not None:
            await recorder.close()
        await client.close()


def _recorder(options: argparse.Namespace, channel: Channel) -> Recorder | None:
    if options.recordings_dir is None:
        return None
    bounds = Bounds(options.recordings_max_mib * MIB, options.recording_file_max_mib * MIB)
    return Recorder(options.recordings_dir, bounds, channel.send)


async def _beat(channel: Channel) -> None:
    while True:
        channel.send({"type": "alive", "task": ""})
        await asyncio.sleep(HEARTBEAT_SECONDS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="qwen3vl_vln.worker")
    parser.add_argument("--channel-fd", type=int, required=True)
    parser.add_argument("--arena-fd", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--slot-bytes", type=int, required=True)
    parser.add_argument("--pictures-fd", type=int, required=True)
    parser.add_argument("--canvases-fd", type=int, required=True)
    parser.add_argument("--views", type=int, required=True)
    parser.add_argument("--canvas-bytes", type=int, required=True)
    parser.add_argument("--model-name", required=True)
    parser.add_argument("--gateway-url", required=True)
    parser.add_argument("--context-length", type=int)
    parser.add_argument("--warm-up", action="store_true")
    parser.add_argument("--max-model-calls", type=int, required=True)
    parser.add_argument("--model-timeout-seconds", type=float, required=True)
    parser.add_argument("--log-level", required=True)
    parser.add_argument("--recordings-dir", type=Path)
    parser.add_argument("--recordings-max-mib", type=int)
    parser.add_argument("--recording-file-max-mib", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    main()
