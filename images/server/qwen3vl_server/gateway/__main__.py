"""`python -m qwen3vl_server.gateway`: put the parts together, serve, and leave in order."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import uvicorn
import uvloop

from qwen3vl_common.drain import Drain, DrainingServer
from qwen3vl_common.keys import INTERNAL_KEY_BYTES, KeyRing, derive
from qwen3vl_common.logs import configure
from qwen3vl_server.gateway import settings
from qwen3vl_server.gateway.app import create_app
from qwen3vl_server.gateway.clients import Clients
from qwen3vl_server.gateway.discovery import Directory, SliceWatch, api_configuration, from_file
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.proxy import Gateway
from qwen3vl_server.gateway.request import Limits
from qwen3vl_server.gateway.routes import Route
from qwen3vl_server.gateway.upstream import Timeouts, Upstream

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
    upstream = Upstream(timeouts, key_of, metrics)
    keys = None if options.no_auth else KeyRing(options.keys_dir)
    limits = Limits(options.max_image_pixels, options.max_images)
    gateway = Gateway(directory, Clients(keys, secret), upstream, metrics, limits, options.max_body_bytes, drain)
    config = uvicorn.Config(
        create_app(gateway),
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # no client header is trusted
    )
    server = DrainingServer(config, drain, drain_seconds=options.drain_seconds, finish_seconds=options.finish_seconds)
    background = [] if keys is None else [asyncio.create_task(_watch_keys(keys))]
    if api is not None:
        namespaces = tuple(sorted({name.strip() for name in options.namespaces.split(",") if name.strip()}))
        watch = SliceWatch(api, namespaces, directory)
        background.append(asyncio.create_task(watch.run()))
    serving = asyncio.create_task(server.serve())
    try:
        # A background task never ends by itself: if one does, the process must not go on blind.
        done, _ = await asyncio.wait({serving, *background}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        server.should_exit = True
        await serving
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await upstream.close()


def main() -> None:
    """Entry point."""
    options = settings.parse(sys.argv[1:])
    configure(options.log_level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(options))
    except (ValueError, OSError) as error:
        print(f"the gateway cannot start: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
