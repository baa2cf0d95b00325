"""Recordings over HTTP: lists and files, read in threads, so that no robot waits for a disk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from qwen3vl_vln.edge.http.callers import Callers
from qwen3vl_vln.edge.http.documented import described
from qwen3vl_vln.edge.http.json_body import Json
from qwen3vl_vln.edge.http.shapes import MCAP, RecordingList
from qwen3vl_vln.edge.identity import VIEW
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.errors import UnknownRecordingError, UnknownTaskError
from qwen3vl_vln.recording import store

PIECE_BYTES = 64 * 1024
PAUSE_SECONDS = 0.002
"""Between two pieces: robots' answers go before a download, which so has some 30 MiB/s."""


def router(navigation: Navigation, callers: Callers) -> APIRouter:
    """The routes."""
    routes, folder = APIRouter(tags=["recordings"]), navigation.link.options.recordings_dir

    @routes.get("/vln/task/{task_id}/recordings", **described(RecordingList, UnknownTaskError))
    async def recordings(request: Request, task_id: str) -> Response:
        """The recordings of a task, also of one that is gone."""
        callers.need(request, VIEW)
        found = None if folder is None else await asyncio.to_thread(store.listed, folder, task_id)
        if found is None and navigation.tasks.find(task_id) is None:
            raise UnknownTaskError(f"there is no task {task_id!r}, and no recording of one")
        files = [
            {"name": one.name, "bytes": one.size_bytes, "begin": one.begin, "finished": one.whole}
            for one in found or ()
        ]
        return Json({"task_id": task_id, "recordings": files})

    @routes.get("/vln/task/{task_id}/recordings/{name}", **described(MCAP, UnknownRecordingError))
    async def recording(request: Request, task_id: str, name: str) -> Response:
        """One file."""
        callers.need(request, VIEW)
        opened = None if folder is None else await asyncio.to_thread(_open, folder, task_id, name)
        if opened is None:
            raise UnknownRecordingError(f"task {task_id!r} has no recording {name!r}")
        file, size = opened
        headers = {"content-length": str(size), "content-disposition": f'attachment; filename="{task_id}-{name}"'}
        return StreamingResponse(_pieces(file, size), media_type="application/octet-stream", headers=headers)

    return routes


def _open(folder: Path, task_id: str, name: str) -> tuple[BinaryIO, int] | None:
    path = store.file_of(folder, task_id, name)
    if path is None:
        return None
    try:
        file = path.open("rb")
    except FileNotFoundError:  # removed meanwhile
        return None
    # A file that is being written grows further; what was announced is what is sent.
    return file, file.seek(0, 2)


async def _pieces(file: BinaryIO, size: int) -> AsyncIterator[bytes]:
    with file:
        await asyncio.to_thread(file.seek, 0)
        while size > 0 and (piece := await asyncio.to_thread(file.read, min(PIECE_BYTES, size))):
            size -= len(piece)
            yield piece
            await asyncio.sleep(PAUSE_SECONDS)
