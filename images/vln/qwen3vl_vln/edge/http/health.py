"""How this process is: for probes and Prometheus, who have no key, and the totals over all tasks for those who do."""

from collections.abc import Callable

from fastapi import APIRouter, Response

from qwen3vl_vln.edge.http.documented import described
from qwen3vl_vln.edge.http.json_body import Json
from qwen3vl_vln.edge.http.shapes import TEXT, Health, Ready
from qwen3vl_vln.edge.navigation import Navigation


def router(navigation: Navigation, *, model: str, ready: Callable[[], bool]) -> APIRouter:
    """The routes.

    Args:
        model: the name of the one that robots are led by.
        ready: whether requests are to come here.
    """
    routes = APIRouter(tags=["health"])

    @routes.get("/health", **described(Health, key=False))
    async def health() -> Response:
        """Liveness."""
        return Json({"status": "healthy", "model": model, "gpu_count": 0})

    @routes.get("/ready", **described(Ready, key=False, otherwise=(503, Ready)))
    async def is_ready() -> Response:
        """Readiness: 503 while this process ends or its worker is silent."""
        return Json({"ready": ready()}, status_code=200 if ready() else 503)

    @routes.get("/metrics", **described(TEXT, key=False))
    async def metrics() -> Response:
        """Prometheus' text format."""
        text = navigation.metrics.text(worker_restarts=navigation.link.restarts)
        return Response(text, media_type="text/plain; version=0.0.4")

    return routes
