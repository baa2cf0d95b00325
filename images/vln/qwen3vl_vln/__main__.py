"""The VLN API: `python -m qwen3vl_vln`. This process is the edge; it starts the worker."""

import argparse
import asyncio
import gc
import ipaddress
import logging
import os
import secrets
import socket
import sys
from pathlib import Path

import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from qwen3vl_common import logs
from qwen3vl_common.drain import Drain, DrainingServer
from qwen3vl_common.keys import KeyRing
from qwen3vl_common.strangers import Strangers, wary
from qwen3vl_vln.edge.ceilings_file import CeilingsFile
from qwen3vl_vln.edge.http import app as http_app
from qwen3vl_vln.edge.identity import Authenticator
from qwen3vl_vln.edge.link import WorkerLink
from qwen3vl_vln.edge.metrics import Metrics
from qwen3vl_vln.edge.navigation import Navigation, tasks_of
from qwen3vl_vln.edge.paced import paced
from qwen3vl_vln.edge.peers import Proxies
from qwen3vl_vln.edge.pings import PING_SECONDS
from qwen3vl_vln.edge.sockets import Sockets
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.ipc.to_worker import WorkerSettings
from qwen3vl_vln.task.tasks import TASKS_PER_MAKER, UNFINISHED_MOST, Tasks

log = logging.getLogger("qwen3vl_vln")

KEYS_SECONDS = 5.0
DEAD_PEER_MILLIS = 2000
"""TCP gives a connection up when the peer has not acknowledged for this long."""
QUIET_PEER_SECONDS = 10
"""A peer that says nothing for this long is asked by TCP whether it is there."""


