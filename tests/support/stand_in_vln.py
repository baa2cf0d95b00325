"""A VLN API with the operator's protocol and nothing behind it: an aiohttp server whose tasks a test moves by hand."""

import asyncio
import contextlib
import copy
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

from qwen3vl_common.navigation.record import RecordingState, Steps, TaskRecord
from qwen3vl_common.navigation.refusals import RefusalCode
from qwen3vl_common.navigation.requests import AssertTask
from qwen3vl_common.navigation.states import ENDINGS, Phase, Reason, State, Verdict, old_status
from qwen3vl_common.navigation.wrong import WrongFieldError, parsed

Object = dict[str, Any]
T = TypeVar("T")


def new_record(task_id: str, body: Object) -> Object:
    """A task's record as it begins.

    Raises:
        WrongFieldError: a VLN API would not take the assertion.
    """
    asserted = parsed(AssertTask, body)
    resume = asserted.resume
    phase, state, reason = (
        (Phase.WAITING_FOR_ROBOT, State.WAITING, Reason.WAITING_FOR_FRAME)
        if resume is None
        else (Phase.RUNNING, State.HOLD, Reason.RESTARTED)
    )
    record = TaskRecord(
        task_id=task_id,
        instruction=asserted.instruction,
        status=old_status(phase, None),
        frame_count=0,
        created_at=1_700_000_000.0,
        current_environment="",
        current_action="",
        current_waypoints=(),
        error_message=None,
        robot=asserted.robot,
        owner=asserted.owner,
        phase=phase,
        verdict=None,
        state=state,
        reason=reason,
        untimed=False,
        warnings=(),
        steps=Steps(done=0 if resume is None else resume.steps, limit=asserted.limits.max_steps),
        elapsed_seconds=0.0 if resume is None else resume.elapsed_seconds,
        limits=asserted.limits,
        clamped_limits={},
        recording=RecordingState(enabled=asserted.recording.enabled, error=None),
    )
    return record.model_dump(mode="json", by_alias=True)


@dataclass
class StandInVln:
    """A VLN API that answers all calls at once, each as late as it is told to.

    Attributes:
        calls: what came in.
        arrivals: likewise, after the monotonic time at which it came.
        hang: no call that comes is ever answered.
        hanging: methods whose calls are not.
        slow: seconds that calls of a method take, before anything is done about them.
        refuse_stops, answer: what is answered instead.
    """

    key: str
    boot: int = 1
    records: dict[str, Object] = field(default_factory=dict)
    bodies: dict[str, list[Object]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    arrivals: list[tuple[float, str]] = field(default_factory=list)
    hang: bool = False
    hanging: set[str] = field(default_factory=set)
    slow: dict[str, float] = field(default_factory=dict)
    refuse_stops: bool = False
    answer: tuple[int, Object] | None = None
    _revisions: dict[str, int] = field(default_factory=dict)
    _revision: int = 0

    @property
    def told(self) -> int:
        """Assertions that came."""
        return sum(call.startswith("PUT") for call in self.calls)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/vln/tasks", self._read)
        app.router.add_put("/vln/task/{id}", self._put)
        app.router.add_post("/vln/task/{id}/stop", self._stop)
        return app

    def change(self, task_id: str, **fields: Any) -> None:
        """Something happened to a task."""
        self.records[task_id] |= fields
        self._touch(task_id)

    def restart(self) -> None:
        """Another process: everything is forgotten."""
        self.boot += 1
        self.records.clear()
        self._revisions.clear()

    def finish(self, task_id: str, verdict: str, message: str = "") -> None:
        """The task ends."""
        (state, reason), phase = ENDINGS[Verdict(verdict)], Phase.FINISHED
        self.change(
            task_id,
            phase=str(phase),
            verdict=verdict,
            state=str(state),
            reason=str(reason),
            message=message,
            status=old_status(phase, Verdict(verdict)),
            finished_at=1_772_366_430.0,
        )

    def _touch(self, task_id: str) -> None:
        self._revision += 1
        self._revisions[task_id] = self._revision

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path_qs}")
        self.arrivals.append((time.monotonic(), self.calls[-1]))
        if self.hang or request.method in self.hanging:
            await asyncio.Event().wait()
        if request.method in self.slow:
            await asyncio.sleep(self.slow[request.method])
        if self.answer is not None:
            return web.json_response(self.answer[1], status=self.answer[0])
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return _refused(401, "invalid_api_key", "the API key is not known")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _read(self, request: web.Request) -> web.Response:
        boot, _, revision = request.query.get("since", "").partition(":")
        after = int(revision) if boot == f"boot-{self.boot}" else 0
        tasks = [record for task_id, record in self.records.items() if self._revisions[task_id] > after]
        return web.json_response(
            {"boot_id": f"boot-{self.boot}", "cursor": f"boot-{self.boot}:{self._revision}", "tasks": tasks}
        )

    async def _put(self, request: web.Request) -> web.Response:
        task_id, body = request.match_info["id"], await request.json()
        self.bodies.setdefault(task_id, []).append(copy.deepcopy(body))
        try:
            parsed(AssertTask, body)
        except WrongFieldError as error:
            return _refused(400, "invalid_request", str(error))
        record = self.records.get(task_id)
        for other in self.records.values():
            if other["task_id"] != task_id and other["robot"] == body["robot"] and other["phase"] != Phase.FINISHED:
                return _refused(409, RefusalCode.ROBOT_BUSY, f"robot {body['robot']} has task {other['task_id']}")
        if record is None:
            record = self.records[task_id] = new_record(task_id, body)
        elif record["owner"]["generation"] > body["owner"]["generation"]:
            return _refused(409, RefusalCode.STALE_GENERATION, "a newer generation was asserted before")
        elif record["phase"] == Phase.FINISHED:
            return _refused(409, RefusalCode.FINISHED, "the task has ended", task=record)
        record |= {"owner": body["owner"], "instruction": body["instruction"]}
        if body["state"] == "Paused":
            record["phase"] = str(Phase.PAUSED)
        elif record["phase"] == Phase.PAUSED:
            record["phase"] = str(Phase.RUNNING)
        self._touch(task_id)
        return web.json_response(record)

    async def _stop(self, request: web.Request) -> web.Response:
        task_id = request.match_info["id"]
        if self.refuse_stops:
            return _refused(500, "internal_error", "it failed")
        if task_id not in self.records:
            return _refused(404, RefusalCode.UNKNOWN_TASK, "no such task")
        if self.records[task_id]["phase"] != Phase.FINISHED:
            self.finish(task_id, "Cancelled", message="stopped by operator")
        return web.json_response({"task_id": task_id, "status": "stopped"})


def _refused(status: int, code: str, message: str, **more: Any) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return web.json_response({"error": error} | more, status=status)


@dataclass
class InThread:
    """A stand-in that serves in a thread of its own; `do` runs something where it lives."""

    vln: StandInVln
    url: str
    _loop: asyncio.AbstractEventLoop

    def do(self, what: Callable[[StandInVln], T]) -> T:
        """What `what` gives, called in that thread."""

        async def call() -> T:
            return what(self.vln)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)


@contextlib.contextmanager
def in_thread(vln: StandInVln) -> Iterator[InThread]:
    """The stand-in on a free port, for tests that are not asynchronous."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(vln.app(), handler_cancellation=True, shutdown_timeout=0.1)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    port = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield InThread(vln, f"http://127.0.0.1:{port}", loop)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
