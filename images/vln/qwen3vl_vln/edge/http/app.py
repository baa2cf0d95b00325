"""The HTTP face put together: its routers and the one answer to every refusal. Routes and fields of the older protocol
keep their names, types and status codes."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from qwen3vl_common.errors import ApiError
from qwen3vl_vln.edge.http import docs_page, frames, health, recordings, tasks, views
from qwen3vl_vln.edge.http.callers import Callers
from qwen3vl_vln.edge.http.documented import describe
from qwen3vl_vln.edge.http.errors import error_body, not_routed
from qwen3vl_vln.edge.http.json_body import Json
from qwen3vl_vln.edge.identity import Authenticator
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.edge.peers import Proxies
from qwen3vl_vln.edge.wire import Bounds

ABOUT = """Camera frames in, velocities out. Beside these routes there are the WebSockets `/vln/ws/{task}`,
`/vln/robot/{robot}` and `/vln/stream/{task}`, which the documentation of the protocol describes."""


def build(
    navigation: Navigation,
    authenticator: Authenticator,
    bounds: Bounds,
    *,
    model: str,
    ready: Callable[[], bool],
    origins: frozenset[str] = frozenset(),
    proxies: Proxies = Proxies(),  # noqa: B008 - it never changes
) -> FastAPI:
    """The application of all routes that are no WebSocket.

    Args:
        origins: whose pages may use it where no keys are asked for.
        proxies: whose word about the addresses of programs is taken.
    """
    app = FastAPI(title="qwen3vl VLN API", description=ABOUT, openapi_url=None)
    callers = Callers(authenticator, origins, proxies)
    app.include_router(frames.router(navigation, callers, bounds))
    app.include_router(tasks.router(navigation, callers))
    app.include_router(recordings.router(navigation, callers))
    app.include_router(views.router(navigation, callers))
    app.include_router(health.router(navigation, model=model, ready=ready))
    app.include_router(docs_page.router(app))

    def openapi() -> dict[str, Any]:
        app.openapi_schema = app.openapi_schema or describe(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # the way that FastAPI documents

    async def refused(_: Request, error: Exception) -> Response:
        refusal = error if isinstance(error, ApiError) else not_routed(error)
        return Json(error_body(refusal), status_code=refusal.status, headers=refusal.headers())

    for kind in (ApiError, HTTPException):
        app.add_exception_handler(kind, refused)
    return app