def main() -> None:
    """Entry point."""
    options = _options(sys.argv[1:])
    logs.configure(options.log_level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        uvloop.run(serve(options))
    except (ValueError, OSError) as error:
        print(f"the VLN API cannot start: {error}", file=sys.stderr)
        sys.exit(2)


async def serve(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    ring = None if options.no_auth else KeyRing(options.keys_dir, options.keys_prefix or "")
    if ring is not None:
        ring.reload()
    bounds = Bounds(options.max_frame_bytes, options.max_frame_pixels)
    worker = WorkerSettings(
        model_name=options.model_name,
        gateway_url=options.gateway_url,
        max_model_calls=options.max_model_calls,
        model_timeout_seconds=options.model_timeout_seconds,
        log_level=options.log_level,
        slots=UNFINISHED_MOST,
        slot_bytes=bounds.max_bytes,
        context_length=options.context_length,
        warm_up=options.warm_up,
        recordings_dir=options.recordings_dir,
        recordings_max_mib=options.recordings_max_mib,
        recording_file_max_mib=options.recording_file_max_mib,
    )
    link = WorkerLink(
        worker, on_message=lambda message: navigation.on_message(message), tasks=lambda: tasks_of(navigation)
    )
    navigation = Navigation(link, Metrics(), Tasks(secrets.token_hex(8), per_maker=options.tasks_per_key))
    ceilings = None if options.ceilings_file is None else CeilingsFile(options.ceilings_file)
    if ceilings is not None:
        navigation.hold_ceilings(ceilings.ceilings)
    authenticator = Authenticator(ring, os.environ.get("QWEN3VL_OPERATOR_KEY") or None)
    drain = Drain()
    drain.overdue.add_done_callback(lambda _: navigation.views.end_all())

    def ready() -> bool:
        return not drain.told and not link.silent(navigation.now())

    origins = frozenset(options.allow_origin)
    proxies = Proxies(options.trusted_proxies)
    sockets = Sockets(navigation, authenticator, bounds, origins, proxies=proxies)
    web = http_app.build(
        navigation,
        authenticator,
        bounds,
        model=options.model_name,
        ready=ready,
        origins=origins,
        proxies=proxies,
    )
    # It takes some hundredths of a second, in which later no robot would be answered.
    web.openapi()
    app = _dispatch(web, sockets)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        http=wary(Strangers()),
        ws=paced(lambda: navigation.metrics.discarded("flood")),
        ws_per_message_deflate=False,
        ws_max_size=bounds.max_bytes + 1024,
        ws_max_queue=2,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=None,
    )
    server = DrainingServer(config, drain, drain_seconds=options.drain_seconds, finish_seconds=1)
    background = [asyncio.create_task(link.run()), asyncio.create_task(navigation.watch_clock())]
    background.append(asyncio.create_task(navigation.views.run()))
    if ring is not None:
        background.append(asyncio.create_task(_watch_keys(ring)))
    if ceilings is not None:
        background.append(asyncio.create_task(ceilings.watch(navigation.hold_ceilings)))
    listening = _listen(options.host, options.port)
    # What was made so far lives for ever: the collector need not look at it while robots wait.
    gc.collect()
    gc.freeze()
    log.info(
        "VLN API for model %s on %s:%d, boot %s", options.model_name, options.host, options.port, navigation.boot_id
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        done, _ = await asyncio.wait({serving, *background}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        server.should_exit = True
        await sockets.close()
        await serving
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)


def _dispatch(http: ASGIApp, sockets: Sockets) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (sockets(scope, receive, send) if scope["type"] == "websocket" else http(scope, receive, send))

    return app


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit all of these.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MILLIS)
    # A robot that vanished while nothing was under way to it would hold its connection for ever.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, QUIET_PEER_SECONDS)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    listening.bind((host, port))
    listening.setblocking(False)
    return listening


async def _watch_keys(ring: KeyRing) -> None:
    while True:
        await asyncio.sleep(KEYS_SECONDS)
        try:
            if ring.reload():
                log.info("keys were read again: %d clients", len(ring.clients))
        except OSError as error:
            log.warning("keys cannot be read, those read before stay valid: %s", error)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="qwen3vl_vln", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - a container is reached from outside itself
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model-name", required=True, help="the name that the gateway knows")
    parser.add_argument("--gateway-url", required=True, help="with /v1; its key is in QWEN3VL_GATEWAY_KEY")
    parser.add_argument("--keys-dir", type=Path, default=Path("/etc/qwen3vl/robot-keys"))
    parser.add_argument(
        "--keys-prefix",
        type=_keys_prefix,
        metavar="MODEL.",
        help="take only the keys of files that begin with this; what follows is the client's name. Default: all files",
    )
    parser.add_argument("--no-auth", action="store_true", help="take every robot without a key")
    parser.add_argument("--allow-origin", action="append", default=[], help="origin of a web page that may drive")
    unfinished = "unfinished tasks that belong to no NavTask, of one key from one address"
    parser.add_argument("--tasks-per-key", type=_from_one, default=TASKS_PER_MAKER, help=unfinished)
    parser.add_argument(
        "--trusted-proxies",
        action="append",
        default=[],
        type=ipaddress.ip_network,
        metavar="NETWORK",
        help="proxies as 10.0.0.0/8: the last address of their X-Forwarded-For is taken for a program's; repeatable",
    )
    context = (
        "tokens of prompt and answer that the model's engine holds; default: not known, it says when it is too much"
    )
    parser.add_argument("--context-length", type=_from_one, help=context)
    warm_up = "ask the model twice at the start, so that one that is too slow is told of before a walk"
    parser.add_argument("--warm-up", action="store_true", help=warm_up)
    parser.add_argument("--max-model-calls", type=int, default=4, help="questions to the model at once")
    parser.add_argument("--model-timeout-seconds", type=float, default=30.0)
    parser.add_argument("--max-frame-bytes", type=int, default=Bounds.max_bytes)
    parser.add_argument("--max-frame-pixels", type=int, default=Bounds.max_pixels)
    parser.add_argument("--recordings-dir", type=Path, help="where tasks are recorded that want it; default: nowhere")
    parser.add_argument("--recordings-max-mib", type=_from_one, default=900, help="of all recordings together")
    parser.add_argument("--recording-file-max-mib", type=_from_one, default=64, help="of one file")
    ceilings = "JSON object with what no task's limits exceed, read again when it changes; default: nothing"
    parser.add_argument("--ceilings-file", type=Path, help=ceilings)
    parser.add_argument("--drain-seconds", type=float, default=0.0)
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser.parse_args(arguments)


def _keys_prefix(text: str) -> str:
    if not text.endswith("."):
        # Without the dot, the prefix of the model qwen would let in the robots of qwen-robot.
        raise argparse.ArgumentTypeError(f"{text!r} does not end in a dot; for the model m it is m.")
    return text


def _from_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 on")
    return number


if __name__ == "__main__":
    main()
