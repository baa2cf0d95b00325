"""What the operator answers over HTTP: to the kubelet whether it lives and is ready, to Prometheus its metrics.

A server of its own, begun before kopf and ended after it: the probes have an answer while the apiserver has none.
Two ports, so that a NetworkPolicy may open the metrics alone."""

import errno
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

HEALTH_PORT = 8080
METRICS_PORT = 9090
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
END_SECONDS = 2.0
"""How long open connections may hold up the end of the process."""

WhyNot = Callable[[], str | None]
"""What is in the way, in one line; None when nothing is."""
Handler = Callable[[web.Request], Awaitable[web.Response]]


class ServingError(Exception):
    """A port cannot be served; the message says which, and why."""


@dataclass(frozen=True)
class Ports:
    """The ports that are served."""

    health: int
    metrics: int


@asynccontextmanager
async def serve(
    health_port: int,
    metrics_port: int,
    *,
    live: WhyNot,
    ready: WhyNot,
    metrics: Callable[[], bytes],
    figures: Callable[[], Mapping[str, float]] = dict,
    host: str = "0.0.0.0",  # noqa: S104 - the kubelet and Prometheus come from outside the pod
) -> AsyncIterator[Ports]:
    """Answer until the block ends: `/healthz` and `/readyz` on one port, `/metrics` on the other.

    Args:
        health_port: 0 takes any free one; likewise `metrics_port`.
        live: why the process should be started anew.
        ready: what it still waits for.
        metrics: the answer to a scrape, in Prometheus' text format.
        figures: a few numbers for whoever reads `/healthz`.

    Raises:
        ServingError: a port cannot be had.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _verdict("live", live(), figures(), otherwise=500)

    async def readyz(_: web.Request) -> web.Response:
        return _verdict("ready", ready(), {}, otherwise=503)

    async def scraped(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": METRICS_TYPE})

    async with AsyncExitStack() as stack:
        yield Ports(
            health=await _listen(stack, host, health_port, {"/healthz": healthz, "/readyz": readyz}),
            metrics=await _listen(stack, host, metrics_port, {"/metrics": scraped}),
        )


def _verdict(word: str, why_not: str | None, figures: Mapping[str, float], *, otherwise: int) -> web.Response:
    """A line of JSON: whether, and why not."""
    said = {word: why_not is None} | ({} if why_not is None else {"why": why_not})
    text = json.dumps(said | dict(figures), ensure_ascii=False) + "\n"
    return web.Response(text=text, status=200 if why_not is None else otherwise, content_type="application/json")


async def _listen(stack: AsyncExitStack, host: str, port: int, routes: Mapping[str, Handler]) -> int:
    """Serve the routes until the stack ends; the port."""
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=END_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        paths = " and ".join(routes)
        if error.errno == errno.EADDRINUSE:
            raise ServingError(f"port {port} for {paths} is in use by another process; choose another") from None
        raise ServingError(f"port {port} for {paths} cannot be served on {host}: {error}") from None
    return int(runner.addresses[0][1])
