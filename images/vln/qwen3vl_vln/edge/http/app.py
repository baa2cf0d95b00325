"""The HTTP face: thin routes from JSON to `Navigation` and back. Routes and fields of the older protocol keep
their names, types and status codes."""

import base64
import binascii
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from qwen3vl_common.body import read_body
from qwen3vl_common.errors import ApiError, InvalidRequest, MethodNotAllowed, PathNotFound
from qwen3vl_common.navigation.requests import ChangeTask
from qwen3vl_common.navigation.states import Reason
from qwen3vl_common.strangers import acquaint
from qwen3vl_vln.edge.floods import FrameRates
from qwen3vl_vln.edge.http import bodies, recordings, views
from qwen3vl_vln.edge.http.errors import api_error, error_body
from qwen3vl_vln.edge.identity import (
    DRIVE,
    EVERYTHING,
    STOP,
    VIEW,
    Authenticator,
    Caller,
    NoKeyError,
    NoRightError,
    maker_of,
)
from qwen3vl_vln.edge.images import problem, size
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.edge.own_robots import NoRobotNamedError, RobotNotOfKeyError, named
from qwen3vl_vln.edge.peers import Proxies, peer_of
from qwen3vl_vln.edge.stopping import state_stops
from qwen3vl_vln.edge.views import ViewError
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.task.errors import OwnedError, TaskError
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.lease import LeaseBusyError
from qwen3vl_vln.task.record import record
from qwen3vl_vln.task.tasks import Entry
from qwen3vl_vln.unused import NoUnusedIdError

LARGEST_BODY = 64 * 1024
SLOWEST_UPLOAD_SECONDS = 1.0
"""A picture that was longer under way shows no robot of now."""


