"""Tasks over HTTP: made, asserted, changed, stopped, deleted, read. Thin: JSON to `Navigation` and back."""

import shlex
from dataclasses import replace
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.navigation.record import TaskRecord
from qwen3vl_common.navigation.requests import AssertTask, ChangeTask, CreateTask
from qwen3vl_vln.edge.http import bodies
from qwen3vl_vln.edge.http.callers import Callers
from qwen3vl_vln.edge.http.documented import described
from qwen3vl_vln.edge.http.json_body import Json, read_json
from qwen3vl_vln.edge.http.shapes import Me, Statistics, TaskAsserted, TaskDeleted, TaskList, TaskMade, TaskStopped
from qwen3vl_vln.edge.identity import DRIVE, EVERYTHING, STOP, VIEW, Caller, maker_of
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.edge.own_robots import named
from qwen3vl_vln.edge.stopping import state_stops
from qwen3vl_vln.errors import (
    FinishedError,
    NoRightError,
    NoRobotNamedError,
    NoTaskError,
    NotRecordingError,
    NoUnusedIdError,
    OwnedError,
    RobotBusyError,
    RobotNotOfKeyError,
    StaleGenerationError,
    TooManyTasksError,
    UnknownTaskError,
)
from qwen3vl_vln.task.record import record
from qwen3vl_vln.task.tasks import Entry

OF_BEGINNING = (RobotBusyError, NotRecordingError, TooManyTasksError)
OF_MAKING = (NoRobotNamedError, RobotNotOfKeyError, *OF_BEGINNING, NoUnusedIdError)
OF_ASSERTING = (UnknownTaskError, *OF_BEGINNING, OwnedError, StaleGenerationError, FinishedError)
OF_CHANGING = (UnknownTaskError, RobotNotOfKeyError, OwnedError, FinishedError)


def router(navigation: Navigation, callers: Callers) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["tasks"])

    def full(entry: Entry) -> dict[str, Any]:
        return record(entry.task, navigation.now())

    @routes.post("/vln/task/create", **described(TaskMade, *OF_MAKING, body=CreateTask))
    async def create(request: Request) -> Response:
        """Make a task."""
        caller = callers.need(request, DRIVE)
        wanted = bodies.creation(await read_json(request))
        settings = replace(wanted.settings, robot=named(caller.robots, wanted.settings.robot))
        caller.need_robot(settings.robot)
        maker = None if caller.operator else maker_of(caller, callers.peer(request, caller).address)
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

    @routes.get("/vln/tasks", **described(TaskList))
    async def list_tasks(request: Request, since: str | None = None, status: str | None = None) -> Response:
        """Records of all tasks, or of those that changed after an earlier cursor."""
        callers.need(request, VIEW, DRIVE)
        records = navigation.records(since)
        if status is not None:
            records = [each for each in records if each["status"] == status]
        return Json({"boot_id": navigation.boot_id, "cursor": navigation.tasks.cursor, "tasks": records})

    @routes.get("/vln/task/{task_id}", **described(TaskRecord, UnknownTaskError))
    async def get(request: Request, task_id: str) -> Response:
        """The record of a task."""
        callers.need(request, VIEW, DRIVE)
        return Json(full(navigation.tasks.get(task_id)))

    @routes.put("/vln/task/{task_id}", **described(TaskAsserted, *OF_ASSERTING, body=AssertTask))
    async def put(request: Request, task_id: str) -> Response:
        """Bring a NavTask's task to what its object says. Only the operator does."""
        caller = callers.need(request, DRIVE)
        if not caller.operator:
            raise NoRightError("PUT is the operator's; make a task with POST /vln/task/create")
        body = await read_json(request)
        stopped = state_stops(body)
        if stopped and navigation.tasks.find(task_id) is not None:
            navigation.stop(navigation.tasks.get(task_id), "spec.state is Stopped")
        try:
            wish = bodies.assertion(body)
        except InvalidRequest:
            if not stopped:
                raise
            if navigation.tasks.find(task_id) is None:
                navigation.stop_asserted(task_id)
            return Json(full(navigation.tasks.get(task_id)))
        return Json(full(navigation.assert_task(task_id, wish)) | {"ignored": wish.ignored})

    @routes.patch("/vln/task/{task_id}", **described(TaskRecord, *OF_CHANGING, body=ChangeTask))
    async def patch(request: Request, task_id: str) -> Response:
        """Give a task another instruction, have it pause or go on, or stop it."""
        caller = callers.need(request, DRIVE, STOP)
        entry, body = navigation.tasks.get(task_id), await read_json(request)
        if state_stops(body):
            caller.need_stop(entry.task.settings.robot)
            navigation.stop(entry, f"stopped by {caller.name}")
            return Json(full(entry))
        caller.need(DRIVE)
        wish = bodies.change(body)
        _need_own(entry, caller, _kubectl(entry, wish))
        paused = None if wish.state is None else wish.state == "Paused"
        navigation.change(entry, instruction=wish.instruction, paused=paused)
        return Json(full(entry))

    @routes.post("/vln/task/{task_id}/stop", **described(TaskStopped, UnknownTaskError, RobotNotOfKeyError))
    async def stop(request: Request, task_id: str) -> Response:
        """Stop a task for good, whoever it belongs to. A body is not read."""
        caller = callers.need(request, DRIVE, STOP)
        if caller.operator:
            navigation.stop_asserted(task_id)
        else:
            caller.need_stop(navigation.tasks.get(task_id).task.settings.robot)
            navigation.stop(navigation.tasks.get(task_id), f"stopped by {caller.name}")
        return Json({"task_id": task_id, "status": "stopped"})

    @routes.delete("/vln/task/{task_id}", **described(TaskDeleted, UnknownTaskError, RobotNotOfKeyError, OwnedError))
    async def delete(request: Request, task_id: str) -> Response:
        """Stop a task and forget it."""
        caller = callers.need(request, DRIVE)
        entry = navigation.tasks.get(task_id)
        _need_own(entry, caller)
        navigation.delete(entry)
        return Json({"task_id": task_id, "deleted": True})

    @routes.get("/vln/robot/{robot}/task", **described(TaskRecord, NoTaskError))
    async def of_robot(request: Request, robot: str) -> Response:
        """The record of a robot's unfinished task."""
        callers.need(request, VIEW, DRIVE)
        entry = navigation.tasks.of_robot(robot)
        if entry is None:
            raise NoTaskError(f"robot {robot!r} has no unfinished task")
        return Json(full(entry))

    @routes.get("/vln/pipeline/stats", **described(Statistics))
    async def stats(request: Request) -> Response:
        """Totals over all tasks."""
        callers.need(request, VIEW, DRIVE)
        return Json(navigation.statistics())

    @routes.get("/vln/me", **described(Me))
    async def me(request: Request) -> Response:
        """What this key is, and may do."""
        caller = callers.need(request, *EVERYTHING)
        robots = ["*"] if caller.robots is None else list(caller.robots)
        rights = sorted(caller.rights)
        return Json({"name": caller.name, "rights": rights, "robots": robots, "operator": caller.operator})

    return routes


def _need_own(entry: Entry, caller: Caller, how: str = "change that object") -> None:
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
