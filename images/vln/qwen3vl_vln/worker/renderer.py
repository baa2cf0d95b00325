"""Draws what is watched, on a thread of its own that gives way to everything else: key frames and model calls first."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from qwen3vl_vln.ipc.frame_slots import Arena
from qwen3vl_vln.ipc.to_edge import ToEdge, ViewDrawn
from qwen3vl_vln.ipc.to_worker import DrawView
from qwen3vl_vln.overlay.render import render
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.overlay.text import Writer, find_font

log = logging.getLogger(__name__)

NICENESS = 15


class OverlayRenderer:
    """Pictures from the edge, drawn images to it.

    Of each slot one image is under way: the edge writes the next one into `inputs`, and reads `outputs`, only after
    it was told that this one is drawn.

    Args:
        send: takes messages for the edge.
        inputs, outputs: memory that only the edge and only this process writes.
    """

    def __init__(self, send: Callable[[ToEdge], None], inputs: Arena, outputs: Arena) -> None:
        self._send, self._inputs, self._outputs = send, inputs, outputs
        self._writer = Writer(find_font())
        self._thread = ThreadPoolExecutor(1, "renderer", initializer=_give_way)
        self._drawing: set[asyncio.Future[int]] = set()

    def take(self, message: DrawView) -> None:
        """Draw an image, and say so."""
        jpeg = self._inputs.read(message.slot, message.size)
        loop = asyncio.get_running_loop()
        drawing = loop.run_in_executor(self._thread, self._draw, message.slot, jpeg, message.scene)
        self._drawing.add(drawing)
        drawing.add_done_callback(lambda done: self._tell(done, message))

    def _draw(self, slot: int, jpeg: bytes, scene: Scene) -> int:
        drawn = render(jpeg, scene, self._writer)
        if len(drawn) > self._outputs.slot_bytes:
            raise ValueError(f"the drawn picture has {len(drawn)} bytes")
        self._outputs.write(slot, drawn)
        return len(drawn)

    def _tell(self, done: "asyncio.Future[int]", message: DrawView) -> None:
        self._drawing.discard(done)
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            log.error("a picture of task %s was not drawn", message.task_id, exc_info=error)
        self._send(ViewDrawn(slot=message.slot, size=0 if error else done.result()))

    def close(self) -> None:
        """Draw nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
