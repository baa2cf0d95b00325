"""Draws what is watched, on a thread of its own that gives way to everything else: key frames and model calls first."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from qwen3vl_vln.ipc.channel import Arena, Message
from qwen3vl_vln.overlay.render import render
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.overlay.text import Writer, find_font

log = logging.getLogger(__name__)

NICENESS = 15


class OverlayRenderer:
    """Pictures from the edge, drawn pictures to it.

    Of each place one picture is under way: the edge writes the next one into `pictures`, and reads `canvases`, only
    after it was told that this one is drawn.

    Args:
        send: takes messages for the edge.
        pictures, canvases: memory that only the edge and only this process writes.
    """

    def __init__(self, send: Callable[[Message], None], pictures: Arena, canvases: Arena) -> None:
        self._send, self._pictures, self._canvases = send, pictures, canvases
        self._writer = Writer(find_font())
        self._thread = ThreadPoolExecutor(1, "renderer", initializer=_give_way)
        self._drawing: set[asyncio.Future[int]] = set()

    def take(self, message: Message) -> None:
        """Draw a picture, and say so."""
        slot = message["slot"]
        jpeg = self._pictures.read(slot, message["size"])
        loop = asyncio.get_running_loop()
        drawing = loop.run_in_executor(self._thread, self._draw, slot, jpeg, message["scene"])
        self._drawing.add(drawing)
        drawing.add_done_callback(lambda done: self._tell(done, message["task"], slot))

    def _draw(self, slot: int, jpeg: bytes, scene: Message) -> int:
        drawn = render(jpeg, Scene.from_json(scene), self._writer)
        if len(drawn) > self._canvases.slot_bytes:
            raise ValueError(f"the drawn picture has {len(drawn)} bytes")
        self._canvases.write(slot, drawn)
        return len(drawn)

    def _tell(self, done: "asyncio.Future[int]", task: str, slot: int) -> None:
        self._drawing.discard(done)
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            log.error("a picture of task %s was not drawn", task, exc_info=error)
        self._send({"type": "rendered", "task": task, "slot": slot, "size": 0 if error else done.result()})

    def close(self) -> None:
        """Draw nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
