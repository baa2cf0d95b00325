"""`python -m qwen3vl_server.gateway`: put the parts together, serve, and leave in order."""

import argparse
import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI

from qwen3vl_common.drain import Drain, DrainingServer
from qwen3vl_common.keys import INTERNAL_KEY_BYTES, KeyRing, derive
from qwen3vl_common.logs import configure
from qwen3vl_server.gateway import settings
from qwen3vl_server.gateway.allocator import keep_freed_memory
from qwen3vl_server.gateway.app import create_app, create_metrics_app
from qwen3vl_server.gateway.clients import Clients
from qwen3vl_server.gateway.discovery import Directory, SliceWatch, api_configuration, from_file
from qwen3vl_server.gateway.engines import Engines, Timeouts
from qwen3vl_server.gateway.front import Front, FrontLimits, NoDoor
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.proxy import EngineDoor, Gateway
from qwen3vl_server.gateway.request import Limits
from qwen3vl_server.gateway.routes import Route

log = logging.getLogger("qwen3vl_server.gateway")

KEY_LOOK_SECONDS = 2.0


async def _watch_keys(ring: KeyRing) -> None:
    """Read the keys again when they change: the kubelet updates a mounted Secret in place."""
    while True:
        try:
            if ring.reload():
                log.info("keys of %d clients", len(ring.clients))
        except OSError as error:
            log.warning("the keys cannot be read, the last ones stay valid: %s", error)
        await asyncio.sleep(KEY_LOOK_SECONDS)


def _secret(path: Path | None) -> bytes:
    if path is None:
        return b""
    secret = path.read_bytes()
    if len(secret) < INTERNAL_KEY_BYTES:
        raise ValueError(f"{path} has {len(secret)} bytes; the internal key has {INTERNAL_KEY_BYTES}")
    return secret


class _Silent(uvicorn.Server):
    """Beside another server, which hears the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise OSError(f"{host}:{port} cannot be listened on: {error.strerror}") from None
    listening.setblocking(False)
    return listening


def _config(app: FastAPI, http: type[asyncio.Protocol]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=http,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # no client header is trusted
    )


def _limits(options: argparse.Namespace) -> Limits:
    return Limits(options.max_image_pixels, options.max_images, options.max_total_pixels, options.allow_special_tokens)


def _front_limits(options: argparse.Namespace) -> FrontLimits:
    flight = options.max_bytes_in_flight
    return FrontLimits(
        max_body_bytes=options.max_body_bytes,
        flight_bytes=flight,
        share_bytes=flight // 2,
        strangers=options.max_unknown_connections,
        strangers_an_address=options.max_unknown_connections_per_address,
    )


async def serve(options: argparse.Namespace) -> None:
    """Serve until told to stop.

    Raises:
        ValueError, OSError: what was configured cannot be used.
    """
    secret = _secret(options.internal_key_file)

    def key_of(route: Route) -> str | None:
        return route.key or (derive(secret, "engine", route.namespace, route.model) if secret else None)

    metrics, drain = Metrics(), Drain()
    directory = from_file(options.routes) if options.routes else Directory()
    api = await api_configuration() if options.namespaces else None
    timeouts = Timeouts(
        options.connect_timeout_seconds, options.first_byte_timeout_seconds, options.idle_timeout_seconds
    )
    engines = Engines(timeouts, key_of, metrics, directory.gone_seconds)
    keys = None if options.no_auth else KeyRing(options.keys_dir)
    gateway = Gateway(directory, Clients(keys, secret), engines, metrics, _limits(options), drain)
    front = Front(EngineDoor(gateway), drain, _front_limits(options))
    listening, measured = (_listen(options.host, port) for port in (options.port, options.metrics_port))
    config = _config(create_app(gateway), front.protocol())
    server = DrainingServer(config, drain, drain_seconds=options.drain_seconds, finish_seconds=options.finish_seconds)
    background = [] if keys is None else [asyncio.create_task(_watch_keys(keys))]
    if api is not None:
        namespaces = tuple(sorted({name.strip() for name in options.namespaces.split(",") if name.strip()}))
        watch = SliceWatch(api, namespaces, directory, metrics)
        background.append(asyncio.create_task(watch.run()))
    # Whoever can reach this port needs no key, so it has the same bounds.
    metrics_server = _Silent(_config(create_metrics_app(gateway), Front(NoDoor(), drain).protocol()))
    serving = asyncio.create_task(server.serve([listening]))
    measuring = asyncio.create_task(metrics_server.serve([measured]))
    try:
        # A background task never ends by itself: if one does, the process must not go on blind.
        ends = {serving, measuring, *background}
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        server.should_exit = True
        await serving
        # The last to go: until then the kubelet hears that all is well, and Prometheus how the last answers ended.
        metrics_server.should_exit = True
        await measuring
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await engines.close()


def main() -> None:
    """Entry point."""
    options = settings.parse(sys.argv[1:])
    configure(options.log_level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    keep_freed_memory()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(options))
    except (ValueError, OSError) as error:
        print(f"the gateway cannot start: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
