"""The page where the API is read and tried: whole without internet, true, and with examples that work."""

import asyncio
import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.images import jpeg

from qwen3vl_vln.edge.http import docs_page
from qwen3vl_vln.edge.http.shapes import SMALLEST_JPEG

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
WITHOUT_KEY = {"/health", "/ready", "/metrics"}


class Page:
    """The application as a browser asks it."""

    def __init__(self) -> None:
        self.door = Door(OPERATOR_KEY)
        link = self.door.navigation.link
        link.options = replace(link.options, recordings_dir=Path(__file__).parent / "nowhere")
        self.description: dict[str, Any] = json.loads(self.get("/openapi.json")[2])

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], bytes]:
        key = f"Bearer {OPERATOR_KEY}"
        return asyncio.run(ask(self.door.app, method, path, json.dumps(body).encode(), authorization=key))

    @property
    def operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [(m, path, what) for path, methods in self.description["paths"].items() for m, what in methods.items()]

    def example(self, method: str, path: str) -> Any:
        content = self.description["paths"][path][method]["requestBody"]["content"]
        return content["application/json"]["schema"]["examples"][0]

    def is_as_documented(self, method: str, path: str, answer: Any) -> None:
        """See that an answer has the shape that the page shows, and no field more."""
        content = self.description["paths"][path][method]["responses"]["200"]["content"]
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
    page.is_as_documented(method, path, answer)


def test_answers_are_as_documented() -> None:
    page = Page()
    made = json.loads(page.ask("post", "/vln/task/create", {"instruction": "Walk.", "config": {"robot": "go2-02"}})[2])
    frame = {"task_id": page.door.entry.task.task_id, "frame": base64.b64encode(jpeg(seed=7)).decode()}
    assert page.ask("post", "/vln/frame", frame)[0] == 200
    page.door.plan()
    page.door.now += 0.1
    asked = [
        ("post", "/vln/frame", "/vln/frame", frame),
        ("get", "/vln/task/{task_id}", f"/vln/task/{frame['task_id']}", None),
        ("get", "/vln/robot/{robot}/task", "/vln/robot/go2-02/task", None),
        ("get", "/vln/tasks", "/vln/tasks", None),
        ("get", "/vln/pipeline/stats", "/vln/pipeline/stats", None),
        ("get", "/vln/me", "/vln/me", None),
        ("get", "/health", "/health", None),
        ("get", "/ready", "/ready", None),
        ("get", "/vln/task/{task_id}/recordings", f"/vln/task/{made['task_id']}/recordings", None),
        ("post", "/vln/task/{task_id}/ticket", f"/vln/task/{made['task_id']}/ticket", None),
        ("post", "/vln/task/{task_id}/stop", f"/vln/task/{made['task_id']}/stop", None),
        ("delete", "/vln/task/{task_id}", f"/vln/task/{made['task_id']}", None),
    ]
    for method, path, address, body in asked:
        status, _, content = page.ask(method, address, body)
        answer = json.loads(content)
        assert status == 200, (path, answer)
        page.is_as_documented(method, path, answer)


def test_a_refusal_is_as_documented(page: Page) -> None:
    status, _, content = page.ask("patch", "/vln/task/nobody", {})
    assert status == 404
    jsonschema.validate(json.loads(content), page.description["components"]["schemas"]["Refusal"])


def test_the_example_of_a_frame_is_a_whole_picture() -> None:
    data = base64.b64decode(SMALLEST_JPEG, validate=True)
    assert data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")
