"""The gateway's paths: an allow-list. Whatever an engine has beside these cannot be reached."""

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.routing import Route as PathRoute

from qwen3vl_common.errors import ApiError, InvalidRequest, MethodNotAllowed, PathNotFound
from qwen3vl_server.gateway import request as requests
from qwen3vl_server.gateway.proxy import Gateway, Proxy, check_key, find_route
from qwen3vl_server.gateway.routes import Route

PATHS = "/v1/chat/completions, /v1/completions, /v1/models, /health, /ready, /metrics"


class State:
    """What changes while the gateway runs: whether it is being told to stop."""

    draining = False


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


def create_app(gateway: Gateway, state: State) -> FastAPI:
    """The ASGI application."""
    app = FastAPI(title="qwen3vl gateway", openapi_url=None, docs_url=None, redoc_url=None)
    for path, parse in (("/v1/chat/completions", requests.chat), ("/v1/completions", requests.completion)):
        app.router.routes.append(PathRoute(path, Proxy(gateway, path, parse), methods=["POST"]))

    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> Response:
        return _json(error.body(), error.status, error.headers())

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            found: ApiError = MethodNotAllowed(f"{request.url.path} does not take {request.method}")
        else:
            found = PathNotFound(f"there is no {request.url.path[:100]}; paths: {PATHS}")
        return _json(found.body(), found.status, found.headers())

    @app.exception_handler(RequestValidationError)
    async def validation_error(_: Request, error: RequestValidationError) -> Response:
        return _json(InvalidRequest(str(error)).body(), 400)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        check_key(gateway.keys, dict(request.headers.raw))
        routes = sorted(gateway.directory.routes.values(), key=lambda route: route.served_name)
        return _json({"object": "list", "data": [_model(route) for route in routes]})

    @app.get("/v1/models/{name}")
    async def model(request: Request, name: str) -> Response:
        check_key(gateway.keys, dict(request.headers.raw))
        return _json(_model(find_route(gateway.directory, name)))

    @app.get("/health")
    async def health() -> Response:
        return _json({"status": "ok"})

    @app.get("/ready")
    async def ready() -> Response:
        waits = []
        if state.draining:
            waits.append("stopping")
        if not gateway.directory.complete:
            waits.append("the first list of EndpointSlices")
        if gateway.keys is not None and not gateway.keys.clients:
            waits.append("a Secret with at least one valid key")
        return _json({"ready": not waits, "waiting_for": waits}, 503 if waits else 200)

    @app.get("/metrics")
    async def metrics() -> Response:
        gateway.metrics.models.set(len(gateway.directory.routes))
        return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app
