"""The gateway's paths: an allow-list. Whatever an engine has beside these cannot be reached."""

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.routing import Route as PathRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from qwen3vl_common.errors import ApiError, InternalError, MethodNotAllowed, PathNotFound
from qwen3vl_server.gateway import request as requests
from qwen3vl_server.gateway.proxy import Gateway, Proxy, check_key, find_route
from qwen3vl_server.gateway.routes import Route

PATHS = "/v1/chat/completions, /v1/completions, /v1/models, /health, /ready, /metrics"


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


def create_app(gateway: Gateway) -> ASGIApp:
    """The ASGI application: requests for engines go straight to the proxy, everything else to FastAPI."""
    proxies = {
        path: Proxy(gateway, path, parse)
        for path, parse in (("/v1/chat/completions", requests.chat), ("/v1/completions", requests.completion))
    }
    pages = _pages(gateway, proxies)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and (proxy := proxies.get(scope["path"])):
            await proxy(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return app


def _pages(gateway: Gateway, proxies: dict[str, Proxy]) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for path, proxy in proxies.items():
        # Only so that another method is answered by 405.
        app.router.routes.append(PathRoute(path, proxy, methods=["POST"]))

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

    @app.exception_handler(Exception)
    async def mistake(_: Request, _error: Exception) -> Response:
        # Starlette raises it again afterwards, and the server logs it.
        failure = InternalError("the gateway failed; its log has the reason")
        return _json(failure.body(), failure.status)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        client = check_key(gateway, dict(request.headers.raw))
        routes = sorted(filter(client.may_ask, gateway.directory.routes.values()), key=lambda route: route.served_name)
        return _json({"object": "list", "data": [_model(route) for route in routes]})

    @app.get("/v1/models/{name}")
    async def model(request: Request, name: str) -> Response:
        client = check_key(gateway, dict(request.headers.raw))
        return _json(_model(find_route(gateway.directory, name, client)))

    @app.get("/health")
    async def health() -> Response:
        return _json({"status": "ok"})

    @app.get("/ready")
    async def ready() -> Response:
        waits = []
        if gateway.drain.told:
            waits.append("stopping")
        if not gateway.directory.complete:
            waits.append("the first list of EndpointSlices")
        if gateway.clients.users is not None and not gateway.clients.users.clients:
            waits.append("a Secret with at least one valid key")
        return _json({"ready": not waits, "waiting_for": waits}, 503 if waits else 200)

    @app.get("/metrics")
    async def metrics() -> Response:
        gateway.metrics.models.set(len(gateway.directory.routes))
        return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app
