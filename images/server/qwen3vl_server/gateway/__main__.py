"""`python -m qwen3vl_server.gateway`: put the parts together, serve, and leave in order."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Iterator

import uvicorn
import uvloop

from qwen3vl_common.keys import KeyRing, derive
from qwen3vl_common.logs import configure
from qwen3vl_server.gateway import settings
from qwen3vl_server.gateway.app import State, create_app
from qwen3vl_server.gateway.discovery import Directory, SliceWatch, from_file
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.proxy import Gateway
from qwen3vl_server.gateway.request import Limits
from qwen3vl_server.gateway.routes import Route
from qwen3vl_server.gateway.upstream import Timeouts, Upstream

log = logging.getLogger("qwen3vl_server.gateway")

KEY_LOOK_SECONDS = 2.0


class DrainingServer(uvicorn.Server):
    """Told to stop, it says so on /ready and serves on until nobody routes to it; then it finishes what is open."""

    def __init__(self, config: uvicorn.Config, state: State, drain_seconds: float) -> None:
        super().__init__(config)
        self._state = state
        self._drain_seconds = drain_seconds

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        yield

    def _told_to_stop(self) -> None:
        if self._state.draining:
            self.should_exit = True
            return
        self._state.draining = True
        log.info("told to stop: not ready any more, serving on for %.0f s", self._drain_seconds)
        asyncio.get_running_loop().call_later(self._drain_seconds, setattr, self, "should_exit", True)


async def _watch_keys(ring: KeyRing) -> None:
    """Read the keys again when they change: the kubelet updates a mounted Secret in place."""
    while True:
        try:
            if ring.reload():
                log.info("keys of %d clients", len(ring.clients))
        except OSError as error:
            log.warning("the keys cannot be read, the last ones stay valid: %s", error)
        await asyncio.sleep(KEY_LOOK_SECONDS)


async def serve(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    secret = options.internal_key_file.read_bytes() if options.internal_key_file else b""

    def key_of(route: Route) -> str | None:
        return route.key or (derive(secret, "engine", route.namespace, route.model) if secret else None)

    metrics, state = Metrics(), State()
    directory = from_file(options.routes) if options.routes else Directory()
    timeouts = Timeouts(
        options.connect_timeout_seconds, options.first_byte_timeout_seconds, options.idle_timeout_seconds
    )
    upstream = Upstream(timeouts, key_of, metrics)
    keys = None if options.no_auth else KeyRing(options.keys_dir)
    limits = Limits(options.max_image_pixels, options.max_images)
    gateway = Gateway(directory, keys, upstream, metrics, limits, options.max_body_bytes)
    config = uvicorn.Config(
        create_app(gateway, state),
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=int(options.finish_seconds),
    )
    server = DrainingServer(config, state, options.drain_seconds)
    background = [] if keys is None else [asyncio.create_task(_watch_keys(keys))]
    if options.namespaces:
        namespaces = tuple(sorted({name.strip() for name in options.namespaces.split(",") if name.strip()}))
        watch = SliceWatch(namespaces, directory, lambda: log.info("models: %s", ", ".join(directory.routes) or "none"))
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
        sys.exit(f"the gateway cannot start: {error}")


if __name__ == "__main__":
    main()
