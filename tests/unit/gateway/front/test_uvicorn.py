"""What the front uses of uvicorn, which promises none of it: another version fails here, and it is said where."""

import ast
import asyncio
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from qwen3vl_server.gateway.front.protocol import FrontProtocol

ROOT = Path(__file__).parents[4]
FRONT = ROOT / "images/server/qwen3vl_server/gateway/front"
MODULES = sorted({one.__module__.rpartition(".")[2] for one in FrontProtocol.__mro__ if ".front." in one.__module__})


def test_one_version_is_pinned_and_it_is_the_one_that_is_installed() -> None:
    server = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["server"]
    pin = f"uvicorn=={version('uvicorn')}"
    assert pin in server
    assert pin in (ROOT / "constraints.txt").read_text().splitlines()


def names(module: str) -> tuple[set[str], set[str], set[str]]:
    """Names of a connection's members in a module: those that are made there, used, and used of a class above."""
    made: set[str] = set()
    used: set[str] = set()
    above: set[str] = set()
    for node in ast.walk(ast.parse((FRONT / f"{module}.py").read_text())):
        match node:
            case ast.Attribute(value=ast.Name("self"), attr=name, ctx=context):
                (made if isinstance(context, ast.Store) else used).add(name)
            case ast.Attribute(value=ast.Call(func=ast.Name("super")) | ast.Name("HttpToolsProtocol"), attr=name):
                above.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                made.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                made.add(name)
    return made, used, above


@pytest.fixture
async def protocol() -> HttpToolsProtocol:
    """Uvicorn's own, of a connection that was not made yet."""
    config = uvicorn.Config(FastAPI(), lifespan="off", log_config=None)
    config.load()
    return HttpToolsProtocol(config, ServerState(), {}, asyncio.get_running_loop())


@pytest.mark.parametrize("module", MODULES)
def test_all_that_it_uses_of_the_protocol_is_there(protocol: HttpToolsProtocol, module: str) -> None:
    others = {name for one in MODULES if one != module for name in names(one)[0]}
    made, used, above = names(module)
    of_uvicorn = (used - made - others) | (above - others)
    assert {name for name in of_uvicorn if not hasattr(protocol, name)} == set()


def test_what_it_sets_for_uvicorn_is_what_uvicorn_has(protocol: HttpToolsProtocol) -> None:
    protocol.on_message_begin()
    for name in ("app_state", "cycle", "expect_100_continue", "flow", "headers", "parser", "url"):
        assert name in vars(protocol), name
