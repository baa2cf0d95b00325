"""Who opens a WebSocket, by which path and subprotocol, and what it says of itself in its greeting. Pure but for the
refusal, which is an HTTP answer: what a browser too should hear of comes later, as a close code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import Scope, Send

from qwen3vl_common.errors import ApiError, InvalidRequest, PathNotFound
from qwen3vl_vln.edge.http.errors import error_body
from qwen3vl_vln.edge.identity import BEARER_SUBPROTOCOL, Authenticator, Caller
from qwen3vl_vln.edge.wire import SUBPROTOCOL

KINDS = ("ws", "robot", "stream")
LONGEST_NAME = 253
HELLO_FIELDS = {"writer", "run", "robot", "takeover", "stop_epoch"}


@dataclass(frozen=True)
class Greeting:
    """Who opens a connection, for what.

    Attributes:
        headers: their names are in lower case.
        subprotocol: that was agreed on, None for none.
        kind, name: of the path `/vln/<kind>/<name>`.
    """

    headers: Mapping[str, str]
    caller: Caller
    subprotocol: str | None
    kind: str
    name: str


def greeting(scope: Scope, authenticator: Authenticator) -> Greeting:
    """Read the request to open a connection.

    Raises:
        NoKeyError: no key, or an unknown one.
        PathNotFound: there is no such path.
        InvalidRequest: another subprotocol.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    offered: list[str] = list(scope.get("subprotocols", ()))
    caller = authenticator.caller(headers, offered)
    kind, _, name = scope["path"].removeprefix("/vln/").partition("/")
    if kind not in KINDS:
        raise PathNotFound("no such path; robots connect to /vln/ws/{task} or /vln/robot/{robot}")
    real = [subprotocol for subprotocol in offered if not subprotocol.startswith(BEARER_SUBPROTOCOL)]
    if kind == "stream" or not real:
        return Greeting(headers, caller, None, kind, name)
    if SUBPROTOCOL not in real:
        raise InvalidRequest(f"the one subprotocol is {SUBPROTOCOL}", param="sec-websocket-protocol")
    return Greeting(headers, caller, SUBPROTOCOL, kind, name)


async def refuse(send: Send, refusal: ApiError) -> None:
    """Answer the request to open a connection with an HTTP status."""
    headers = {"content-type": "application/json", **refusal.headers()}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "websocket.http.response.body", "body": orjson.dumps(error_body(refusal))})


@dataclass(frozen=True)
class Hello:
    """What a robot's program says first.

    Attributes:
        writer, run: empty where it does not name them.
        robot: as it was sent, if anything was.
        stopped: it was stopped while nobody heard it.
        ignored: names of what is not understood.
    """

    writer: str
    run: str
    robot: Any
    takeover: bool
    stopped: bool
    ignored: tuple[str, ...]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Hello":
        """From the object in `{"hello": ...}`. Whatever `stop_epoch` is no clear no was a stop."""
        return cls(
            writer=_name(body.get("writer")),
            run=_name(body.get("run")),
            robot=body.get("robot") or None,
            takeover=body.get("takeover") is True,
            stopped=body.get("stop_epoch") not in (None, False, 0, "", "0"),
            ignored=tuple(sorted(body.keys() - HELLO_FIELDS)),
        )


def _name(value: Any) -> str:
    return value[:LONGEST_NAME] if isinstance(value, str) else ""
