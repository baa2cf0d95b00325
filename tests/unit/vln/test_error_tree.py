"""Why the VLN API refuses: one tree, of which each leaf is answered, closed by and documented as it says."""

import asyncio
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI

import qwen3vl_vln.edge
import qwen3vl_vln.task
from qwen3vl_common import errors as common
from qwen3vl_common.errors import ApiError
from qwen3vl_vln import errors
from qwen3vl_vln.edge.http import app
from qwen3vl_vln.edge.identity import Authenticator
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.errors import FinishedError, SocketError, VlnError

from .asgi import ask
from .samples import navigation_without_worker
from .socket_server import Server

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
TREE = [each for each in vars(errors).values() if inspect.isclass(each) and each.__module__ == errors.__name__]
LEAVES = [each for each in TREE if not each.__subclasses__()]
ANSWERED = [leaf for leaf in LEAVES if not issubclass(leaf, SocketError)]
CLOSING = [leaf for leaf in LEAVES if issubclass(leaf, VlnError) and leaf.close_code != VlnError.close_code]


def made(leaf: type[ApiError]) -> ApiError:
    return leaf("why not", {"status": "completed"}) if issubclass(leaf, FinishedError) else leaf("why not")


def rows(first: str) -> list[str]:
    """Rows of the page's tables whose first cell has this word."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [line for line in lines if first in line.split("|")[1].replace(",", " ").split()]


def test_the_tree_is_drawn_as_it_is() -> None:
    drawing = inspect.getdoc(errors) or ""
    assert len(LEAVES) > 20
    for each in TREE:
        assert issubclass(each, ApiError)
        assert each.__name__ in drawing, "draw it at the top of the module"


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_leaf_has_a_status_and_a_code(leaf: type[ApiError]) -> None:
    assert 400 <= leaf.status < 600 and leaf.status != ApiError.status
    assert leaf.code and leaf.code.islower()


@pytest.mark.parametrize("leaf", ANSWERED)
def test_each_code_stands_in_the_table_of_errors(leaf: type[ApiError]) -> None:
    assert any(f"`{leaf.code}`" in row for row in rows(str(leaf.status)))


def test_the_table_of_errors_has_no_code_that_is_never_given() -> None:
    given = {each.code for each in (*ANSWERED, *vars(common).values()) if getattr(each, "code", None)}
    table = PAGE.partition("### Errors")[2].partition("## ")[0]
    told = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ") and row[2].isdigit()]
    codes = {code for cell in told for code in re.findall("`([a-z_]+)`", cell)}
    assert len(codes) > 20 and codes <= given, codes - given


@pytest.mark.parametrize("leaf", CLOSING)
def test_each_refusal_stands_beside_its_close_code(leaf: type[VlnError]) -> None:
    (row,) = rows(str(leaf.close_code))
    assert f"`{leaf.code}`" in row.split("|")[2]


def test_the_table_of_close_codes_has_no_refusal_that_closes_otherwise() -> None:
    table = PAGE.partition("| Close code |")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in row.split("|")[1:3]] for row in table.splitlines() if row[2:3].isdigit()]
    told = {(code, int(number)) for number, codes in cells for code in re.findall("`([a-z_]+)`", codes)}
    assert told == {(leaf.code, leaf.close_code) for leaf in CLOSING}


def test_what_only_an_open_websocket_meets_closes_it() -> None:
    assert {leaf for leaf in LEAVES if issubclass(leaf, SocketError)} <= set(CLOSING)


@pytest.mark.parametrize("package", [qwen3vl_vln.edge, qwen3vl_vln.task])
def test_no_other_error_reaches_a_client(package: ModuleType) -> None:
    modules = [each.name for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    assert len(modules) > 10
    for name in modules:
        own = [each for each in vars(importlib.import_module(name)).values() if getattr(each, "__module__", "") == name]
        roots = [each for each in own if inspect.isclass(each) and issubclass(each, Exception)]
        assert not roots, f"{name}: it belongs into the tree of qwen3vl_vln.errors"


@pytest.fixture(scope="module")
def refusing() -> FastAPI:
    """The application, with a route that refuses as it is asked to."""
    web = app.build(navigation_without_worker(), Authenticator(None, None), Bounds(), model="m", ready=lambda: True)

    @web.get("/refuse/{name}")
    async def refuse(name: str) -> None:
        raise made(getattr(errors, name))

    return web


@pytest.mark.parametrize("leaf", ANSWERED)
def test_each_leaf_is_answered_as_it_says(refusing: FastAPI, leaf: type[ApiError]) -> None:
    status, headers, content = asyncio.run(ask(refusing, "GET", f"/refuse/{leaf.__name__}"))
    answer = json.loads(content)
    expected = {"message": "why not", "type": leaf.type, "param": None, "code": leaf.code}
    assert status == leaf.status
    assert (answer["error"], answer["detail"]) == (expected, "why not")
    assert headers.get("retry-after") == (str(leaf.retry_after_seconds) if leaf.retry_after_seconds else None)
    assert ("www-authenticate" in headers) is (leaf.status == 401)
    assert ("task" in answer) is (leaf is FinishedError)


@pytest.mark.parametrize("leaf", CLOSING)
async def test_each_leaf_closes_an_open_websocket_as_it_says(leaf: type[VlnError]) -> None:
    server = Server()

    def refuse(*_: Any, **__: Any) -> int:
        raise leaf("why not")

    server.navigation.grant = refuse  # type: ignore[method-assign]
    robot = server.connect()
    assert (await robot.heard())["type"] == "websocket.accept"
    closed = await robot.says_and_is_closed(json.dumps({"hello": {"writer": "w"}}))
    assert (closed["code"], closed["reason"]) == (leaf.close_code, "why not")
