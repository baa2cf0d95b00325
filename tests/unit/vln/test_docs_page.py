"""The page where the API is read and tried: whole without internet, true, and with examples that work."""

import ast
import asyncio
import base64
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urljoin

import jsonschema
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.support.images import jpeg

from qwen3vl_common.errors import ApiError
from qwen3vl_vln.edge.http import docs_page, frames, health, recordings, tasks, views
from qwen3vl_vln.edge.http.shapes import SMALLEST_JPEG
from qwen3vl_vln.edge.watches import Rendering
from qwen3vl_vln.recording.store import MAGIC
from qwen3vl_vln.task.task import Task

from .asgi import ask
from .door import Door

ROOT = Path(__file__).resolve().parents[3]
OPERATOR_KEY = "operator-key"
WITH_BODIES = [
    ("post", "/vln/task/create"),
    ("post", "/vln/frame"),
    ("post", "/vln/frame/sync"),
    ("put", "/vln/task/{task_id}"),
    ("patch", "/vln/task/{task_id}"),
]
NOWHERE = Path(__file__).parent / "nowhere"
WITHOUT_KEY = {"/health", "/ready", "/metrics"}
RECORDING = "20260102T030405Z-1.mcap"
# Asked with a task that was made for `go2-02`: method, path.
WITHOUT_BODIES = [
    ("get", "/vln/task/{task_id}"),
    ("get", "/vln/robot/{robot}/task"),
    ("get", "/vln/tasks"),
    ("get", "/vln/pipeline/stats"),
    ("get", "/vln/me"),
    ("get", "/health"),
    ("get", "/ready"),
    ("get", "/vln/task/{task_id}/recordings"),
    ("post", "/vln/task/{task_id}/ticket"),
    ("post", "/vln/task/{task_id}/stop"),
    ("delete", "/vln/task/{task_id}"),
]
OF_BYTES = [
    ("get", "/metrics"),
    ("get", "/vln/task/{task_id}/recordings/{name}"),
    ("get", "/vln/task/{task_id}/snapshot"),
    ("get", "/vln/task/{task_id}/view"),
    ("get", "/vln/robot/{robot}/view"),
]
LONGEST_SECONDS = 20.0


