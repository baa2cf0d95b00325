"""The HTTP face of views: one image, a stream of them, and tickets for pages that cannot send a key."""

import asyncio

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from qwen3vl_common.strangers import acquaint
from qwen3vl_vln.edge.http.callers import Callers
from qwen3vl_vln.edge.http.documented import described
from qwen3vl_vln.edge.http.json_body import Json
from qwen3vl_vln.edge.http.shapes import JPEG, MOTION_JPEG, Ticket
from qwen3vl_vln.edge.http.tickets import TICKET_SECONDS, Tickets
from qwen3vl_vln.edge.identity import VIEW
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.edge.views import Views
from qwen3vl_vln.edge.watches import Rendering, Viewer
from qwen3vl_vln.errors import (
    EndedUnseenError,
    NoImageError,
    NoKeyError,
    NoTaskError,
    NoUnusedIdError,
    TooManyTicketsError,
    TooManyViewersError,
    UnknownTaskError,
)
from qwen3vl_vln.task.task import Task

OF_VIEWING = (UnknownTaskError, EndedUnseenError, TooManyViewersError)
OF_TICKETS = (UnknownTaskError, TooManyTicketsError, NoUnusedIdError)
BOUNDARY = b"qwen3vl-picture"
SLOWEST_SECONDS = 10.0
"""A viewer that takes no image for this long is given up."""
# An address with a ticket in it is handed on to nobody, and an image of now is of no use later.
HEADERS = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


class MotionJpeg(Response):
    """Each new image of a viewer, replacing the one before; a viewer that is slow misses some."""

    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"

    def __init__(self, views: Views, viewer: Viewer) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._views, self._viewer = views, viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while (rendering := await self._viewer.next(gone)) is not None:
                async with asyncio.timeout(SLOWEST_SECONDS):
                    await send({"type": "http.response.body", "body": _part(rendering), "more_body": True})
            if not gone.done():
                await send({"type": "http.response.body", "body": b"--" + BOUNDARY + b"--\r\n"})
        except (TimeoutError, OSError):
            pass  # the server closes what is not completed
        finally:
            gone.cancel()
            self._views.close(self._viewer)


def router(navigation: Navigation, callers: Callers) -> APIRouter:
    """The routes."""
    routes, tickets, views = APIRouter(tags=["views"]), Tickets(), navigation.views

    def admit(request: Request, task_id: str) -> Task:
        ticket = request.query_params.get("ticket")
        if ticket is None:
            callers.need_key(request, VIEW)
        elif not tickets.take(ticket, task_id, navigation.now()):
            good = f"a ticket is good once, for {TICKET_SECONDS:g} s and for its own task"
            raise NoKeyError(f"{good}; get one by POST /vln/task/<id>/ticket")
        else:
            acquaint(request.scope)
        return navigation.tasks.get(task_id).task

    @routes.get("/vln/task/{task_id}/snapshot", **described(JPEG, *OF_VIEWING, NoImageError))
    async def snapshot(request: Request, task_id: str) -> Response:
        """The newest image, as its viewers have it."""
        rendering = await views.snapshot(admit(request, task_id))
        return Response(rendering.jpeg, media_type="image/jpeg", headers=HEADERS)

    @routes.get("/vln/task/{task_id}/view", **described(MOTION_JPEG, *OF_VIEWING))
    async def view(request: Request, task_id: str) -> Response:
        """Each new image as a part, until the task ends."""
        return MotionJpeg(views, views.open(admit(request, task_id)))

    @routes.get("/vln/robot/{robot}/view", **described(MOTION_JPEG, NoTaskError, TooManyViewersError))
    async def view_of_robot(request: Request, robot: str) -> Response:
        """The images of whatever unfinished task the robot has."""
        callers.need_key(request, VIEW)
        entry = navigation.tasks.of_robot(robot)
        if entry is None:
            raise NoTaskError(f"robot {robot!r} has no unfinished task")
        return MotionJpeg(views, views.open(entry.task))

    @routes.post("/vln/task/{task_id}/ticket", **described(Ticket, *OF_TICKETS))
    async def ticket(request: Request, task_id: str) -> Response:
        """Leave to look at this task once, for pages that cannot send a key."""
        callers.need_key(request, VIEW)
        navigation.tasks.get(task_id)
        given = tickets.give(task_id, navigation.now())
        address = f"/vln/task/{task_id}/view?ticket={given}"
        body = {"ticket": given, "expires_in": round(TICKET_SECONDS), "url": address}
        return Json(body, headers=HEADERS)

    return routes


def _part(rendering: Rendering) -> bytes:
    head = b"--%b\r\ncontent-type: image/jpeg\r\ncontent-length: %d\r\n\r\n" % (BOUNDARY, len(rendering.jpeg))
    return head + rendering.jpeg + b"\r\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
