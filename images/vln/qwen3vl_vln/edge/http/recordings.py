"""Recordings over HTTP: lists and files, read in threads, so that no robot waits for a disk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from qwen3vl_common.errors import PathNotFound
from qwen3vl_vln.edge.identity import VIEW
from qwen3vl_vln.recording import store

PIECE_BYTES = 64 * 1024
PAUSE_SECONDS = 0.002
"""Between two pieces: robots' answers go before a download, which so has some 30 MiB/s."""


def add(app: FastAPI, folder: Path | None, known: Callable[[str], bool], need: Callable[..., Any]) -> None:
    """Add the two routes.

    Args:
        folder: of the recordings; None where nothing is recorded.
        known: whether there is a task of that id.
        need: sees that the caller of a request has a right.
    """

    @app.get("/vln/task/{task_id}/recordings")
    async def recordings(request: Request, task_id: str) -> Response:
        need(request, VIEW)
        found = None if folder is None else await asyncio.to_thread(store.listed, folder, task_id)
        if found is None and not known(task_id):
            raise PathNotFound(f"there is no task {task_id!r}, and no recording of one", code="unknown_task")
        files = [
            {"name": one.name, "bytes": one.size_bytes, "begin": one.begin, "finished": one.whole}
            for one in found or ()
        ]
        return Response(orjson.dumps({"task_id": task_id, "recordings": files}), media_type="application/json")

    @app.get("/vln/task/{task_id}/recordings/{name}")
    async def recording(request: Request, task_id: str, name: str) -> Response:
        need(request, VIEW)
        opened = None if folder is None else await asyncio.to_thread(_open, folder, task_id, name)
        if opened is None:
            raise PathNotFound(f"task {task_id!r} has no recording {name!r}", code="unknown_recording")
        file, size = opened
        headers = {"content-length": str(size), "content-disposition": f'attachment; filename="{task_id}-{name}"'}
        return StreamingResponse(_pieces(file, size), media_type="application/octet-stream", headers=headers)


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
