"""Frames over HTTP: the hot path. orjson in, orjson out; no model of a body is built for a frame."""

from fastapi import APIRouter, Request, Response

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_vln.edge.floods import FrameRates
from qwen3vl_vln.edge.http.callers import Callers
from qwen3vl_vln.edge.http.documented import described
from qwen3vl_vln.edge.http.json_body import LARGEST_BODY, Json, read_json
from qwen3vl_vln.edge.http.shapes import FrameAnswer, FrameBody
from qwen3vl_vln.edge.identity import DRIVE
from qwen3vl_vln.edge.json_frames import pending
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.errors import (
    EndedError,
    LeaseBusyError,
    ModelLostError,
    RobotChangedError,
    RobotNotOfKeyError,
    SyncTimeoutError,
    TooManyFramesError,
    TooManyWaitersError,
    UnknownTaskError,
)
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.tasks import Entry

SLOWEST_UPLOAD_SECONDS = 1.0
"""An image that was longer under way shows no robot of now."""
REFUSALS = (UnknownTaskError, RobotNotOfKeyError, RobotChangedError, LeaseBusyError, TooManyFramesError)
OF_WAITING = (TooManyWaitersError, SyncTimeoutError, ModelLostError, EndedError)
OF_ENDED = (400, FrameAnswer)
"""What an ended task is answered with: older clients stop at that status."""


def router(navigation: Navigation, callers: Callers, bounds: Bounds) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["frames"])
    rates = FrameRates()
    largest = bounds.max_bytes * 4 // 3 + LARGEST_BODY

    async def admit(request: Request, *, force_key: bool) -> tuple[Entry, Frame | None]:
        caller = callers.need(request, DRIVE)
        began = navigation.now()
        body = await read_json(request, largest)
        # Received is what is there to its last byte: an answer is about the moment at which it is given.
        received = navigation.now()
        if not isinstance(body, dict):
            raise InvalidRequest("the body is a JSON object", param="body")
        task_id = body.get("task_id", "")
        if not isinstance(task_id, str):
            raise InvalidRequest("task_id is a text", param="task_id")
        entry = navigation.tasks.get(task_id)
        caller.need_robot(entry.task.settings.robot)
        rates.need(caller.name, task_id, received)
        brought = pending(body, bounds)
        if entry.task.verdict is not None:
            return entry, None
        navigation.admit_http(entry, callers.peer(request, caller), received, robot=brought.robot)
        delayed = received - began > SLOWEST_UPLOAD_SECONDS
        return entry, brought.dated(entry.stamps, navigation.wall(), received, force_key=force_key, delayed=delayed)

    @routes.post("/vln/frame", **described(FrameAnswer, *REFUSALS, body=FrameBody, otherwise=OF_ENDED))
    async def frame(request: Request) -> Response:
        """A frame, and the answer for this moment; of an ended task too, with status 400."""
        entry, taken = await admit(request, force_key=False)
        if taken is None:
            return Json(navigation.answer_now(entry, None), status_code=OF_ENDED[0])
        return Json(navigation.frame(entry, taken))

    waiting = described(FrameAnswer, *REFUSALS, *OF_WAITING, body=FrameBody, otherwise=OF_ENDED)

    @routes.post("/vln/frame/sync", **waiting)
    async def frame_sync(request: Request) -> Response:
        """The same, after the model has seen this frame."""
        entry, taken = await admit(request, force_key=True)
        if taken is None:
            return Json(navigation.answer_now(entry, None), status_code=OF_ENDED[0])
        return Json(await navigation.frame_sync(entry, taken))

    return routes