class Json(Response):
    """A JSON body, written by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def picture(text: Any, bounds: Bounds) -> tuple[bytes, Reason | None]:
    """The JPEG of a JSON field, plain base64 or a data URL, and why it cannot be used.

    Raises:
        InvalidRequest: no text, or no base64.
    """
    if not isinstance(text, str):
        raise InvalidRequest("frame is a JPEG as base64 or as a data URL", param="frame")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    if len(text) > bounds.max_bytes * 4 // 3 + 4:
        raise InvalidRequest(f"frame has more than {bounds.max_bytes} bytes", param="frame")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("frame is not base64", param="frame") from None
    wrong = problem(data, max_bytes=bounds.max_bytes, max_pixels=bounds.max_pixels)
    return data, None if wrong is None else Reason.UNUSABLE_FRAME


def robot_named(body: Mapping[str, Any]) -> str | None:
    """The robot that a frame's body names."""
    robot = body.get("robot")
    return robot if isinstance(robot, str) and robot else None


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
    app = FastAPI(title="qwen3vl VLN API", openapi_url="/openapi.json", redoc_url=None)
    rates = FrameRates()
    frame_bytes = bounds.max_bytes * 4 // 3 + LARGEST_BODY

    def who(request: Request, *rights: str) -> Caller:
        origin = request.headers.get("origin")
        own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
        if authenticator.open and not own and origin not in origins:
            # Where there are keys a foreign page has none; here nothing else would keep it from steering a robot.
            raise NoRightError("pages of other origins may not use a VLN API without keys")
        caller = authenticator.caller(request.headers)
        caller.need(*rights)
        acquaint(request.scope)
        return caller

    def of(task_id: str) -> Entry:
        return navigation.tasks.get(task_id)

    def full(entry: Entry) -> dict[str, Any]:
        return record(entry.task, navigation.now())

    @app.get("/health")
    async def health() -> Response:
        return Json({"status": "healthy", "model": model, "gpu_count": 0})

    @app.get("/ready")
    async def is_ready() -> Response:
        return Json({"ready": ready()}, status_code=200 if ready() else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        text = navigation.metrics.text(worker_restarts=navigation.link.restarts)
        return Response(text, media_type="text/plain; version=0.0.4")

    @app.post("/vln/task/create")
    async def create(request: Request) -> Response:
        caller = who(request, DRIVE)
        wanted = bodies.creation(await _json(request, LARGEST_BODY))
        settings = replace(wanted.settings, robot=named(caller.robots, wanted.settings.robot))
        caller.need_robot(settings.robot)
        peer = peer_of(request.headers, request.client, caller.name, proxies)
        maker = None if caller.operator else maker_of(caller, peer.address)
        task = navigation.create(settings, maker).task
        return Json(
            {
                "task_id": task.task_id,
                "status": record(task, navigation.now())["status"],
                "instruction": task.settings.instruction,
                "robot": task.settings.robot,
                "ignored": wanted.ignored,
            }
        )

    async def admit(request: Request, *, force_key: bool) -> tuple[Entry, Frame | None]:
        caller = who(request, DRIVE)
        began = navigation.now()
        body = await _json(request, frame_bytes)
        # Received is what is there to its last byte: an answer is about the moment at which it is given.
        received = navigation.now()
        if not isinstance(body, dict):
            raise InvalidRequest("the body is a JSON object", param="body")
        task_id = body.get("task_id", "")
        if not isinstance(task_id, str):
            raise InvalidRequest("task_id is a text", param="task_id")
        entry = of(task_id)
        caller.need_robot(entry.task.settings.robot)
        rates.need(caller.name, task_id, received)
        data, fault = picture(body.get("frame"), bounds)
        if entry.task.verdict is not None:
            return entry, None
        peer = peer_of(request.headers, request.client, caller.name, proxies)
        navigation.admit_http(entry, peer, received, robot=robot_named(body))
        dated = entry.stamps.read(body.get("timestamp"), navigation.wall(), received)
        return entry, dated.frame(
            received,
            image=data,
            size=size(data),
            fault=fault,
            force_key=force_key,
            delayed=received - began > SLOWEST_UPLOAD_SECONDS,
        )

    @app.post("/vln/frame")
    async def frame(request: Request) -> Response:
        entry, taken = await admit(request, force_key=False)
        if taken is None:
            return Json(navigation.answer_now(entry, None), status_code=400)
        return Json(navigation.frame(entry, taken))

    @app.post("/vln/frame/sync")
    async def frame_sync(request: Request) -> Response:
        entry, taken = await admit(request, force_key=True)
        if taken is None:
            return Json(navigation.answer_now(entry, None), status_code=400)
        return Json(await navigation.frame_sync(entry, taken))

    @app.get("/vln/tasks")
    async def list_tasks(request: Request, since: str | None = None, status: str | None = None) -> Response:
        who(request, VIEW, DRIVE)
        records = navigation.records(since)
        if status is not None:
            records = [each for each in records if each["status"] == status]
        return Json({"boot_id": navigation.boot_id, "cursor": navigation.tasks.cursor, "tasks": records})

    @app.get("/vln/task/{task_id}")
    async def get(request: Request, task_id: str) -> Response:
        who(request, VIEW, DRIVE)
        return Json(full(of(task_id)))

    @app.put("/vln/task/{task_id}")
    async def put(request: Request, task_id: str) -> Response:
        caller = who(request, DRIVE)
        if not caller.operator:
            raise NoRightError("PUT is the operator's; make a task with POST /vln/task/create")
        body = await _json(request, LARGEST_BODY)
        stopped = state_stops(body)
        if stopped and navigation.tasks.find(task_id) is not None:
            navigation.stop(of(task_id), "spec.state is Stopped")
        try:
            wish = bodies.assertion(body)
        except InvalidRequest:
            if not stopped:
                raise
            if navigation.tasks.find(task_id) is None:
                navigation.stop_asserted(task_id)
            return Json(full(of(task_id)))
        return Json(full(navigation.assert_task(task_id, wish)) | {"ignored": wish.ignored})

    @app.patch("/vln/task/{task_id}")
    async def patch(request: Request, task_id: str) -> Response:
        caller = who(request, DRIVE, STOP)
        entry, body = of(task_id), await _json(request, LARGEST_BODY)
        if state_stops(body):
            caller.need_stop(entry.task.settings.robot)
            navigation.stop(entry, f"stopped by {caller.name}")
            return Json(full(entry))
        caller.need(DRIVE)
        wish = bodies.change(body)
        _change(entry, caller, _kubectl(entry, wish))
        paused = None if wish.state is None else wish.state == "Paused"
        navigation.change(entry, instruction=wish.instruction, paused=paused)
        return Json(full(entry))

    @app.get("/vln/me")
    async def me(request: Request) -> Response:
        caller = who(request, *EVERYTHING)
        robots = ["*"] if caller.robots is None else list(caller.robots)
        rights = sorted(caller.rights)
        return Json({"name": caller.name, "rights": rights, "robots": robots, "operator": caller.operator})

    @app.post("/vln/task/{task_id}/stop")
    async def stop(request: Request, task_id: str) -> Response:
        caller = who(request, DRIVE, STOP)
        if caller.operator:
            navigation.stop_asserted(task_id)
        else:
            caller.need_stop(of(task_id).task.settings.robot)
            navigation.stop(of(task_id), f"stopped by {caller.name}")
        return Json({"task_id": task_id, "status": "stopped"})

    @app.delete("/vln/task/{task_id}")
    async def delete(request: Request, task_id: str) -> Response:
        caller = who(request, DRIVE)
        entry = of(task_id)
        _change(entry, caller)
        navigation.delete(entry)
        return Json({"task_id": task_id, "deleted": True})

    @app.get("/vln/robot/{robot}/task")
    async def of_robot(request: Request, robot: str) -> Response:
        who(request, VIEW, DRIVE)
        entry = navigation.tasks.of_robot(robot)
        if entry is None:
            raise PathNotFound(f"robot {robot!r} has no unfinished task", code="no_task")
        return Json(full(entry))

    recordings.add(
        app, navigation.link.options.recordings_dir, lambda task: navigation.tasks.find(task) is not None, who
    )

    @app.get("/vln/pipeline/stats")
    async def stats(request: Request) -> Response:
        who(request, VIEW, DRIVE)
        return Json(navigation.statistics())

    views.add(app, navigation, authenticator)

    async def refused(_: Request, error: Exception) -> Response:
        answer = api_error(error)
        if answer is None:
            raise error
        return Json(error_body(answer, error), status_code=answer.status, headers=answer.headers())

    async def not_routed(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        known = {404: PathNotFound("no such path; see /docs"), 405: MethodNotAllowed("the path takes another method")}
        answer = known.get(status) or InvalidRequest("the request is not understood")
        return Json(error_body(answer, error), status_code=answer.status, headers=answer.headers())

    refusals = (ApiError, TaskError, LeaseBusyError, NoKeyError, NoRightError, ViewError, NoUnusedIdError)
    for kind in (*refusals, RobotNotOfKeyError, NoRobotNamedError):
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(HTTPException, not_routed)
    return app


def _change(entry: Entry, caller: Caller, how: str = "change that object") -> None:
    caller.need_robot(entry.task.settings.robot)
    owner = entry.task.owner
    if owner is not None and not caller.operator:
        raise OwnedError(f"this task belongs to NavTask {owner.namespace}/{owner.name}; {how}")


def _kubectl(entry: Entry, wish: ChangeTask) -> str:
    """The line by which a NavTask's task is changed."""
    owner = entry.task.owner
    if owner is None:
        return ""
    wanted = {"instruction": wish.instruction, "state": wish.state}
    patch = orjson.dumps({"spec": {name: value for name, value in wanted.items() if value is not None}}).decode()
    quoted = shlex.quote(patch)
    return f"kubectl patch navtask {owner.name} --namespace {owner.namespace} --type merge --patch {quoted}"


async def _json(request: Request, most: int) -> Any:
    announced = request.headers.get("content-length", "").encode()
    data = await read_body(request.receive, announced=announced, limit=most)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}", param="body") from None
