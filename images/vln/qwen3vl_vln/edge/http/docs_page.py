"""The page on which the API can be read and tried, and the description that it reads: all from this process, since a
robot's network has no internet. Swagger UI's files lie in a package that carries them, and are served as they are."""

import importlib.util
from functools import cache
from pathlib import Path

import orjson
from fastapi import APIRouter, FastAPI, Response
from starlette.responses import FileResponse

from qwen3vl_common.errors import PathNotFound

DESCRIPTION = "/openapi.json"
PACKAGE = "fastapi_offline"
FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
START = "start.js"
HEADERS = {
    # Swagger UI sets styles of single elements, and has its icons in its style sheet.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
KEPT = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>qwen3vl VLN API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/{START}"></script>
</body>
</html>
"""
SCRIPT = f"""SwaggerUIBundle({{
  url: "{DESCRIPTION.removeprefix("/")}",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
}});
"""


def router(app: FastAPI) -> APIRouter:
    """The page, its files and the description of the application. None of them needs a key: they say what everybody may
    read."""
    routes = APIRouter(include_in_schema=False)

    @routes.get(DESCRIPTION)
    async def openapi() -> Response:
        return Response(orjson.dumps(app.openapi()), media_type="application/json")

    @routes.get("/docs")
    async def page() -> Response:
        return Response(PAGE, media_type="text/html", headers=HEADERS)

    @routes.get("/docs/{name}")
    async def file(name: str) -> Response:
        if name == START:
            return Response(SCRIPT, media_type="text/javascript", headers=KEPT)
        if name not in FILES:
            raise PathNotFound("no such path; see /docs")
        return FileResponse(_folder() / name, media_type=FILES[name], headers=KEPT)

    return routes


@cache
def _folder() -> Path:
    """Where the files lie. The package is not imported: its code is for other applications."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise PathNotFound(f"this VLN API was installed without {PACKAGE}, which has the files of /docs")
    return Path(found.origin).parent / "static"