class Page:
    """The application as a browser asks it."""

    def __init__(self, recordings_dir: Path = NOWHERE) -> None:
        # Nobody but the operator has a key.
        self.door = Door(OPERATOR_KEY, keys_dir=NOWHERE, recordings_dir=recordings_dir)
        self.description: dict[str, Any] = json.loads(self.get("/openapi.json")[2])

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        return self.ask("GET", path)

    def ask(
        self, method: str, path: str, body: Any = None, key: str | None = OPERATOR_KEY
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return asyncio.run(self._ask(self.door.app, method, path, json.dumps(body).encode(), headers))

    def glance(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """What somebody has who leaves at once."""

        async def leave() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def app(scope: Scope, _: Receive, send: Send) -> None:
            await self.door.app(scope, leave, send)

        return asyncio.run(self._ask(app, "GET", path, b"", {"authorization": f"Bearer {OPERATOR_KEY}"}))

    async def _ask(
        self, app: ASGIApp, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await ask(app, method, path, body, **headers)

    @property
    def operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [(m, path, what) for path, methods in self.description["paths"].items() for m, what in methods.items()]

    def example(self, method: str, path: str) -> Any:
        content = self.description["paths"][path][method]["requestBody"]["content"]
        return content["application/json"]["schema"]["examples"][0]

    def responses(self, method: str, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.description["paths"][path][method]["responses"]
        return found

    def is_as_documented(self, method: str, path: str, answer: Any, status: int = 200) -> None:
        """See that an answer has the shape that the page shows for its status, and no field more."""
        content = self.responses(method, path)[str(status)]["content"]
        schema = content["application/json"]["schema"] | {"components": self.description["components"]}
        jsonschema.validate(answer, schema, cls=jsonschema.Draft202012Validator)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page()


def test_the_page_names_no_foreign_host_and_all_its_files_are_served(page: Page) -> None:
    status, headers, html = page.get("/docs")
    assert status == 200 and headers["content-type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="([^"]*)"', html.decode())
    assert len(named) == 4
    for name in named:
        assert "//" not in name and not name.startswith("/"), "it may be served below another path"
        status, headers, content = page.get(f"/{name}")
        assert status == 200 and len(content) > 50
        assert headers["content-type"].split(";")[0] in (*docs_page.FILES.values(), "text/javascript")
    assert b"//" not in html.replace(b"<!doctype html>", b"")
    assert "//" not in docs_page.SCRIPT


def test_a_browser_lets_the_page_load_from_here_alone(page: Page) -> None:
    policy = page.get("/docs")[1]["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "http:" not in policy and "https:" not in policy and "*" not in policy


@pytest.mark.parametrize("name", ["redoc.standalone.js", "../core.py", "..%2fcore.py", "nothing"])
def test_other_files_of_the_package_are_not_served(page: Page, name: str) -> None:
    assert page.get(f"/docs/{name}")[0] == 404


def test_the_script_shows_the_description_of_this_process(page: Page) -> None:
    assert f'"{docs_page.DESCRIPTION.removeprefix("/")}"' in docs_page.SCRIPT
    assert page.description["openapi"].startswith("3.")
    assert b"SwaggerUIBundle" in page.get("/docs/swagger-ui-bundle.js")[2]


def test_each_route_says_what_it_answers_and_refuses_and_whether_it_needs_a_key(page: Page) -> None:
    assert len(page.operations) > 18
    for method, path, what in page.operations:
        assert what["summary"] and not what["summary"].endswith("."), path
        assert what["responses"]["200"]["content"], path
        assert "422" not in what["responses"], "no route of ours answers so"
        needs_key = path not in WITHOUT_KEY
        assert bool(what["security"]) is needs_key is ("401" in what["responses"]), path
        content = what["responses"]["200"]["content"]
        schema = next(iter(content.values()))["schema"]
        assert "$ref" in schema or schema["type"] == "string", (method, path)


def test_a_route_that_says_it_needs_a_key_refuses_who_has_none_and_no_other_route_does(page: Page) -> None:
    for method, path, what in page.operations:
        body = page.example(method, path) if "requestBody" in what else None
        address = path.replace("{task_id}", page.door.entry.task.task_id).replace("{robot}", "go2")
        for key in (None, "nobodys-key"):
            status, _, content = page.ask(method, address, body, key=key)
            if what["security"]:
                assert status == 401, (method, path, key)
                page.is_as_documented(method, path, json.loads(content), 401)
            else:
                assert status == 200, (method, path, key)


def test_an_address_tried_on_the_page_is_where_the_page_is_served(page: Page) -> None:
    (server,) = page.description["servers"]
    for place in ("http://robots/", "https://dashboard/models/nav/"):
        description = urljoin(f"{place}docs", docs_page.DESCRIPTION.removeprefix("/"))
        # As OpenAPI has it: a relative server counts from the description, a path is put behind it.
        base = urljoin(description, server["url"]).removesuffix("/")
        assert base + "/vln/tasks" == f"{place}vln/tasks"


def raises_of(module: ModuleType) -> Iterator[tuple[str, str, type[ApiError]]]:
    """Method, path and error of what each route of a module raises by name, in functions of the module that it calls
    too."""
    tree = ast.parse(inspect.getsource(module))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}

    def reached(name: str, seen: set[str]) -> set[str]:
        if name in seen or name not in functions:
            return seen
        seen.add(name)
        for node in ast.walk(functions[name]):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                reached(node.func.id, seen)
        return seen

    for name, function in functions.items():
        for route in function.decorator_list:
            assert isinstance(route, ast.Call) and isinstance(route.func, ast.Attribute)
            path = ast.literal_eval(route.args[0])
            for node in (node for each in reached(name, set()) for node in ast.walk(functions[each])):
                match node:
                    case ast.Raise(exc=ast.Call(func=ast.Name(id=error))):
                        yield route.func.attr, path, getattr(module, error)


@pytest.mark.parametrize("module", [frames, health, recordings, tasks, views])
def test_each_refusal_that_a_route_raises_by_name_is_documented(page: Page, module: ModuleType) -> None:
    found = list(raises_of(module))
    assert found or module is health
    for method, path, error in found:
        documented = page.responses(method, path).get(str(error.status), {}).get("description", "")
        assert f"`{error.code}`" in documented, (method, path, error)


def test_each_route_stands_in_the_table_of_the_protocol(page: Page) -> None:
    table = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8").partition("## HTTP")[2].partition("### ")[0]
    requests = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    for method, path, _ in page.operations:
        address = re.escape(path.replace("{task_id}", "{id}"))
        told = [cell for cell in requests if re.search(rf"{address}[`?]", cell)]
        assert any(f"`{method.upper()} " in cell for cell in told), (method, path)


def test_each_route_with_a_body_shows_its_fields_with_bounds(page: Page) -> None:
    assert sorted(WITH_BODIES) == sorted((m, path) for m, path, what in page.operations if "requestBody" in what)
    for method, path in WITH_BODIES:
        schema = page.description["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"] and schema["examples"], path
        jsonschema.validate(page.example(method, path), schema)
    create = page.description["paths"]["/vln/task/create"]["post"]["requestBody"]["content"]["application/json"]
    limits = create["schema"]["properties"]["config"]["properties"]["limits"]["properties"]
    assert limits["linearMetersPerSecond"]["maximum"] == 3


def test_everything_that_is_referred_to_is_there(page: Page) -> None:
    named = set(re.findall(r'"#/components/schemas/([^"]*)"', json.dumps(page.description)))
    assert named <= set(page.description["components"]["schemas"])
    assert "$defs" not in json.dumps(page.description)


@pytest.mark.parametrize(("method", "path"), WITH_BODIES)
def test_a_documented_example_is_accepted_by_its_route_and_answered_as_documented(method: str, path: str) -> None:
    page = Page()
    body = page.example(method, path)
    task_id = page.door.entry.task.task_id
    if "frame" in body:
        body |= {"task_id": task_id}
    if method == "put":
        task_id = "walk-0123abcd"
    if path == "/vln/frame/sync":
        # Nobody looks at pictures here: the first one is under way, and a second waits for none.
        page.door.entry.task.stop(page.door.now, 0.0, "enough")
    status, _, content = page.ask(method, path.replace("{task_id}", task_id), body)
    answer = json.loads(content)
    assert status == (400 if path == "/vln/frame/sync" else 200), answer
    page.is_as_documented(method, path, answer, status)


def test_each_route_is_asked_by_a_test_of_this_page(page: Page) -> None:
    assert sorted([*WITH_BODIES, *WITHOUT_BODIES, *OF_BYTES]) == sorted((m, path) for m, path, _ in page.operations)
    of_bytes = {(m, path) for m, path, _ in page.operations if "application/json" not in content_of(page, m, path)}
    assert set(OF_BYTES) == of_bytes


def content_of(page: Page, method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = page.responses(method, path)["200"]["content"]
    return found


def test_answers_are_as_documented(tmp_path: Path) -> None:
    page = Page(tmp_path)
    made = json.loads(page.ask("post", "/vln/task/create", {"instruction": "Walk.", "config": {"robot": "go2-02"}})[2])
    frame = {"task_id": page.door.entry.task.task_id, "frame": base64.b64encode(jpeg(seed=7)).decode()}
    assert page.ask("post", "/vln/frame", frame)[0] == 200
    page.door.plan()
    page.door.now += 0.1
    recorded(tmp_path, made["task_id"])
    status, _, content = page.ask("post", "/vln/frame", frame)
    page.is_as_documented("post", "/vln/frame", json.loads(content), status)
    walked = json.loads(page.get(f"/vln/task/{frame['task_id']}")[2])
    page.is_as_documented("get", "/vln/task/{task_id}", walked)
    for method, path in WITHOUT_BODIES:
        status, _, content = page.ask(method, path.format(task_id=made["task_id"], robot="go2-02"))
        answer = json.loads(content)
        assert status == 200, (path, answer)
        page.is_as_documented(method, path, answer)
        if path.endswith("/recordings"):
            assert [each["name"] for each in answer["recordings"]] == [RECORDING]


def recorded(folder: Path, task_id: str) -> bytes:
    """A task has a recording; its bytes."""
    content = MAGIC + b"what was seen" + MAGIC
    (folder / task_id).mkdir()
    (folder / task_id / RECORDING).write_bytes(content)
    return content


@pytest.mark.parametrize("path", ["/vln/frame", "/vln/frame/sync"])
def test_the_answer_of_an_ended_task_is_as_documented_for_its_status(page: Page, path: str) -> None:
    page.door.entry.task.stop(page.door.now, 0.0, "enough")
    frame = {"task_id": page.door.entry.task.task_id, "frame": SMALLEST_JPEG}
    for body, answered in ((frame, "state"), ({"task_id": 7}, "error")):
        status, _, content = page.ask("post", path, body)
        answer = json.loads(content)
        assert status == 400 and answered in answer
        page.is_as_documented("post", path, answer, status)


def test_a_process_that_is_not_ready_says_so_as_documented() -> None:
    page = Page()
    page.door.ready = False
    status, _, content = page.get("/ready")
    assert (status, json.loads(content)) == (503, {"ready": False})
    page.is_as_documented("get", "/ready", json.loads(content), status)


def test_answers_of_bytes_have_the_documented_media_type(tmp_path: Path) -> None:
    page = Page(tmp_path)
    task_id = page.door.entry.task.task_id
    content = recorded(tmp_path, task_id)

    async def drawn(task: Task) -> Rendering:
        assert task.task_id == task_id
        return Rendering(jpeg(), 0.0, 1, last=False)

    # Nobody draws pictures here.
    page.door.navigation.views.snapshot = drawn  # type: ignore[method-assign]
    for method, path in OF_BYTES:
        address = path.format(task_id=task_id, robot="go2", name=RECORDING)
        status, headers, answer = (page.glance if path.endswith("/view") else page.get)(address)
        assert status == 200, path
        assert headers["content-type"].split(";")[0] in content_of(page, method, path)
        assert answer == content or not path.endswith("/{name}")


def test_a_refusal_is_as_documented(page: Page) -> None:
    status, _, content = page.ask("patch", "/vln/task/nobody", {})
    assert status == 404
    jsonschema.validate(json.loads(content), page.description["components"]["schemas"]["Refusal"])


def test_the_example_of_a_frame_is_a_whole_picture() -> None:
    data = base64.b64decode(SMALLEST_JPEG, validate=True)
    assert data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")
