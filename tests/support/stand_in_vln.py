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

Object = dict[str, Any]
T = TypeVar("T")


def new_record(task_id: str, body: Object) -> Object:
    """A task's record as it begins."""
    resume = body.get("resume") or {}
    return {
        "task_id": task_id,
        "instruction": body["instruction"],
        "status": "created",
        "frame_count": 0,
        "created_at": 1_700_000_000.0,
        "robot": body["robot"],
        "owner": body["owner"],
        "phase": "Running" if resume else "WaitingForRobot",
        "verdict": None,
        "state": "hold" if resume else "waiting",
        "reason": "restarted" if resume else "waiting_for_frame",
        "message": "",
        "steps": {"done": resume.get("steps", 0), "limit": body["limits"]["maxSteps"]},
        "elapsed_seconds": resume.get("elapsedSeconds", 0.0),
        "action": "",
        "progress": 0.0,
        "environment": "",
        "last_step": None,
        "latency": None,
        "deadline_misses": 0,
        "frames": {"received": 0, "analysed": 0, "dropped": 0},
        "model_errors": {"count": 0, "last": None},
        "finished_at": None,
    }


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

    def finish(self, task_id: str, verdict: str, state: str = "stopped", message: str = "") -> None:
        """The task ends."""
        reason = "goal_reached" if verdict == "GoalReached" else "stop_requested"
        fields = {"phase": "Finished", "verdict": verdict, "state": state, "reason": reason, "message": message}
        self.change(task_id, finished_at=1_772_366_430.0, **fields)

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
        record = self.records.get(task_id)
        for other in self.records.values():
            if other["task_id"] != task_id and other["robot"] == body["robot"] and other["phase"] != "Finished":
                return _refused(409, "robot_busy", f"robot {body['robot']} has task {other['task_id']}")
        if record is None:
            record = self.records[task_id] = new_record(task_id, body)
        elif record["owner"]["generation"] > body["owner"]["generation"]:
            return _refused(409, "stale_generation", "a newer generation was asserted before")
        elif record["phase"] == "Finished":
            return _refused(409, "finished", "the task has ended", task=record)
        record |= {"owner": body["owner"], "instruction": body["instruction"]}
        if body["state"] == "Paused":
            record["phase"] = "Paused"
        elif record["phase"] == "Paused":
            record["phase"] = "Running"
        self._touch(task_id)
        return web.json_response(record)

    async def _stop(self, request: web.Request) -> web.Response:
        task_id = request.match_info["id"]
        if self.refuse_stops:
            return _refused(500, "internal_error", "it failed")
        if task_id not in self.records:
            return _refused(404, "unknown_task", "no such task")
        if self.records[task_id]["phase"] != "Finished":
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
