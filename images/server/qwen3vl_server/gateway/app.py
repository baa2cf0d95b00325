"""The gateway's pages: everything but the requests for engines, which the front hands to a door of its own.

An allow-list: whatever an engine has beside these paths cannot be reached."""

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from qwen3vl_common.errors import ApiError, InternalError, MethodNotAllowed, PathNotFound
from qwen3vl_common.strangers import acquaint
from qwen3vl_server.gateway.front import MISTAKE
from qwen3vl_server.gateway.proxy import EngineDoor, Gateway, check_key, find_route
from qwen3vl_server.gateway.routes import Route

PATHS = "/v1/chat/completions, /v1/completions, /v1/models, /health, /ready"
READ = ["GET", "HEAD"]


def _model(route: Route) -> dict[str, object]:
    entry: dict[str, object] = {
        "id": route.served_name,
        "object": "model",
        "created": route.created,
        "owned_by": f"{route.namespace}/{route.model}",
        "ready_replicas": len(route.endpoints),
    }
    if route.context_length is not None:
        entry["max_model_len"] = route.context_length
    return entry


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def create_app(gateway: Gateway) -> FastAPI:
    """What clients find beside the paths of the engines."""
    app = _app(PATHS)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        client = check_key(gateway, dict(request.headers.raw))
        acquaint(request.scope)
        routes = sorted(filter(client.may_ask, gateway.directory.routes.values()), key=lambda route: route.served_name)
        return _json({"object": "list", "data": [_model(route) for route in routes]})

    @app.get("/v1/models/{name:path}")
    async def model(request: Request, name: str) -> Response:
        if not name:
            raise HTTPException(404)
        client = check_key(gateway, dict(request.headers.raw))
        acquaint(request.scope)
        return _json(_model(find_route(gateway.directory, name, client)))

    _add_probes(app, gateway)
    return app


def create_metrics_app(gateway: Gateway) -> FastAPI:
    """What the port for kubelet and Prometheus answers; nobody else need reach it."""
    app = _app("/health, /ready, /metrics")
    _add_probes(app, gateway)

    @app.get("/metrics")
    async def metrics() -> Response:
        gateway.metrics.models.set(len(gateway.directory.routes))
        return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _app(paths: str) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)

    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> Response:
        return _json(error.body(), error.status, error.headers())

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405 or request.url.path in EngineDoor.paths:
            found: ApiError = MethodNotAllowed(f"{request.url.path} does not take {request.method}")
        else:
            found = PathNotFound(f"there is no {request.url.path[:100]}; paths: {paths}")
        return _json(found.body(), found.status, found.headers())

    @app.exception_handler(Exception)
    async def mistake(_: Request, _error: Exception) -> Response:
        # Starlette raises it again afterwards, and the server logs it.
        failure = InternalError(MISTAKE)
        return _json(failure.body(), failure.status)

    return app


def _add_probes(app: FastAPI, gateway: Gateway) -> None:
    @app.api_route("/health", methods=READ)
    async def health() -> Response:
        return _json({"status": "ok"})

    @app.api_route("/ready", methods=READ)
    async def ready() -> Response:
        waits = []
        if gateway.drain.told:
            waits.append("stopping")
        if not gateway.directory.complete:
            waits.append("the first list of EndpointSlices")
        if gateway.clients.users is not None and not gateway.clients.users.clients:
            waits.append("a Secret with at least one valid key")
        return _json({"ready": not waits, "waiting_for": waits}, 503 if waits else 200)
